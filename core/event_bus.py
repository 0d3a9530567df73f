"""EventBus, EventMessage: publish, subscribe, listen. A listener's fault never reaches the publisher."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Protocol

from core import ambient
from core.clock import SystemClock
from core.errors import BusError, Unsupported
from core.event_message import EventMessage
from core.jobs import Json, Summary

__all__ = ["KERNEL", "Callback", "EventBus", "EventMessage", "LocalTransport", "Transport", "job_payload"]

#: The `source_agent` of what the kernel itself publishes.
KERNEL = "aafai-bus"

_BACKLOG = 10_000
_MOST_TYPES = 1_000  # of which it is remembered who listens

Callback = Callable[[EventMessage], None]


class Transport(Protocol):
    """Carry messages from publishers to receivers."""

    def send(self, message: EventMessage) -> None:
        """Hand the message to every receiver, without waiting for any disk or network.

        Raises InvalidRequest for a payload that cannot be carried.
        """
        ...

    def attach(self, receive: Callback, *, since: str | None = None) -> None:
        """Call `receive` with every message sent from now on, or after that message's cursor.

        Raises Unsupported for a cursor where nothing is kept, InvalidRequest for what is none.
        """
        ...

    def detach(self, receive: Callback) -> None:
        """Stop calling `receive`."""
        ...

    def close(self) -> None:
        """Carry what was sent, then let go of everything; what is sent or attached later begins anew."""
        ...


class LocalTransport:
    """Carry messages inside this process, in the publisher's thread."""

    def __init__(self) -> None:
        self._receivers: tuple[Callback, ...] = ()
        self._lock = threading.Lock()

    def send(self, message: EventMessage) -> None:
        """Hand the message to every receiver."""
        for receive in self._receivers:
            receive(message)

    def attach(self, receive: Callback, *, since: str | None = None) -> None:
        """Call `receive` with every message sent from now on."""
        if since is not None:
            raise Unsupported("since: this transport keeps no events.", hint="AAFAI_EVENTS=journal:… does.")
        with self._lock:
            self._receivers = (*self._receivers, receive)

    def detach(self, receive: Callback) -> None:
        """Stop calling `receive`."""
        with self._lock:
            self._receivers = tuple(known for known in self._receivers if known != receive)

    def close(self) -> None:
        """Do nothing: a message has arrived when it is sent."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    agent_name: str
    pattern: str
    callback: Callback | None

    def wants(self, message: EventMessage) -> bool:
        addressed = message.target_agent in (None, self.agent_name)
        return addressed and fnmatchcase(message.event_type, self.pattern)


class EventBus:
    """Publish events and receive those of others.

    Without a transport it speaks through that of its process: in a program beside the bus, and in an action,
    the one that the setting AAFAI_EVENTS names. Messages come in the order in which they were written there.
    """

    def __init__(self, transport: Transport | None = None) -> None:
        self._transport = transport or ambient.transport()
        self._clock = SystemClock()
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._changing = threading.Lock()
        #: Event type and addressee to the subscriptions that want such a message.
        self._listeners: dict[tuple[str, str | None], tuple[_Subscription, ...]] = {}
        self._inbox: queue.Queue[EventMessage] = queue.Queue(_BACKLOG)
        self._attached = False
        self._listened = False

    def publish(
        self,
        event_type: str,
        source_agent: str,
        payload: Mapping[str, Json] | None = None,
        target_agent: str | None = None,
    ) -> None:
        """Tell everybody, or one agent, that something happened; never raises because of a listener.

        Raises InvalidRequest when the event is to leave the process and is no JSON, or above 64 KiB.
        """
        message = EventMessage(
            event_type=event_type,
            source_agent=source_agent,
            target_agent=target_agent,
            payload=payload or {},
            timestamp=datetime.fromtimestamp(self._clock.now(), UTC).isoformat(),
        )
        self._transport.send(message)

    def subscribe(
        self,
        agent_name: str,
        event_type: str | None = None,
        callback: Callback | None = None,
        *,
        since: str | None = None,
    ) -> None:
        """Receive events whose type fits a pattern such as `task.*`, by callback or by `listen`.

        The first subscription may go on where an earlier program stopped: `since` is the cursor of the last
        message that it saw, on a transport that keeps them. Raises Unsupported on another one.
        """
        with self._changing:
            known = self._subscriptions
            self._listen_to(*known, _Subscription(agent_name, event_type or "*", callback))
            try:
                if not self._attached:
                    self._transport.attach(self._receive, since=since)
            except BusError:
                self._listen_to(*known)
                raise
            self._attached = True

    def listen(self, timeout: float | None = None) -> EventMessage | None:
        """Return the next event subscribed to; None after `timeout` seconds.

        From the first call on, events that go to a callback are returned here too. When more than 10,000
        events wait to be listened to, the oldest are dropped.
        """
        self._listened = True
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def unsubscribe(self, agent_name: str, event_type: str | None = None) -> None:
        """Drop the agent's subscriptions: those with that pattern, or all of them."""
        with self._changing:
            self._listen_to(
                *(
                    known
                    for known in self._subscriptions
                    if known.agent_name != agent_name
                    or (event_type is not None and known.pattern != event_type)
                )
            )

    def close(self) -> None:
        """Receive nothing more."""
        self._transport.detach(self._receive)
        self._attached = False
        self._listen_to()

    def _listen_to(self, *subscriptions: _Subscription) -> None:
        self._subscriptions = subscriptions
        self._listeners = {}

    def _listeners_of(self, message: EventMessage) -> tuple[_Subscription, ...]:
        known, kind = self._listeners, (message.event_type, message.target_agent)
        if kind not in known:
            if len(known) >= _MOST_TYPES:
                known.clear()
            known[kind] = tuple(one for one in self._subscriptions if one.wants(message))
        return known[kind]

    def _receive(self, message: EventMessage) -> None:
        kept = False
        for subscription in self._listeners_of(message):
            if subscription.callback is not None:
                _call(subscription.callback, message)
            if not kept and (self._listened or subscription.callback is None):
                kept = True
                self._keep(message)

    def _keep(self, message: EventMessage) -> None:
        while True:
            try:
                return self._inbox.put_nowait(message)
            except queue.Full:
                with suppress(queue.Empty):  # Whoever listens may have been quicker.
                    self._inbox.get_nowait()


def job_payload(job: Summary) -> dict[str, Json]:
    """Return what an event tells of a job: never its params or its result, which may be secret or large."""
    return {
        "job_id": job.id,
        "action": job.action,
        "queue": job.queue,
        "state": job.state.value,
        "attempt": job.attempt,
        "worker": job.worker,
        "seconds": _seconds(job),
        "progress": job.progress.fraction if job.progress else None,
        "error": {"code": job.error.code, "message": job.error.message} if job.error else None,
        "labels": dict(job.labels),
    }


def _seconds(job: Summary) -> float | None:
    if job.started_at is None or job.ended_at is None:
        return None
    return max(0.0, job.ended_at - job.started_at)


def _call(callback: Callback, message: EventMessage) -> None:
    try:
        callback(message)
    except (Exception, SystemExit):  # noqa: BLE001  It must not reach the publisher, nor end the reader's thread.
        sys.excepthook(*sys.exc_info())
