"""One POST to an address that was checked: bounded in time and size, redirects not followed."""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.addresses import Target, checked_url

if TYPE_CHECKING:
    import ssl

    from core.clock import Clock

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LONGEST_HEAD = 16_384
#: What is read of an answer so that its sender is not cut off in the middle; nobody looks at it.
_LONGEST_BODY = 65_536
_FAREWELL = 1.0  # seconds for that
_CHUNK = 8_192


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, clock: Clock, seconds: float, private: bool = False
) -> int:
    """Send a JSON body and return the status of the answer, all within `seconds` but for the name's look-up.

    With `private` any address and port will do. Raises BlockedAddress, UnknownName, and OSError when there
    is no answer.
    """
    target = checked_url(url, private=private)
    line = _Line(target, clock, seconds=seconds, secure=urlsplit(url).scheme == "https")
    try:
        line.send(_head(url, len(body), headers) + body)
        status = line.status()
        line.farewell()
        return status
    finally:
        line.close()


class _Line:
    """A connection whose every wait is cut from the same time."""

    def __init__(self, target: Target, clock: Clock, *, seconds: float, secure: bool) -> None:
        self._clock = clock
        self._deadline = clock.monotonic() + seconds
        self._socket = socket.create_connection((target.address, target.port), seconds)
        if secure:
            try:
                self._socket.settimeout(self._left())
                self._socket = _tls().wrap_socket(self._socket, server_hostname=target.host)
            except OSError:
                self._socket.close()
                raise

    def send(self, text: bytes) -> None:
        """Send all of it. Raises OSError."""
        self._socket.settimeout(self._left())
        self._socket.sendall(text)

    def status(self) -> int:
        """Return the status of the answer; those that announce another one are skipped. Raises OSError."""
        head = b""
        while True:
            while b"\r\n\r\n" in head:
                found = _STATUS.match(head)
                if found is None:
                    raise ConnectionError("it does not answer in HTTP/1")
                if not found[1].startswith(b"1"):
                    return int(found[1])
                head = head.partition(b"\r\n\r\n")[2]
            if len(head) > _LONGEST_HEAD:
                raise ConnectionError("the head of its answer has no end")
            head += self._heard("it hung up without an answer")

    def farewell(self) -> None:
        """Let the other side finish, for a moment."""
        self._deadline = min(self._deadline, self._clock.monotonic() + _FAREWELL)
        length = 0
        with suppress(OSError):
            while length < _LONGEST_BODY:
                length += len(self._heard("the end"))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _heard(self, silence: str) -> bytes:
        self._socket.settimeout(self._left())
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ConnectionError(silence)
        return chunk

    def _left(self) -> float:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("it did not answer in time")
        return left


def _head(url: str, length: int, headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {
        "Host": parts.netloc,
        "User-Agent": "aafai-bus",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
        **headers,
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


@functools.cache
def _tls() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  Most buses call nobody, and it takes a while to load.

    return ssl.create_default_context()
