"""gunicorn's threaded worker, which here spends a thread only on a request that has arrived whole.

Until then a client costs one file descriptor: the event loop gathers its bytes, up to a deadline. What the loop
cannot take in (too long, broken, too late, too many) it refuses in the JSON shape of the bus.
"""

from __future__ import annotations

import socket
from collections import Counter
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http, util
from gunicorn.workers import gthread

from api.errors import Refused
from api.framing import Incoming
from api.gunicorn_answers import refusal, write_error
from api.gunicorn_connection import Connection, received
from api.gunicorn_trial import trouble_with
from core.clock import Clock, SystemClock

_LONG = 65_536  # bytes


class GatheringWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Gather whole requests in the event loop; become gunicorn's own worker where its insides have changed.

    Everything here but `handle`, which is gunicorn's, runs in the main thread.
    """

    #: The largest request body, in bytes.
    max_body = 10 << 20
    #: Seconds from the first byte of a request to its last.
    deadline = 10.0
    #: Seconds for a client to take its answer and close, before it is closed.
    linger = 2.0
    #: How many connections one address may have. Behind a proxy all clients have the proxy's.
    most_per_address = 256
    #: Bytes of unfinished requests that are held before the long ones among them are refused.
    most_held = 128 << 20
    clock: Clock = SystemClock()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        #: Connections whose request is not yet whole → when they are given up; the earliest is first.
        self.gathering: dict[Connection, float] = {}
        #: Connections that were answered for the last time → when they are closed; the earliest is first.
        self.lingering: dict[Connection, float] = {}
        #: Address → its open connections.
        self.addresses: Counter[str] = Counter()
        self.held = 0

    def init_process(self) -> None:
        """Serve until told to stop."""
        util.write_error = write_error
        if trouble := trouble_with(self):
            self.log.warning("stalled clients may take up all threads: %s", trouble)
            self.__class__ = gthread.ThreadWorker
        gthread.ThreadWorker.init_process(self)

    def accept(self, listener: socket.socket) -> None:
        """Take in a client, unless its address has too many connections."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._give_up_oldest()  # Most likely the file descriptors have run out.
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, address, listener.getsockname(), worker=self)
        if self.addresses[conn.host] >= self.most_per_address and conn.host:
            conn.say(refusal("too_many_connections", f"{conn.host} has {self.most_per_address} connections."))
        self.addresses[conn.host] += 1

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Begin the next request of a connection that was kept alive."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
