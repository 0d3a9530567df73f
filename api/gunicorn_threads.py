"""The threads of a worker: each waits for the next event, does what it calls for, and waits again."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable


class Threads:
    """Serve events, each in one thread, until told to stop."""

    def __init__(self, events: select.epoll, serve: Callable[[int], None]) -> None:
        """Call `serve` with the descriptor of each event."""
        self._events = events
        self._serve = serve
        self._number = 0
        self._replaced: set[int] = set()
        self._stop = os.eventfd(0, os.EFD_SEMAPHORE)
        events.register(self._stop, select.EPOLLIN)

    def start(self, number: int) -> None:
        """Start so many threads."""
        for _ in range(number):
            # A process that ends does not wait for a thread that is held up.
            threading.Thread(target=self._go_on, name="http", daemon=True).start()
        self._number += number

    def replace(self, thread: int) -> None:
        """Let another thread serve in place of one that is held up, which ends when it can."""
        self._replaced.add(thread)
        self._number -= 1
        self.start(1)

    def stop(self) -> None:
        """Let all threads end as soon as they have nothing to do."""
        os.eventfd_write(self._stop, self._number)

    def _go_on(self) -> None:
        name = threading.get_ident()
        while name not in self._replaced:
            for descriptor, _ in self._events.poll(maxevents=1):
                if descriptor == self._stop:
                    os.eventfd_read(self._stop)
                    return
                self._serve(descriptor)
        self._replaced.remove(name)  # The next thread may bear it.
