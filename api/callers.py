"""Who calls: what a request may do, whose jobs it may see, and under whose name it submits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from flask import g

from api.errors import Refused
from core.tokens import SCOPES, Token

#: The label under which a job remembers who submitted it.
OWNER = "owner"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody whom the doorkeeper has let in."""

    #: Empty for whoever comes without a token of their own.
    name: str = ""
    #: What the caller may do: some of SCOPES.
    scopes: frozenset[str] = frozenset(SCOPES)
    #: The actions that the caller may submit jobs for; None for every one.
    actions: frozenset[str] | None = None
    #: Whether the caller sees the own jobs only.
    own_jobs_only: bool = False
    #: The id of the token; empty for that of the settings.
    token_id: str = ""
    #: How many requests the token may make in a minute; None for what the settings say.
    rate_limit: int | None = None

    @property
    def labels(self) -> Mapping[str, str]:
        """What the jobs of the caller bear."""
        return {OWNER: self.name} if self.name else {}

    def may_see(self, labels: Mapping[str, str]) -> bool:
        """Return whether a job with these labels is the caller's to see."""
        return not self.own_jobs_only or labels.get(OWNER) == self.name

    def refuse_action(self, action: str) -> None:
        """Raise Refused when the caller may not submit jobs for that action."""
        if self.actions is not None and action not in self.actions:
            allowed = ", ".join(sorted(self.actions))
            raise Refused(
                "action_not_allowed", f"This token may not run {action!r}.", hint=f"It may run: {allowed}."
            )


#: Whoever calls a bus that asks for no token, and who comes with the one of the settings.
ANYBODY = Caller()
#: Whoever has no token where one is asked for: sees what is open to all. No token can bear that name.
STRANGER = Caller(name="-", scopes=frozenset(), actions=frozenset(), own_jobs_only=True)


def caller() -> Caller:
    """Return who sent the request."""
    return cast("Caller", g.caller)


def caller_with(token: Token) -> Caller:
    """Return who comes with that token."""
    return Caller(
        name=token.name,
        scopes=token.scopes,
        actions=token.actions,
        own_jobs_only=token.own_jobs_only,
        token_id=token.id,
        rate_limit=token.rate_limit,
    )


def trusted() -> bool:
    """Return whether the caller may see what is not open to all."""
    return "read" in caller().scopes
