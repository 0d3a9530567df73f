"""The line to a bus: one HTTP request, bearing the token or signed with it, and what came back.

It takes the standard library alone, follows no proxy, no redirect and no .netrc: whom the token goes to is
whom the settings or the cloud have named.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

from client.errors import BadInput, HungUp, Refused, Unreachable
from client.signing import signed
from core.clock import Clock, SystemClock

_LABEL = "[A-Za-z0-9_-]{1,63}"
_URL = re.compile(rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_LONGEST_ANSWER = 1 << 28  # bytes: a result may have 64 MiB, and JSON may spell a character with six
_LONGEST_REFUSAL = 1 << 20
_USUAL_PAUSE, _SHORTEST_PAUSE = 5.0, 1.0  # seconds
_WORTH_REPEATING = (429, 503, 507)
#: How long it may take, in seconds, until what was signed before the bus started can be signed anew.
_LONGEST_UNTIL_SIGNED_ANEW = 10.0


def checked_url(text: str) -> str:
    """Return where a bus is, as a Line has it. Raises BadInput."""
    found = _URL.fullmatch(text.rstrip("/"))
    if found is None or not 0 < int(found["port"] or 80) < 65_536:
        raise BadInput(f"{text!r} is no url of a bus.", hint="Write it as in http://127.0.0.1:8000")
    return found[0]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a bus is, and what it takes to be let in."""

    #: Such as `http://127.0.0.1:8000`.
    url: str
    token: str = field(default="", repr=False)
    #: Whether the token signs requests and is never sent.
    signs: bool = False
    #: Seconds that the bus may leave us without a word.
    patience: float = 30.0
    clock: Clock = field(default_factory=SystemClock, repr=False)

    def ask(
        self, method: str, target: str, body: Any = None, *, key: str = "", patience: float = 0.0
    ) -> dict[str, Any]:
        """Return the JSON object that the bus answers; `key` is an idempotency key.

        Raises Refused when it says no, Unreachable when nobody took the request, HungUp when somebody took it
        and no answer came.
        """
        with self.answered(method, target, body, key=key, patience=patience) as answer:
            return _document(answer, _LONGEST_ANSWER)

    @contextmanager
    def answered(
        self, method: str, target: str, body: Any = None, *, key: str = "", patience: float = 0.0
    ) -> Iterator[HTTPResponse]:
        """Hand out the answer, to be read piece by piece. Raises as `ask` does."""
        connection = self._connection(patience or self.patience)
        try:
            yield self._accepted(connection, method, target, _written(body), key)
        except (OSError, HTTPException) as error:
            raise HungUp(f"{self.url} hung up in the middle of its answer: {_why(error)}.") from None
        finally:
            connection.close()

    def _connection(self, patience: float) -> HTTPConnection:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=patience)
        try:
            connection.connect()
        except OSError as error:
            raise Unreachable(f"Nobody answers at {self.url}: {_why(error)}.") from None
        return connection

    def _accepted(
        self, connection: HTTPConnection, method: str, target: str, body: bytes, key: str
    ) -> HTTPResponse:
        """Return the answer. What seems to be signed before the bus started is signed anew a little later.

        Signatures bear whole seconds: in its first one a bus believes nobody, and later nobody whose clock
        is behind. Raises Refused.
        """
        try:
            return self._sent(connection, method, target, body, key)
        except Refused as refused:
            pause = refused.retry_after
            if refused.code != "signature_stale" or not 0 < pause <= _LONGEST_UNTIL_SIGNED_ANEW:
                raise
        connection.close()  # It is opened again for the next request.
        self.clock.wait(threading.Event(), pause)
        return self._sent(connection, method, target, body, key)

    def _sent(
        self, connection: HTTPConnection, method: str, target: str, body: bytes, key: str
    ) -> HTTPResponse:
        headers = {"Accept": "application/json"}
        if key:
            headers["Idempotency-Key"] = _fitting("idempotency key", key)
        if body:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = self._credentials(method, target, body, key)
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            told = f"{self.url} took the request and gave no answer: {_why(error)}."
            raise HungUp(told) from None
        if response.status >= 300:
            raise _refusal(response)
        return response

    def _credentials(self, method: str, target: str, body: bytes, key: str) -> str:
        if not self.signs:
            return f"Bearer {_fitting('token', self.token)}"
        now, nonce = self.clock.now(), secrets.token_hex(16)
        return signed(self.token, method, target, body, key=key, now=now, nonce=nonce)


def _fitting(what: str, text: str) -> str:
    """Return a text that a header can hold. Raises BadInput."""
    if not text.isascii() or not text.isprintable():
        raise BadInput(f"The {what} holds what no header can: write printable ASCII characters only.")
    return text


def _written(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _document(answer: HTTPResponse, most: int) -> dict[str, Any]:
    text = answer.read(most + 1)
    if answer.length and len(text) <= most:
        raise IncompleteRead(text, answer.length)
    try:
        document = json.loads(text) if len(text) <= most else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _no_bus(answer)
    return document


def _no_bus(answer: HTTPResponse) -> Unreachable:
    """Return the error for who answers as no bus does: a proxy may yet have handed the request to one."""
    kind = HungUp if answer.status >= 500 else Unreachable
    hint = "Look at the url and the port in the settings."
    if elsewhere := answer.headers.get("Location"):
        hint = f"It points to {elsewhere}: if the bus is there, name it as its url."
    return kind(f"Who answers there is no bus (status {answer.status}).", hint=hint)


def _refusal(answer: HTTPResponse) -> Refused:
    document = _document(answer, _LONGEST_REFUSAL)
    given = answer.headers.get("Retry-After", "")
    return Refused(answer.status, document, retry_after=_pause(answer.status, given))


def _pause(status: int, given: str) -> float:
    """Return the seconds after which the bus wants to be asked again; 0.0 when that would not help."""
    if given.isascii() and given.isdigit() and len(given) < 6:
        return max(_SHORTEST_PAUSE, float(given))
    return _USUAL_PAUSE if status in _WORTH_REPEATING else 0.0


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
