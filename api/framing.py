"""Where a request ends: takes in the bytes of one HTTP/1.1 request as they come, without waiting for any.

Only framing is decided here. Whether a head is valid HTTP is left to the server's own parser, which reads it
again; where the two could disagree, the request ends after its head and the parser finds nothing more.
"""

from __future__ import annotations

import re
from typing import Protocol

from api.chunks import Chunks, too_large
from api.errors import Refused

#: The longest head, in bytes; the server's parser answers 431 for what exceeds it.
MOST_HEAD = 65_536

# A bare line feed ends no head, but the parser refuses it, so there is nothing to wait for.
_HEAD_ENDS = re.compile(rb"\r\n\r\n|(?<!\r)\n")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE
)
_LONGEST_NUMBER = 19  # digits


class Incoming:
    """One request on its way in."""

    def __init__(self, max_body: int) -> None:
        """Refuse a body of more than `max_body` bytes, whatever it is sent as."""
        self._max_body = max_body
        self._head = bytearray()
        self._body: _Body = _Sized(0)
        #: Whether all of the request has arrived, or as much of it as the parser needs to refuse it.
        self.whole = False
        #: Whether the head has grown beyond MOST_HEAD bytes without an end.
        self.endless = False
        #: Whether the client waits for `100 Continue` before it sends the body.
        self.expects_continue = False
        self._in_head = True

    @property
    def size(self) -> int:
        """Return how many bytes are held."""
        return len(self._head) + len(self._body.content)

    def receive(self, data: bytes) -> bytes:
        """Take in what came and return what belongs to the next request.

        Raises Refused (body_too_large, truncated_body) as soon as the body is known to be too long or broken.
        """
        if self._in_head:
            data = self._read_head(data)
        if not self._in_head:
            data = self._body.receive(data)
            self.whole = self._body.whole
        return data

    def cut_off(self) -> Refused:
        """Return the refusal of a request whose client has stopped sending before its end."""
        code = "bad_request" if self._in_head else "truncated_body"
        message = "The connection ended before the whole request had arrived."
        return Refused(code, message, hint="Nothing was queued: send the request again.")

    def document(self) -> bytearray:
        """Return the request for the parser, a chunked body put together into one chunk."""
        return self._head + self._body.framed()

    def _read_head(self, data: bytes) -> bytes:
        searched = max(0, len(self._head) - 3)
        self._head += data
        end = _HEAD_ENDS.search(self._head, searched)
        if end is None or end.group() == b"\n":
            self.endless = end is None and len(self._head) > MOST_HEAD
            self.whole = self.endless or end is not None
            return b""
        rest = bytes(self._head[end.end() :])
        del self._head[end.end() :]
        self._in_head = False
        self._read_framing()
        return rest

    def _read_framing(self) -> None:
        fields: dict[bytes, list[re.Match[bytes]]] = {}
        for field in _FRAMING.finditer(self._head):
            fields.setdefault(field[1].lower(), []).append(field)
        expected = fields.pop(b"expect", [])
        match [(name, field[2].lower()) for name, found in fields.items() for field in found]:
            case [(b"content-length", digits)] if digits.isdigit():
                self._body = _Sized(self._length(digits))
            case [(b"transfer-encoding", b"chunked")]:
                self._body = Chunks(self._max_body)
        if [field[2].lower() for field in expected] == [b"100-continue"]:
            self._take_over_expectation(expected[0])

    def _length(self, digits: bytes) -> int:
        if len(digits) > _LONGEST_NUMBER or int(digits) > self._max_body:
            raise too_large(self._max_body)
        return int(digits)

    def _take_over_expectation(self, field: re.Match[bytes]) -> None:
        """Answer for the parser, which would say `100 Continue` when the body is long here."""
        first_line = self._head[: self._head.index(b"\r\n")]
        self.expects_continue = not self._body.whole and first_line.endswith(b" HTTP/1.1")
        del self._head[field.start() : field.end()]


class _Body(Protocol):
    content: bytearray

    @property
    def whole(self) -> bool: ...

    def receive(self, data: bytes) -> bytes: ...

    def framed(self) -> bytes | bytearray: ...


class _Sized:
    """A body whose length the head announces."""

    def __init__(self, length: int) -> None:
        self.content = bytearray()
        self._length = length

    @property
    def whole(self) -> bool:
        return len(self.content) == self._length

    def receive(self, data: bytes) -> bytes:
        wanted = self._length - len(self.content)
        self.content += data[:wanted]
        return data[wanted:]

    def framed(self) -> bytearray:
        return self.content
