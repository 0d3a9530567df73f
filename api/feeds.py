"""Answers that go on for a while: what they are read from, and who sends them.

A server that spends no thread on them takes the connection over once the head is sent (`gunicorn_feeds`);
under any other, the thread that answers waits for each piece.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

from flask import Response, request

from api.errors import Refused

if TYPE_CHECKING:
    from api.places import Places
    from core.clock import Clock

GLANCE = 1.0  # seconds between two looks at a feed that has not rung

Lend = Callable[["Feed"], None]


class Feed(Protocol):
    """What the body of an answer is read from."""

    def read(self) -> bytes | None:
        """Return what is to be sent now, no bytes for nothing yet, None at the end. Never waits."""
        ...

    def when_more(self, ring: Callable[[], None]) -> None:
        """Call `ring`, from any thread, when there may be more to read."""
        ...

    def close(self) -> None:
        """Let go of everything: nobody reads any more. May be called again."""
        ...


def fed(response: Response, feed: Feed, clock: Clock) -> Response:
    """Return the response with a body that is read from the feed."""
    lend = _lender()
    has_end = "Content-Length" in response.headers or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
    if lend is not None and not has_end:
        feed = InChunks(feed)
    response.response = _Body(feed, clock, lend)
    return response


class InChunks:
    """A feed in the chunks by which HTTP/1.1 tells where a body of unknown length ends."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._has_ended = False
        self.when_more = feed.when_more
        self.close = feed.close

    def read(self) -> bytes | None:
        """Return the next piece as one chunk; the last one is empty."""
        if self._has_ended:
            return None
        piece = self._feed.read()
        self._has_ended = piece is None
        if piece is None:
            return b"0\r\n\r\n"
        return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


class Audience:
    """Count who reads feeds of a kind: `most` at a time, and where each holds a thread, as places allow."""

    def __init__(self, most: int, places: Places) -> None:
        self._most = most
        self._places = places
        self._seats: dict[object, bool] = {}  # whether it holds a thread, for each that is taken
        self._lock = threading.Lock()

    def seat(self) -> Callable[[], None]:
        """Count one in and return what counts it out again. Raises Refused when there is no room."""
        seat, holds_thread = object(), _lender() is None
        with self._lock:
            if len(self._seats) >= self._most or (holds_thread and not self._places.take()):
                message = "As many answers of this kind are on their way already as may be."
                raise Refused("too_many_streams", message, hint="Try again in a few seconds.")
            self._seats[seat] = holds_thread
        return partial(self._leave, seat)

    def _leave(self, seat: object) -> None:
        """Count one out, unless that was done before."""
        with self._lock:
            if self._seats.pop(seat, False):
                self._places.give_back()


class _Body:
    """The body of an answer; closes its feed, unless that was lent to the server."""

    def __init__(self, feed: Feed, clock: Clock, lend: Lend | None) -> None:
        self._feed = feed
        self._clock = clock
        self._lend = lend
        self._is_lent = False

    def __iter__(self) -> Iterator[bytes]:
        return self._waited_for() if self._lend is None else self._lent(self._lend)

    def close(self) -> None:
        if not self._is_lent:
            self._feed.close()

    def _lent(self, lend: Lend) -> Iterator[bytes]:
        yield b""  # for which the server sends the head
        lend(self._feed)
        self._is_lent = True

    def _waited_for(self) -> Iterator[bytes]:
        more = threading.Event()
        self._feed.when_more(more.set)
        while (piece := self._feed.read()) is not None:
            if piece:
                yield piece
            else:
                self._clock.wait(more, GLANCE)
                more.clear()
        self._feed.close()


def _lender() -> Lend | None:
    """Return how the server takes the connection of this request over, None when it does not."""
    lend: Lend | None = getattr(request.environ.get("gunicorn.socket"), "lend", None)
    return lend
