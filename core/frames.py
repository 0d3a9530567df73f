"""JSON documents over a byte stream: four bytes of length, then UTF-8. Pure."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

from core.jobs import Json

_LENGTH = struct.Struct(">I")


def framed(document: Json) -> bytes:
    """Return a document as it travels."""
    body = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Put the documents of one stream together again, however it was cut."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Json]:
        """Yield each document that is whole now. Raises ValueError for what no sender of ours would send."""
        self._buffer += chunk
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._limit:
                raise ValueError(f"a message of {length:,} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield json.loads(body)
