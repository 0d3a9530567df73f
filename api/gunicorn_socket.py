"""A client's socket as gunicorn writes to it: nothing that is read from it or sent through it ever waits."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.feeds import Feed

PIECE = 65_536  # bytes

_SILENCE = 60_000  # milliseconds after which a client that confirms nothing is gone
_AT_ONCE = struct.pack("ii", 1, 0)


class Corked:
    """A socket that sends what is written to it in one piece, and keeps what the client does not take."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        #: What the rest of an answer is read from, once the app has lent the connection to it.
        self.feed: Feed | None = None
        self._written: list[bytes] = []
        self._size = 0
        self._unsent: bytes | memoryview = b""
        self._sent = 0
        self.fileno = sock.fileno
        self.shutdown = sock.shutdown
        self.close = sock.close
        sock.setblocking(True)

    @property
    def unsent(self) -> int:
        """Return how many bytes the last `flush` had no room for."""
        return len(self._unsent)

    @property
    def kept(self) -> int:
        """Return how many bytes are in memory for what is unsent."""
        return memoryview(memoryview(self._unsent).obj).nbytes + self._size

    @property
    def taken(self) -> int:
        """Return how many of the bytes that were sent the client's machine has confirmed."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)))
        return self._sent - int(waiting)

    def recv(self, size: int) -> bytes:
        """Return what has come. Raises BlockingIOError when nothing has."""
        return self._sock.recv(size, socket.MSG_DONTWAIT)

    def sendall(self, data: bytes) -> None:
        """Keep the data until there is much, or until `flush`; drop it while the connection is lent."""
        if self.feed is not None:
            return
        self._written.append(data)
        self._size += len(data)
        if self._size > PIECE and not self._unsent:
            self.flush()

    send = sendall

    def flush(self) -> None:
        """Send what was kept, as far as there is room. Raises OSError when the client is gone."""
        while data := self._unsent or self._corked():
            sent = self.offer(data)
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                return
            # A view, even an empty one, would keep all of the answer in memory.
            self._unsent = b""

    def uncorked(self) -> bytes:
        """Return what was kept, for somebody else to send."""
        kept, self._unsent = bytes(self._unsent) + self._corked(), b""
        return kept

    def lend(self, feed: Feed) -> None:
        """Send what was written, and leave it to the feed what follows. Raises OSError as `flush`."""
        self.flush()
        with suppress(OSError):  # Not every kind of socket knows it.
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE)
        self.feed = feed

    def take_back(self) -> None:
        """Take the connection back from its feed, which is read no more."""
        feed, self.feed = self.feed, None
        if feed is not None:
            feed.close()

    def offer(self, data: bytes | memoryview) -> int:
        """Send what the client takes without waiting; return how many bytes. Raises OSError if it is gone."""
        try:
            sent = self._sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        self._sent += sent
        return sent

    def say(self, data: bytes) -> None:
        """Send a little at once and without waiting, to nobody if the client is gone or does not read."""
        try:
            self._sock.send(data, socket.MSG_DONTWAIT)
        except OSError:
            return

    def reset(self) -> None:
        """Let `close` drop what was sent and not taken, instead of keeping it for the client."""
        with suppress(OSError):  # Not every kind of socket knows it.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)

    def setblocking(self, flag: bool) -> None:
        """Take no notice: nothing ever waits here."""

    def gettimeout(self) -> float | None:
        """Return None, as for a socket that waits."""
        return None

    def _corked(self) -> bytes:
        written, self._written, self._size = self._written, [], 0
        return b"".join(written)
