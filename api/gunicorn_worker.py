"""gunicorn's threaded worker, which here spends a thread only on a request that has arrived whole.

Until then a client costs one file descriptor. All threads wait for the same events, and each event goes to
one of them: it reads what has come and, if a request is whole by then, answers it in the same breath. To hand
it to another thread would cost more than Flask does. Nor does an answer keep its thread: what its client does
not take at once is an event of its own. The main thread only keeps the time. What cannot be taken in (too
long, broken, too late, too many) is refused in the JSON shape of the bus.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers import gthread

from api.errors import Refused
from api.framing import Incoming
from api.gunicorn_connection import Connection, write_error
from api.gunicorn_crowd import Crowd
from api.gunicorn_door import NOT_YET, ONCE, ROOM, Door
from api.gunicorn_feeds import Feeds
from api.gunicorn_threads import Threads
from api.gunicorn_trial import trouble_with
from core.clock import Clock, SystemClock
from core.errors import BusError

_LONG = 65_536  # bytes
_TRY_AGAIN = "Try again in a few seconds."


class GatheringWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Gather whole requests without waiting; become gunicorn's own worker where its insides have changed."""

    #: The largest request body, in bytes.
    max_body = 10 << 20
    #: Seconds from the first byte of a request to its last.
    deadline = 10.0
    #: Seconds for a client to take its last answer and close, before it is closed.
    linger = 2.0
    #: How many connections one address may have. Behind a proxy all clients have the proxy's.
    most_per_address = 256
    #: Seconds after which a client has to have taken some of its answer, and bytes in each of them.
    patience, least_rate = 15.0, 4096
    #: Bytes of unfinished requests and unread answers that are held before the slowest readers of long
    #: answers are given up, and then long requests are refused.
    most_held = 128 << 20
    clock: Clock = SystemClock()
    #: What all threads wait for, and the threads; made after the fork.
    events: select.epoll
    threads: Threads

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.crowd = Crowd()
        self.door = Door(self)
        self.feeds = Feeds(self)
        #: Asked about once a second: which threads are held up, and what to tell their clients.
        self.held_up: Callable[[], Mapping[int, BusError]] = dict

    def init_process(self) -> None:
        """Serve until told to stop."""
        util.write_error = write_error
        if trouble := trouble_with(self):
            self.log.warning("stalled clients may hold up all threads: %s", trouble)
            self.__class__ = gthread.ThreadWorker
        gthread.ThreadWorker.init_process(self)

    def run(self) -> None:
        """Keep the time while the threads serve."""
        self.events = select.epoll()
        self.threads = Threads(self.events, self.serve)
        self.threads.start(self.cfg.threads)
        super().run()
        self.threads.stop()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Let clients in from now on, or no more, or no more for good when the worker stops."""
        self.door.set(is_open=enabled)
        self._accepting = enabled
        if not (self.alive and self.ppid == os.getppid()):
            self.door.lock()
            self.nr_conns = self.crowd.size  # Else gunicorn would not wait for whom the door took in at last.

    def murder_pending(self) -> None:
        """Give up whose time is up, and tell gunicorn's loop how things stand."""
        for conn in self.crowd.taken_late(self.clock.monotonic()):
            self._with(conn, self._give_up)
        for thread, conn, error in self.crowd.taken_over(self.held_up):
            self.threads.replace(thread)
            self._with(conn, partial(self._turn_away, error))
        self.nr_conns, self._accepting = self.crowd.size, self.door.is_open

    def _cap_keepalive(self, deadline: float) -> None:
        """Give resting connections no more time than until then: the worker stops."""
        self.crowd.hurry(deadline)

    def serve(self, descriptor: int) -> None:
        """Do what an event on a listener or on a connection calls for."""
        if not self.door.answers(descriptor) and (conn := self.crowd.taken(descriptor)):
            self._with(conn, self._hear)

    def welcome(self, conn: Connection) -> None:
        """Wait for a client's first request, unless its address has too many connections."""
        too_many = self.crowd.enter(conn) > self.most_per_address
        self._with(conn, self._refuse_one_more if too_many else self._expect_first)

    def make_room(self) -> None:
        """Drop the connection that has been resting longest, to have its descriptor."""
        for conn in self.crowd.taken_oldest():
            self._forget(conn)

    def after_feed(self, conn: Connection, *, keeps: bool) -> None:
        """Go on with a connection that was lent to a feed: to its next request, or to its end."""
        self._with(conn, self._expect_next if keeps else self._let_linger)

    def drop(self, conn: Connection) -> None:
        """Close a connection whose client is gone."""
        self._with(conn, self._forget)

    def _expect_first(self, conn: Connection) -> None:
        self.events.register(conn.sock, NOT_YET)
        conn.gives_up_at = self._in(self.deadline)
        self._let_rest(conn)

    def _expect_next(self, conn: Connection) -> None:
        conn.gives_up_at = self._in(self.cfg.keepalive)
        self._let_rest(conn)

    def _hear(self, conn: Connection) -> None:
        if conn.sock.unsent and not conn.is_lingering:
            self._send_on(conn)
            return
        data = conn.read()
        if data is None or (data and conn.is_lingering):
            self._let_rest(conn)
        elif data:
            self._gather(conn, data)
        elif conn.is_lingering or not conn.incoming.size:
            self._forget(conn)
        else:
            self._turn_away(conn.incoming.cut_off(), conn)

    def _gather(self, conn: Connection, data: bytes) -> None:
        """Add what came to the connection's request; answer that if it is whole, and what came behind it."""
        while data:
            if not conn.incoming.size:
                conn.gives_up_at = self._in(self.deadline)
            try:
                data = conn.incoming.receive(data)
            except Refused as refused:
                self._turn_away(refused, conn)
                return
            if conn.incoming.whole and not self._answer(conn, data):
                return
        self.crowd.hold(conn, conn.incoming.size)
        if conn.held > _LONG and self._holds_too_much():
            self._turn_away(Refused("server_busy", "Too much is being sent at once.", hint=_TRY_AGAIN), conn)
            return
        conn.answer_expectation()
        self._let_rest(conn)

    def _answer(self, conn: Connection, behind: bytes) -> bool:
        """Let the app answer the request that came; return whether another one may follow at once."""
        self.crowd.hold(conn, 0)
        conn.hand_over(Incoming(self.max_body))
        self.crowd.begin(conn)
        conn.keeps = self.handle(conn)
        self.crowd.end()
        if conn.is_taken_over:
            return False
        if conn.sock.feed is not None:
            self.feeds.take(conn, keeps=conn.keeps and not behind)
            return False
        is_reached = conn.flush()
        if is_reached and conn.sock.unsent:
            conn.behind = behind
            self._wait_for_room(conn)
            return False
        if not (is_reached and conn.keeps):
            self._let_linger(conn)
            return False
        conn.gives_up_at = self._in(self.cfg.keepalive)
        return True

    def _wait_for_room(self, conn: Connection) -> None:
        """Send the rest of an answer as its client takes it, and answer nothing else before."""
        self.crowd.hold(conn, conn.sock.kept + len(conn.behind))
        conn.watch(self.clock.monotonic())
        conn.gives_up_at = self._in(self.patience)
        self._let_rest(conn, ROOM)
        self._holds_too_much()

    def _send_on(self, conn: Connection) -> None:
        """Send what there is room for; once that was all, go on with what came behind the request."""
        if not conn.flush():
            self._forget(conn)
        elif conn.sock.unsent:
            self._let_rest(conn, ROOM)
        elif conn.keeps:
            data, conn.behind = conn.behind, b""
            conn.gives_up_at = self._in(self.cfg.keepalive)
            self._gather(conn, data)
        else:
            self._let_linger(conn)

    def _look_after(self, conn: Connection) -> None:
        """Break an answer off whose client has hardly taken any of it since it was last looked after."""
        seconds = self.clock.monotonic() - conn.watched_since
        if conn.taken < seconds * self.least_rate:
            self._break_off(conn)
        else:
            self._wait_for_room(conn)

    def _holds_too_much(self) -> bool:
        """Return whether more is held than may be, even after slow readers were given up."""
        while self.crowd.held > self.most_held and (slowest := self.crowd.taken_slowest(_LONG)):
            for conn in slowest:
                self._with(conn, self._break_off)
        return self.crowd.held > self.most_held

    def _in(self, seconds: float) -> float:
        """Return that moment; it is not far when the worker stops."""
        return self.clock.monotonic() + (seconds if self.alive else min(seconds, self.linger))

    def _let_rest(self, conn: Connection, until: int = ONCE) -> None:
        """Wait for more from the client, or for room; whoever hears of it has the connection then."""
        descriptor = self.crowd.rest(conn)
        try:
            self.events.modify(descriptor, until)
        except OSError:  # Its time was up, and the main thread has closed it already.
            return

    def _give_up(self, conn: Connection) -> None:
        if conn.sock.unsent and not conn.is_lingering:
            self._look_after(conn)
            return
        if conn.is_lingering or not conn.incoming.size:
            self._forget(conn)
            return
        message = f"The request did not arrive within {self.deadline:g} seconds."
        self._turn_away(Refused("request_timeout", message, hint="Nothing was queued: send it again."), conn)

    def _refuse_one_more(self, conn: Connection) -> None:
        message = f"Your address has {self.most_per_address} connections already."
        conn.refuse(Refused("too_many_connections", message, hint="Close some, or reuse them."))
        self._forget(conn)

    def _turn_away(self, error: BusError, conn: Connection) -> None:
        conn.refuse(error)
        self._let_linger(conn)

    def _let_linger(self, conn: Connection) -> None:
        """Close a connection once its client has, without waiting: a reset must not overtake the answer."""
        self.crowd.hold(conn, 0)
        if conn.say_no_more():
            conn.gives_up_at = self._in(self.linger)
            self._let_rest(conn)
        else:
            self._forget(conn)

    def _break_off(self, conn: Connection) -> None:
        """Close a connection whose client does not read; the machine is to keep nothing for it either."""
        conn.sock.reset()
        self._forget(conn)

    def _forget(self, conn: Connection) -> None:
        conn.close()
        self.crowd.leave(conn)
        if not self.door.is_open:
            # The main thread waits for room, or for the last one to go.
            self.method_queue.defer(_look_around)

    def _with(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Take a step with a connection; one that goes wrong costs this connection, not the thread."""
        try:
            step(conn)
        except BaseException:
            self.log.exception("A connection was closed.")
            self.crowd.end()
            if not conn.is_taken_over:
                self._forget(conn)


def _look_around() -> None:
    """Do nothing: whatever is called in gunicorn's loop makes it look around."""
