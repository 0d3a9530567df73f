"""gunicorn's threaded worker, which here spends a thread only on a request that has arrived whole.

Until then a client costs one file descriptor: its bytes are gathered by the event loop, up to a deadline. What the
loop cannot take in (too long, broken, too late, too many) it refuses in the JSON shape of the bus.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http, util
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.workers import gthread

from api.errors import Refused, refusal_of
from api.framing import MOST_HEAD, Incoming
from api.gunicorn_trial import trouble_with
from core.clock import Clock, SystemClock

_AT_ONCE = 65_536  # bytes
_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
#: Codes of refusals that only this file knows → their status.
_STATUS = {"request_timeout": 408, "too_many_connections": 429, "server_busy": 503}


class GatheringWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Gather whole requests in the event loop. Start as gunicorn's own worker where that has changed too much."""

    #: The largest request body, in bytes.
    max_body = 10 << 20
    #: Seconds from the first byte of a request to its last.
    deadline = 10.0
    #: Seconds in which a client may take its answer and close, before it is closed.
    linger = 2.0
    #: How many connections one address may have; behind a proxy, all clients have the proxy's.
    most_per_address = 256
    #: Bytes of unfinished requests that are held before the long ones among them are refused.
    most_held = 128 << 20
    clock: Clock = SystemClock()

    def init_process(self) -> None:
        """Serve until told to stop, after a trial of gunicorn's insides."""
        util.write_error = write_error
        if trouble := trouble_with(self):
            self.log.warning("stalled clients can take up all threads: gunicorn has changed: %s", trouble)
            self.__class__ = gthread.ThreadWorker
        self.prepare()
        super(self.__class__, self).init_process() if False else None
