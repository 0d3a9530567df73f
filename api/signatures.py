"""Signed requests: for clients on plain HTTP, where whoever listens must not learn a token.

    Authorization: AAFAI-HMAC-SHA256 key=<id>, time=<Unix seconds>, nonce=<text>, signature=<hex>

The signature is the HMAC-SHA256, by the token's text, of what `signed_text` returns. It holds for five
minutes before and after its time, and once.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from api.errors import Refused
from api.http import iso, kept_body
from core.tokens import Token

if TYPE_CHECKING:
    from core.clock import Clock

SCHEME = "AAFAI-HMAC-SHA256"
WINDOW = 300.0  # seconds

_MOST_NONCES = 100_000
_CREDENTIALS = re.compile(
    r"key=(?P<key>[0-9a-f]{8}), ?time=(?P<time>[0-9]{1,12}), ?nonce=(?P<nonce>[A-Za-z0-9_-]{16,64}),"
    r" ?signature=(?P<signature>[0-9a-f]{64})"
)
_CHALLENGE = {"WWW-Authenticate": SCHEME}


@dataclass(frozen=True, slots=True)
class Signature:
    """What the header says."""

    key_id: str
    #: As it was written: it is signed so.
    time: str
    nonce: str
    hmac: str


def signed_text(method: str, target: str, time: str, nonce: str, *, key: str, body: bytes) -> bytes:
    """Return what is signed: seven lines, of which the last has no end.

    `target` is path and query as sent, `key` the Idempotency-Key, empty without one.
    """
    digest = hashlib.sha256(body).hexdigest()
    return f"{SCHEME}\n{method}\n{target}\n{time}\n{nonce}\n{key}\n{digest}".encode()


class Signatures:
    """Tell by which token a request is signed, now and for the first time. Any thread may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._nonces = Nonces(clock)

    def signer(self, credentials: str, find: Callable[[str], Token | None]) -> Token:
        """Return the token that signed the request. Raises Refused.

        The body is read for it, within the limits of every body, and is there to be read again.
        """
        signature = _read(credentials)
        self._refuse_out_of_time(int(signature.time))
        token = find(signature.key_id)
        if token is None or not token.signing_key or not _is_by(token.signing_key, signature):
            raise _refused("The signature is wrong, or its key is not known.")
        self._nonces.spend(f"{signature.key_id}/{signature.nonce}")
        return token

    def _refuse_out_of_time(self, time: int) -> None:
        now = self._clock.now()
        began = now - (self._clock.monotonic() - self._began)
        headers = _CHALLENGE
        if abs(now - time) > WINDOW:
            told = f"The request was signed {abs(now - time):,.0f} seconds {'ago' if now > time else 'ahead'}"
        elif time < began:
            # What came before is not known any more, so it might be a repetition.
            told = "The request was signed before the bus started"
            # By then whole seconds, and a clock that is behind, have come to what is after the start.
            headers = {**_CHALLENGE, "Retry-After": str(math.ceil(began - time))}
        else:
            return
        hint = f"Sign it anew, with a new nonce; the bus's clock says {iso(now)}."
        raise Refused("signature_stale", f"{told}.", hint=hint, headers=headers)


class Nonces:
    """Remember each nonce for at least as long as a signature can hold, and no more of them than fit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = clock.monotonic()
        self._younger: set[str] = set()
        self._older: set[str] = set()

    def spend(self, nonce: str) -> None:
        """Remember a nonce. Raises Refused when it was spent before, or when there is no more room."""
        with self._lock:
            self._age()
            if nonce in self._younger or nonce in self._older:
                hint = "Sign it anew, with a new nonce; an idempotency key keeps it from being done twice."
                raise Refused(
                    "signature_replayed", "The request has come before.", hint=hint, headers=_CHALLENGE
                )
            if len(self._younger) + len(self._older) >= _MOST_NONCES:
                raise Refused(
                    "rate_limited",
                    "More signed requests have come of late than can be remembered.",
                    hint="Sign fewer: ask for many jobs at once.",
                    headers={"Retry-After": str(int(WINDOW))},
                )
            self._younger.add(nonce)

    def _age(self) -> None:
        """Forget every ten minutes what is ten minutes old: a signature made ahead of time holds so long."""
        now = self._clock.monotonic()
        passed = now - self._since
        if passed >= 2 * WINDOW:
            self._older = self._younger if passed < 4 * WINDOW else set()
            self._younger, self._since = set(), now


def _read(credentials: str) -> Signature:
    found = _CREDENTIALS.fullmatch(credentials)
    if found is None:
        raise _refused("The header Authorization is not as a signed request has it.")
    return Signature(*found.groups())


def _is_by(signing_key: str, signature: Signature) -> bool:
    """Return whether the request was signed with that key, in a time that tells nothing about it."""
    text = signed_text(
        request.method,
        request.environ.get("RAW_URI", ""),
        signature.time,
        signature.nonce,
        key=request.headers.get("Idempotency-Key", ""),
        body=kept_body(),
    )
    expected = hmac.new(signing_key.encode(), text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.hmac)


def _refused(message: str) -> Refused:
    hint = f"Send Authorization: {SCHEME} key=<id>, time=<Unix seconds>, nonce=<text>, signature=<hex>."
    return Refused("bad_signature", message, hint=hint, headers=_CHALLENGE)
