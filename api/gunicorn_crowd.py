"""The connections of a worker, kept for all of its threads: who rests, who is served, who has how many."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.gunicorn_connection import Connection
    from core.errors import BusError

    #: The thread that was held up, the connection that it had, and what its client is to be told.
    Takeover = tuple[int, Connection, BusError]


class Crowd:
    """Count connections, and make sure that each has one thread at most.

    A connection belongs to the thread that serves it. One that rests belongs to nobody, until it is taken: by
    the thread that hears of it, or by the main thread when its time is up. Nor does a thread that is held up
    keep its connection.
    """

    def __init__(self) -> None:
        #: How many there are.
        self.size = 0
        #: Address → how many of them it has.
        self.addresses: Counter[str] = Counter()
        #: How many bytes of unfinished requests and of unread answers are kept for them.
        self.held = 0
        self._resting: dict[int, Connection] = {}  # by descriptor; who rests longest comes first
        self._served: dict[int, Connection] = {}  # by the thread that lets the app answer
        self._lock = threading.Lock()

    def enter(self, conn: Connection) -> int:
        """Count a connection in; return how many its address has now, 0 when it has none."""
        with self._lock:
            self.size += 1
            self.addresses[conn.host] += 1
            return self.addresses[conn.host] if conn.host else 0

    def leave(self, conn: Connection) -> None:
        """Count a connection out."""
        self.hold(conn, 0)
        with self._lock:
            self.size -= 1
            self.addresses[conn.host] -= 1
            if not self.addresses[conn.host]:
                del self.addresses[conn.host]

    def hold(self, conn: Connection, size: int) -> None:
        """Note how many bytes are kept for a connection: of its unfinished request, or its unread answer."""
        if size != conn.held:
            with self._lock:
                self.held += size - conn.held
                conn.held = size

    def rest(self, conn: Connection) -> int:
        """Let a connection rest; return its descriptor."""
        descriptor: int = conn.sock.fileno()
        with self._lock:
            self._resting[descriptor] = conn
        return descriptor

    def taken(self, descriptor: int) -> Connection | None:
        """Take a connection that rests; None if another thread was quicker."""
        with self._lock:
            return self._resting.pop(descriptor, None)

    def taken_late(self, now: float) -> list[Connection]:
        """Take all that rest and whose time is up."""
        with self._lock:
            late = [number for number, conn in self._resting.items() if conn.gives_up_at <= now]
            return [self._resting.pop(number) for number in late]

    def taken_oldest(self) -> list[Connection]:
        """Take the one that has been resting longest, if any does."""
        with self._lock:
            return [self._resting.pop(number) for number in list(self._resting)[:1]]

    def taken_slowest(self, least: int) -> list[Connection]:
        """Take the one that takes least of its answer, if any leaves more than so many bytes unread."""
        with self._lock:
            slow = [
                (conn.taken, conn.gives_up_at, descriptor)
                for descriptor, conn in self._resting.items()
                if conn.held > least and conn.sock.unsent
            ]
            return [self._resting.pop(min(slow)[2])] if slow else []

    def hurry(self, deadline: float) -> None:
        """Give those that rest no more time than until then."""
        with self._lock:
            for conn in self._resting.values():
                conn.gives_up_at = min(conn.gives_up_at, deadline)

    def begin(self, conn: Connection) -> None:
        """Note that this thread lets the app answer a request of the connection."""
        self._served[threading.get_ident()] = conn

    def end(self) -> None:
        """Note that the app has answered, or that it will not."""
        with self._lock:
            self._served.pop(threading.get_ident(), None)

    def taken_over(self, held_up: Callable[[], Mapping[int, BusError]]) -> list[Takeover]:
        """Take the connections of the threads that are held up now."""
        taken = []
        with self._lock:  # So that none of these threads goes on to another connection meanwhile.
            for thread, error in held_up().items():
                if conn := self._served.pop(thread, None):
                    conn.is_taken_over = True
                    taken.append((thread, conn, error))
        return taken
