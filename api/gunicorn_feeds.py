"""One thread for all answers that are read from feeds: each client is sent as much as it takes."""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from api.feeds import GLANCE

if TYPE_CHECKING:
    from api.gunicorn_connection import Connection
    from api.gunicorn_worker import GatheringWorker

#: Seconds in which a client without room must take enough of what it is sent, as of any other answer.
PATIENCE = 15.0

#: Pieces that are sent to one client before it is another one's turn.
_TURN = 16
# One event when a client has gone, and one when there is room again after there was none.
_NEWS = select.EPOLLRDHUP | select.EPOLLOUT | select.EPOLLET


@dataclass(slots=True)
class _Client:
    conn: Connection
    #: Whether it may send another request on the same connection.
    keeps: bool
    #: What it did not take yet of the last piece.
    rest: bytes = b""
    #: Since when it is watched because there is no room for more; None while there is.
    full_since: float | None = None
    is_gone: bool = False


class Feeds:
    """Send what feeds give. None may wait: what holds up one, if only a slow disk, holds up all of them."""

    #: Made with the thread, in the process that serves.
    _events: select.epoll
    _bell: int

    def __init__(self, worker: GatheringWorker) -> None:
        self._worker = worker
        self._coming: SimpleQueue[_Client] = SimpleQueue()
        self._clients: dict[int, _Client] = {}  # by descriptor
        self._opening = threading.Lock()
        self._is_open = False
        self._is_rung = False

    def take(self, conn: Connection, *, keeps: bool) -> None:
        """Send the rest of an answer, whose connection was lent to a feed."""
        if not self._is_open:
            self.start()
        conn.sock.feed.when_more(self.ring)
        self._coming.put(_Client(conn, keeps, conn.sock.uncorked()))
        self.ring()

    def start(self) -> None:
        """Begin to send in a thread, which ends with the process."""
        with self._opening:
            if not self._is_open:
                self.open()
                threading.Thread(target=self._go_on, name="feeds", daemon=True).start()

    def open(self) -> None:
        """Get ready to send, without a thread as yet."""
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self._events = select.epoll()
        self._events.register(self._bell, select.EPOLLIN)
        self._is_open = True

    def ring(self) -> None:
        """Look at all feeds soon. Any thread may call it, as often as it likes."""
        if not self._is_rung:
            self._is_rung = True
            os.eventfd_write(self._bell, 1)

    def round(self, seconds: float | None) -> None:
        """Wait until something happens, so long at most, and send what there is to send."""
        for descriptor, event in self._events.poll(seconds):
            if descriptor == self._bell:
                os.eventfd_read(self._bell)
            elif client := self._clients.get(descriptor):
                client.full_since = None
                client.is_gone = bool(event & ~select.EPOLLOUT)
        self._is_rung = False  # Before the feeds are read: what comes after that rings again.
        self._let_in()
        for client in list(self._clients.values()):
            self._attend(client)

    def _go_on(self) -> None:
        while True:
            self.round(GLANCE if self._clients else None)

    def _let_in(self) -> None:
        while not self._coming.empty():
            client = self._coming.get()
            self._clients[client.conn.sock.fileno()] = client
            try:
                self._events.register(client.conn.sock, _NEWS)
            except OSError:  # The machine watches no more descriptors.
                client.is_gone = True

    def _attend(self, client: _Client) -> None:
        try:
            stays = not client.is_gone and self._serve(client)
        except OSError:
            stays = False
        except Exception:
            self._worker.log.exception("An answer was broken off.")
            stays = False
        if not stays:
            self._let_go(client)
            self._worker.drop(client.conn)

    def _serve(self, client: _Client) -> bool:
        """Send what the client takes; return False when it has to go. Raises OSError when it is gone."""
        now = self._worker.clock.monotonic()
        for _ in range(_TURN):
            if client.full_since is not None:
                return self._takes_enough(client, now - client.full_since)
            piece = client.rest or client.conn.sock.feed.read()
            if piece is None:
                return self._end(client)
            if not piece:
                return True
            client.rest = piece[client.conn.sock.offer(piece) :]
            if client.rest:
                _watch(client, now)
        self.ring()
        return True

    def _takes_enough(self, client: _Client, seconds: float) -> bool:
        """Return whether a client that has been without room for so long may stay.

        The machine tells of room when a third of its buffer is free: on a slow line that may take minutes.
        """
        if seconds < PATIENCE:
            return True
        if client.conn.taken < seconds * self._worker.least_rate:
            return False
        _watch(client, self._worker.clock.monotonic())
        return True

    def _end(self, client: _Client) -> bool:
        self._let_go(client)
        self._worker.after_feed(client.conn, keeps=client.keeps)
        return True

    def _let_go(self, client: _Client) -> None:
        descriptor = client.conn.sock.fileno()
        with suppress(OSError):  # It may not have been registered.
            self._events.unregister(descriptor)
        self._clients.pop(descriptor, None)
        client.conn.sock.take_back()


def _watch(client: _Client, now: float) -> None:
    client.full_since = now
    client.conn.watch(now)
