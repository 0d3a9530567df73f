"""The door of a worker: its listeners, at which clients are let in, or are left to wait."""

from __future__ import annotations

import errno
import select
import socket
import threading
from typing import TYPE_CHECKING

from api.gunicorn_connection import Connection

if TYPE_CHECKING:
    from api.gunicorn_worker import GatheringWorker

#: One thread hears of the next event, and nobody of a later one before it is waited for again.
ONCE = select.EPOLLIN | select.EPOLLONESHOT
#: The same, of room for more of an answer.
ROOM = select.EPOLLOUT | select.EPOLLONESHOT
#: Nobody hears of anything until then.
NOT_YET = select.EPOLLONESHOT


class Door:
    """Let clients in, one at a time, by the thread that hears them knock."""

    def __init__(self, worker: GatheringWorker) -> None:
        self._worker = worker
        self._listeners: dict[int, socket.socket] = {}
        #: Held while somebody is let in: who was accepted is counted before the lock of the door is over.
        self._entering = threading.Lock()
        #: Whether clients are let in; not while there is no room for any more.
        self.is_open = False

    def set(self, *, is_open: bool) -> None:
        """Open or close it."""
        self.is_open = is_open  # Before a thread can let the first one in, and ask.
        for bound in self._worker.sockets:
            # gunicorn's own object forgets the socket when it is closed, and a thread may just be accepting.
            listener = getattr(bound, "sock", bound)
            if listener.fileno() not in self._listeners:
                listener.setblocking(False)
                self._listeners[listener.fileno()] = listener
                self._worker.events.register(listener, NOT_YET)
            self._worker.events.modify(listener, ONCE if is_open else NOT_YET)

    def lock(self) -> None:
        """Take in who has connected already, and nobody after them, for good.

        Left in the listener's queue they would be reset once it closes, having sent requests in good faith.
        """
        for descriptor, listener in list(self._listeners.items()):
            while self._has_room() and _is_called(listener):
                self._let_in(listener)
            del self._listeners[descriptor]
            self._worker.events.unregister(listener)
            listener.close()
        self.is_open = False
        with self._entering:  # A thread may have accepted somebody just before.
            pass

    def answers(self, descriptor: int) -> bool:
        """Let somebody in if that is a listener's descriptor; return whether it is."""
        listener = self._listeners.get(descriptor)
        if listener is None:
            return False
        self._let_in(listener)
        self.is_open = self.is_open and self._has_room()
        if self.is_open:
            try:
                # By its own descriptor: that number may be somebody else's once the listener is closed.
                self._worker.events.modify(listener, ONCE)
            except (OSError, ValueError):  # The door was locked just now.
                self.is_open = False
        return True

    def _has_room(self) -> bool:
        room: int = self._worker.worker_connections
        return self._worker.crowd.size < room

    def _let_in(self, listener: socket.socket) -> None:
        with self._entering:
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno != errno.EBADF:  # Not that the door was locked: no descriptor is left.
                self._worker.make_room()
            return
        try:
            conn = Connection(self._worker, sock, address, sock.getsockname())
        except BaseException:
            sock.close()
            raise
        self._worker.welcome(conn)


def _is_called(listener: socket.socket) -> bool:
    """Return whether somebody has connected who was not accepted yet."""
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    return bool(waiting.poll(0))
