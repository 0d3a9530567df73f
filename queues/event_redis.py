"""Events by way of Redis: publish and subscribe on `events:{agent}` and `events:broadcast`, as JSON.

Whoever listens at that moment hears; nothing is kept. Other programs need nothing of ours to take part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.errors import ConfigError, Unsupported
from core.event_message import LONGEST, EventMessage, decoded, encoded
from queues.event_outgoing import Complain, Outgoing

Receive = Callable[[EventMessage], object]

#: The channel of messages for one agent is PREFIX and its name.
PREFIX = "events:"
BROADCAST = "events:broadcast"

_TIMEOUT = 5.0  # seconds for a connection, and for an answer
_CONFIRMED = 2.0  # seconds that `attach` waits until Redis has heard of it
_LOOK = 1.0  # seconds between two looks whether to go on listening
_RETRY = 1.0  # seconds between two tries to connect


class RedisEvents:
    """Carry messages through a Redis server. A server that is away delays nobody and is said once."""

    def __init__(self, url: str, *, complain: Complain = lambda sentence: None) -> None:
        self._url = url
        self._server = _server(url)
        self._complain = complain
        self._outgoing = Outgoing(self._publish, name="event publisher", complain=complain)
        self._lock = threading.Lock()
        self._receivers: tuple[Receive, ...] = ()
        self._listener: _Listener | None = None

    def send(self, message: EventMessage) -> None:
        """Have the message published soon. Raises InvalidRequest for a payload that cannot be."""
        channel = BROADCAST if message.target_agent is None else PREFIX + message.target_agent
        # The channel has no line break: the first one ends it.
        self._outgoing.send(channel.replace("\n", " ").encode() + b"\n" + encoded(message))

    def attach(self, receive: Receive, *, since: str | None = None) -> None:
        """Call `receive` with every message published from now on, in a thread."""
        if since is not None:
            raise Unsupported("since: Redis keeps no events.", hint="AAFAI_EVENTS=journal:… does.")
        with self._lock:
            self._receivers = (*self._receivers, receive)
            if self._listener is None:
                # It has a client of its own, which it closes itself: closing breaks what others read.
                self._listener = _Listener(_server(self._url), self._hand_over, self._complain)
            listener = self._listener
        listener.heard_of.wait(_CONFIRMED)

    def detach(self, receive: Receive) -> None:
        """Stop calling `receive`."""
        with self._lock:
            self._receivers = tuple(known for known in self._receivers if known != receive)
            if not self._receivers:
                self._hang_up()

    def close(self) -> None:
        """Publish what was sent, and let go of all connections."""
        with self._lock:
            self._receivers = ()
            self._hang_up()
        if self._outgoing.close():
            self._server.close()

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def _hand_over(self, message: EventMessage) -> None:
        for receive in self._receivers:
            receive(message)

    def _publish(self, lines: Sequence[bytes]) -> None:
        """Publish a batch. Raises OSError when the server does not take it, asked twice."""
        try:
            self._publish_once(lines)
        except RedisError:  # The connection may have grown old since the last time.
            try:
                self._publish_once(lines)
            except RedisError as error:
                raise OSError(f"Redis: {error}") from error

    def _publish_once(self, lines: Sequence[bytes]) -> None:
        with self._server.pipeline(transaction=False) as pipeline:
            for line in lines:
                channel, _, text = line.partition(b"\n")
                pipeline.publish(channel, text)
            pipeline.execute()


class _Listener:
    """A thread that listens to every channel of events, and comes back when the connection breaks."""

    def __init__(self, server: Redis, hand_over: Receive, complain: Complain) -> None:
        self._server = server
        self._hand_over = hand_over
        self._complain = complain
        #: Set once the server has confirmed the subscription.
        self.heard_of = threading.Event()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="event subscriber", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; the thread notices within a second."""
        self._stopped.set()

    def _run(self) -> None:
        trouble = False
        while not self._stopped.is_set():
            try:
                with self._server.pubsub() as line:  # type: ignore[no-untyped-call]
                    line.psubscribe(f"{PREFIX}*")
                    while not self._stopped.is_set():
                        self._take(line.get_message(timeout=_LOOK))
                        trouble = False
            except (RedisError, OSError) as error:
                if not (trouble or self._stopped.is_set()):
                    trouble = True
                    self._complain(f"Events cannot be heard: Redis: {error}.")
                self._stopped.wait(_RETRY)
        self._server.close()

    def _take(self, said: dict[str, Any] | None) -> None:
        if said is None:
            return
        if said["type"] == "psubscribe":
            self.heard_of.set()
        elif said["type"] == "pmessage" and len(said["data"]) <= LONGEST and (heard := decoded(said["data"])):
            self._hand_over(_addressed(heard, said["channel"].decode(errors="replace")))


def _addressed(message: EventMessage, channel: str) -> EventMessage:
    """Return the message with the addressee that its channel names, if it names none itself."""
    if channel == BROADCAST or message.target_agent is not None:
        return message
    return replace(message, target_agent=channel.removeprefix(PREFIX))


def _server(url: str) -> Redis:
    """Return a client that never retries by itself: waiting is this file's, so that it can be bounded."""
    try:
        return Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=30,
        )
    except ValueError as error:
        raise ConfigError(f"AAFAI_EVENTS: {error}", hint="Write as in redis://localhost:6379/0.") from error
