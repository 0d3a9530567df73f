"""Who calls: what a request may do, whose jobs it may see, and under whose name it submits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from flask import g

from api.errors import Refused

SCOPES = ("submit", "read", "admin")
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


@dataclass(frozen=True, slots=True)
class Nobody:
    """Whoever has no token; what is open to all shows less then."""

    reason: str = field(default="A bearer token is required.")


def caller() -> Caller:
    """Return who sent the request."""
    return cast("Caller", g.caller)
