"""Clients that dozed: the machine gave them no time to ask, and a server that stops does not wait so long."""

from __future__ import annotations

import time

#: A stopping server keeps a connection for two seconds that asks for nothing. Whoever comes later than this,
#: in seconds, may find it closed, as any client may that uses a connection again.
_DOZED = 1.5


class Pace:
    """When one client could ask over its connection, and when it did. Begins when it is connected."""

    def __init__(self) -> None:
        self._free = time.monotonic()
        self._asked: float | None = None

    def note_asked(self) -> None:
        """Note that the whole request is sent."""
        self._asked = time.monotonic()

    def note_answered(self) -> None:
        """Note that the answer is read, so that the client may ask again."""
        self._free, self._asked = time.monotonic(), None

    @property
    def dozed(self) -> bool:
        """Whether the last request came so late that nobody had to wait for it."""
        asked = time.monotonic() if self._asked is None else self._asked
        return asked - self._free > _DOZED
