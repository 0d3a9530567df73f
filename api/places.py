"""How many requests at a time may hold a thread while they wait for something to happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore


class Places:
    """Places for those who wait, shared by all dialects, so that threads are left for those who do not."""

    def __init__(self, number: int) -> None:
        self._free = BoundedSemaphore(number)

    def take(self) -> bool:
        """Take a place until it is given back; return whether there was one."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """Give back a place that was taken. Raises ValueError for one too many."""
        self._free.release()

    @contextmanager
    def taken(self, *, wanted: bool = True) -> Iterator[bool]:
        """Take a place for as long as the block lasts, if one is wanted; yield whether there was one."""
        has_one = wanted and self.take()
        try:
            yield has_one
        finally:
            if has_one:
                self.give_back()
