"""A body in chunks: taken in as it comes, however it is cut, and put together.

The framing is bounded: a client cannot make it grow, and each byte is looked at once.
"""

from __future__ import annotations

import re

from api.errors import Refused

#: The longest line that gives a chunk's size, and all trailers together, in bytes.
MOST_LINE = 4_096
MOST_TRAILERS = 8_192

_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?\r\n")
_TRAILER = re.compile(rb"[\t -~\x80-\xff]+\r\n")


class Chunks:
    """A body on its way in: one step after the other takes in a line, or a piece of a chunk."""

    def __init__(self, limit: int) -> None:
        """Refuse a body of more than `limit` bytes, framing not counted."""
        #: The body without its framing.
        self.content = bytearray()
        #: Whether the last chunk and the trailers have come.
        self.whole = False
        self._limit = limit
        self._line = bytearray()
        self._left = 0  # bytes of the present chunk
        self._trailers = 0  # bytes
        self._step = self._read_size

    def receive(self, data: bytes) -> bytes:
        """Take in what came and return what lies behind the body.

        Raises Refused: body_too_large when a chunk announces too much, truncated_body when framing is broken.
        """
        at = 0
        while at < len(data) and not self.whole:
            at = self._step(data, at)
        return data[at:]

    def framed(self) -> bytes:
        """Return the body as a single chunk, trailers left out."""
        chunk = b"%x\r\n%b\r\n" % (len(self.content), bytes(self.content))
        return (chunk if self.content else b"") + b"0\r\n\r\n"

    def _read_size(self, data: bytes, at: int) -> int:
        line, at = self._read_line(data, at, most=MOST_LINE)
        if line is None:
            return at
        if (size := _SIZE.fullmatch(line)) is None:
            raise _broken("a chunk's size cannot be read")
        self._left = int(size[1], 16)
        if len(self.content) + self._left > self._limit:
            raise too_large(self._limit)
        self._step = self._read_piece if self._left else self._read_trailer
        return at

    def _read_piece(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self.content += piece
        self._left -= len(piece)
        if not self._left:
            self._step = self._read_end
        return at + len(piece)

    def _read_end(self, data: bytes, at: int) -> int:
        line, at = self._read_line(data, at, most=2)
        if line is not None and line != b"\r\n":
            raise _broken("a chunk is longer than it says")
        if line is not None:
            self._step = self._read_size
        return at

    def _read_trailer(self, data: bytes, at: int) -> int:
        line, at = self._read_line(data, at, most=MOST_TRAILERS - self._trailers)
        if line is None:
            return at
        self._trailers += len(line)
        self.whole = line == b"\r\n"
        if not self.whole and not _TRAILER.fullmatch(line):
            raise _broken("a trailer cannot be read")
        return at

    def _read_line(self, data: bytes, at: int, *, most: int) -> tuple[bytes | None, int]:
        """Return the line that ends in `data`, None when its end is still to come, and where to go on."""
        room = most - len(self._line)
        end = data.find(b"\n", at, at + room) + 1
        if not end and len(data) - at >= room:
            raise _broken(f"a line has more than {most:,} bytes")
        if not end:
            self._line += data[at:]
            return None, len(data)
        line = bytes(self._line) + data[at:end]
        self._line.clear()
        return line, end


def too_large(limit: int) -> Refused:
    """Return the refusal of a body of more than `limit` bytes."""
    hint = "Send less, or in several requests."
    return Refused("body_too_large", f"The body is longer than {limit:,} bytes.", hint=hint)


def _broken(why: str) -> Refused:
    hint = "Nothing was queued: send the request again, or with a Content-Length."
    return Refused("truncated_body", f"The chunked body is broken: {why}.", hint=hint)
