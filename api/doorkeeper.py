"""Who may come in: every request is looked at here before any dialect hears of it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import current_app, g, request

from api.callers import ANYBODY, STRANGER, Caller, caller_with
from api.errors import Refused
from api.rate import Allowance, RateLimit, network_of
from api.scopes import scope_of
from api.signatures import SCHEME, Signatures
from core.tokens import Token, digest_of, key_id_of

if TYPE_CHECKING:
    from core.clock import Clock
    from core.keyring import Keyring

#: Endpoints that answer without a token, and then show less.
OPEN_ENDPOINTS = frozenset({"monitor.health", "docs.page", "docs.asset", "rescuebox.liveness"})
#: Where the headers that tell what is left of a limit wait for the answer, in the WSGI environment.
ALLOWANCE = "aafai.allowance"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Doorkeeper:
    """Decide who may come in and what for; keep only digests of tokens."""

    def __init__(
        self,
        clock: Clock,
        *,
        token: str | None = None,
        keyring: Keyring | None = None,
        allowed_hosts: Sequence[str] = (),
        rate_limit: int = 0,
        token_rate_limit: int = 0,
    ) -> None:
        """Let everybody in without `token` and a keyring in force, under any Host without hosts or with `*`.

        `rate_limit` is how many requests an address may send in a minute, `token_rate_limit` how many a token
        that says nothing else; 0 for any number.
        """
        self._clock = clock
        self._digest = None if token is None else digest_of(token)
        self._keyring = keyring
        self._hosts = frozenset(_bare(host) for host in allowed_hosts if "*" not in allowed_hosts)
        self._addresses = RateLimit(rate_limit, clock, whose="This address")
        self._tokens = RateLimit(token_rate_limit, clock, whose="This token")
        self._signatures = Signatures(clock)
        self._scopes: dict[tuple[str | None, str], str] = {}

    def asks(self) -> bool:
        """Return whether nobody comes in without a token just now."""
        return self._digest is not None or (self._keyring is not None and self._keyring.is_in_force)

    def check(self) -> None:
        """Let the caller in as `g.caller`, or raise Refused."""
        self._refuse_foreign()
        if request.endpoint in OPEN_ENDPOINTS:
            g.caller = self._recognized()
            return
        address = self._counted()
        g.caller = who = self._identified()
        token = self._tokens.spend(who.token_id, per_minute=who.rate_limit) if self.asks() else None
        self._refuse_beyond_scope(who)
        _note(address, token)

    def _refuse_foreign(self) -> None:
        """Refuse a Host that is not ours, and a write by another site's page."""
        if self._hosts and _host_name(request.environ.get("HTTP_HOST", "")) not in self._hosts:
            hint = "Use a name listed in AAFAI_ALLOWED_HOSTS, or add this one to it."
            raise Refused("unknown_host", "This bus does not answer for the Host of the request.", hint=hint)
        if request.method not in _READING and request.environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
            hint = "Call from a program."
            raise Refused("cross_site", "A page of another site must not write here.", hint=hint)

    def _recognized(self) -> Caller:
        """Return who calls what is open to all: somebody whom no other door would let in is a stranger.

        Only who tries a token is counted: nobody guesses faster here than elsewhere.
        """
        try:
            if "HTTP_AUTHORIZATION" in request.environ:
                self._counted()
            return self._identified()
        except Refused:
            return STRANGER

    def _counted(self) -> Allowance | None:
        """Count the request for its address. Raises Refused when there were too many."""
        return self._addresses.spend(network_of(request.remote_addr or ""))

    def _identified(self) -> Caller:
        if not self.asks():
            return ANYBODY
        scheme, _, credentials = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme == SCHEME:
            return self._admitted(self._signatures.signer(credentials.strip(), self._found))
        text = credentials.strip() if scheme.lower() == "bearer" else ""
        if self._digest is not None and hmac.compare_digest(digest_of(text), self._digest):
            return ANYBODY
        token = self._found(key_id_of(text))
        if token is None or not token.is_text(text):
            raise _unauthorized("The bearer token is wrong." if text else "A bearer token is required.")
        return self._admitted(token)

    def _found(self, key_id: str) -> Token | None:
        return self._keyring.find(key_id) if self._keyring is not None else None

    def _admitted(self, token: Token) -> Caller:
        if token.has_expired(self._clock.now()):
            raise _unauthorized("The token has expired.", code="token_expired")
        return caller_with(token)

    def _refuse_beyond_scope(self, who: Caller) -> None:
        scope = self._scope()
        if scope and scope not in who.scopes:
            own = ", ".join(sorted(who.scopes))
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Refused(
                "scope_missing",
                f"This token lacks the scope {scope!r}.",
                hint=f"It has: {own}. Use another, made with ./bus token make --scope {scope}.",
                headers={"WWW-Authenticate": challenge},
            )

    def _scope(self) -> str:
        """Return the scope that the request needs; empty when any token will do."""
        asked = request.endpoint, request.method
        if asked not in self._scopes:
            if request.endpoint is None:  # What nobody serves is told to whoever has a token.
                return ""
            view = current_app.view_functions[request.endpoint]
            self._scopes[asked] = scope_of(getattr(view, "operation", None), request.method)
        return self._scopes[asked]


def _note(address: Allowance | None, token: Allowance | None) -> None:
    """Keep for the answer what is left of the limit that will be met first."""
    known = [one for one in (address, token) if one is not None]
    if known:
        tightest = min(known, key=lambda one: one.left)
        request.environ[ALLOWANCE] = tuple(tightest.headers.items())


def _unauthorized(message: str, *, code: str = "unauthorized") -> Refused:
    hint = "Send the header Authorization: Bearer <token>."
    return Refused(code, message, hint=hint, headers={"WWW-Authenticate": "Bearer"})


@lru_cache(maxsize=64)
def _host_name(host: str) -> str:
    """Return the host of a Host header without its port."""
    return _bare(host.partition("]" if host.startswith("[") else ":")[0])


def _bare(host: str) -> str:
    return host.strip("[]").lower()
