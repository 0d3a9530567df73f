"""gunicorn's threaded worker, which here spends a thread only on a request that has arrived whole.

Until then a client costs one file descriptor: the event loop gathers its bytes, up to a deadline. What the
loop cannot take in (too long, broken, too late, too many) it refuses in the JSON shape of the bus.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.workers import gthread

from api.errors import Refused
from api.framing import Incoming
from api.gunicorn_connection import Connection, write_error
from api.gunicorn_trial import trouble_with
from core.clock import Clock, SystemClock

_LONG = 65_536  # bytes
_TRY_AGAIN = "Try again in a few seconds."


class GatheringWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Gather whole requests in the event loop; become gunicorn's own worker where its insides have changed.

    All methods run in the main thread; only `handle`, which is gunicorn's, runs in the others.
    """

    #: The largest request body, in bytes.
    max_body = 10 << 20
    #: Seconds from the first byte of a request to its last.
    deadline = 10.0
    #: Seconds for a client to take its last answer and close, before it is closed.
    linger = 2.0
    #: How many connections one address may have. Behind a proxy all clients have the proxy's.
    most_per_address = 256
    #: Bytes of unfinished requests that are held before the long ones among them are refused.
    most_held = 128 << 20
    clock: Clock = SystemClock()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        #: Connections whose request is not whole → when they are given up; the earliest comes first.
        self.gathering: dict[Connection, float] = {}
        #: Connections that had their last answer → when they are closed; the earliest comes first.
        self.lingering: dict[Connection, float] = {}
        #: Address → how many connections it has.
        self.addresses: Counter[str] = Counter()
        #: How many bytes the unfinished requests have together.
        self.held = 0

    def init_process(self) -> None:
        """Serve until told to stop."""
        util.write_error = write_error
        if trouble := trouble_with(self):
            self.log.warning("stalled clients may hold up all threads: %s", trouble)
            self.__class__ = gthread.ThreadWorker
        gthread.ThreadWorker.init_process(self)

    def accept(self, listener: socket.socket) -> None:
        """Take in a client, unless its address has too many connections."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # No file descriptor is left, or no memory.
            self._make_room()
            return
        conn = Connection(self, sock, address, listener.getsockname())
        self.nr_conns += 1
        self.addresses[conn.host] += 1
        if conn.host and self.addresses[conn.host] > self.most_per_address:
            message = f"Your address has {self.most_per_address} connections already."
            conn.refuse(Refused("too_many_connections", message, hint="Close some, or reuse them."))
            self._drop(conn)
        else:
            self._wait(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Begin the next request of a connection that was kept alive."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        data, conn.surplus = conn.surplus or conn.read(), b""
        if data is None:
            self._wait(conn)
        else:
            self._gather(conn, data)

    def finish_request(self, conn: Connection, future: Future[Any]) -> None:
        """Go on with what the client had already sent behind the request that was answered."""
        super().finish_request(conn, future)
        if conn.surplus and self.keepalived_conns and self.keepalived_conns[-1] is conn:
            self.on_client_socket_readable(conn, conn.sock)

    def murder_pending(self) -> None:
        """Close the connections whose time is up."""
        super().murder_pending()
        if not (self.gathering or self.lingering):
            return
        now = self.clock.monotonic()
        for conn in _due(self.gathering, now):
            self._give_up(conn)
        for conn in _due(self.lingering, now):
            self._forget_lingering(conn)

    def let_linger(self, conn: Connection) -> None:
        """Close a connection once its client has, without waiting: a reset must not overtake the answer."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_late_bytes, conn))
        except (OSError, ValueError):  # It is closed already.
            conn.close()
            return
        self.nr_conns += 1
        self.lingering[conn] = self.clock.monotonic() + self.linger

    def _cap_keepalive(self, deadline: float) -> None:
        """Give no more time to unfinished requests than to idle connections when the worker stops."""
        super()._cap_keepalive(deadline)
        for conn, at in self.gathering.items():
            self.gathering[conn] = min(at, deadline)

    def _on_bytes(self, conn: Connection, _: socket.socket) -> None:
        data = conn.read()
        if data is not None:
            self._gather(conn, data)

    def _gather(self, conn: Connection, data: bytes) -> None:
        """Add what came to the connection's request; run it, refuse it, or wait for more."""
        if not data:
            self._give_up_cut_off(conn)
            return
        before = conn.incoming.size
        try:
            conn.surplus = conn.incoming.receive(data)
        except Refused as refused:
            self.held += conn.incoming.size - before
            self._turn_away(conn, refused)
            return
        self.held += conn.incoming.size - before
        if conn.incoming.whole:
            self._run(conn)
        elif self.held > self.most_held and conn.incoming.size > _LONG:
            self._turn_away(conn, Refused("server_busy", "Too much is being sent at once.", hint=_TRY_AGAIN))
        else:
            self._wait(conn, anew=not before)
            conn.answer_expectation()

    def _run(self, conn: Connection) -> None:
        self._stop_gathering(conn)
        conn.hand_over(Incoming(self.max_body))
        self.enqueue_req(conn)

    def _wait(self, conn: Connection, *, anew: bool = False) -> None:
        """Wait for more bytes of a request; the deadline counts from the call unless it runs already."""
        if conn not in self.gathering:
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_bytes, conn))
        elif anew:
            del self.gathering[conn]
        else:
            return
        self.gathering[conn] = self.clock.monotonic() + (self.deadline if self.alive else self.linger)

    def _give_up(self, conn: Connection) -> None:
        if not conn.incoming.size:
            self._drop(conn)
            return
        message = f"The request did not arrive within {self.deadline:g} seconds."
        self._turn_away(conn, Refused("request_timeout", message, hint="Nothing was queued: send it again."))

    def _give_up_cut_off(self, conn: Connection) -> None:
        if conn.incoming.size:
            self._turn_away(conn, conn.incoming.cut_off())
        else:
            self._drop(conn)

    def _make_room(self) -> None:
        for conn in list(self.gathering)[:1]:
            self._drop(conn)

    def _turn_away(self, conn: Connection, refused: Refused) -> None:
        self._stop_gathering(conn)
        conn.refuse(refused)
        self.nr_conns -= 1
        conn.close(graceful=True)

    def _drop(self, conn: Connection) -> None:
        self._stop_gathering(conn)
        self.nr_conns -= 1
        conn.close()

    def _stop_gathering(self, conn: Connection) -> None:
        self.held -= conn.incoming.size
        if self.gathering.pop(conn, None) is not None:
            self.poller.unregister(conn.sock)

    def _on_late_bytes(self, conn: Connection, _: socket.socket) -> None:
        if conn.read() == b"":
            self._forget_lingering(conn)

    def _forget_lingering(self, conn: Connection) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _due(waiting: dict[Connection, float], now: float) -> Iterator[Connection]:
    """Yield the connections whose time is up, each of which the caller takes out."""
    while waiting and waiting[conn := next(iter(waiting))] <= now:
        yield conn
