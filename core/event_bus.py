"""EventBus, EventMessage: publish, subscribe, listen. A listener's fault never reaches the publisher."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Protocol

from core.clock import SystemClock
from core.jobs import Json, Summary

#: The `source_agent` of what the kernel itself publishes.
KERNEL = "aafai-bus"

_BACKLOG = 10_000
_MOST_TYPES = 1_000  # of which it is remembered who listens


@dataclass(frozen=True, kw_only=True, slots=True)
class EventMessage:
    """Something that happened."""

    #: `{agent}.{action}`, `task.{status}` or `system.{event}`.
    event_type: str
    #: Who says it.
    source_agent: str
    #: Who alone is to hear it; None for everybody.
    target_agent: str | None = None
    payload: Mapping[str, Json] = field(default_factory=dict)
    #: When, in ISO 8601 with a time zone.
    timestamp: str = ""


Callback = Callable[[EventMessage], None]


class Transport(Protocol):
    """Carry messages from publishers to receivers."""

    def send(self, message: EventMessage) -> None:
        """Hand the message to every receiver."""
        ...

    def attach(self, receive: Callback) -> None:
        """Call `receive` with every message sent from now on."""
        ...

    def detach(self, receive: Callback) -> None:
        """Stop calling `receive`."""
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

    def attach(self, receive: Callback) -> None:
        """Call `receive` with every message sent from now on."""
        with self._lock:
            self._receivers = (*self._receivers, receive)

    def detach(self, receive: Callback) -> None:
        """Stop calling `receive`."""
        with self._lock:
            self._receivers = tuple(known for known in self._receivers if known != receive)


_local = LocalTransport()


@dataclass(frozen=True, slots=True)
class _Subscription:
    agent_name: str
    pattern: str
    callback: Callback | None

    def wants(self, message: EventMessage) -> bool:
        addressed = message.target_agent in (None, self.agent_name)
        return addressed and fnmatchcase(message.event_type, self.pattern)


class EventBus:
    """Publish events and receive those of others; `EventBus()` objects of one process hear each other."""

    def __init__(self, transport: Transport | None = None) -> None:
        self._transport = transport or _local
        self._clock = SystemClock()
        self._subscriptions: tuple[_Subscription, ...] = ()
        #: Event type and addressee to the subscriptions that want such a message.
        self._listeners: dict[tuple[str, str | None], tuple[_Subscription, ...]] = {}
        self._inbox: queue.Queue[EventMessage] = queue.Queue(_BACKLOG)
        self._attached = False

    def publish(
        self,
        event_type: str,
        source_agent: str,
        payload: Mapping[str, Json] | None = None,
        target_agent: str | None = None,
    ) -> None:
        """Tell everybody, or one agent, that something happened; never raises because of a listener."""
        message = EventMessage(
            event_type=event_type,
            source_agent=source_agent,
            target_agent=target_agent,
            payload=payload or {},
            timestamp=datetime.fromtimestamp(self._clock.now(), UTC).isoformat(),
        )
        self._transport.send(message)

    def subscribe(
        self, agent_name: str, event_type: str | None = None, callback: Callback | None = None
    ) -> None:
        """Receive events whose type fits a pattern such as `task.*`, by callback or by `listen`."""
        if not self._attached:
            self._attached = True
            self._transport.attach(self._receive)
        self._listen_to(*self._subscriptions, _Subscription(agent_name, event_type or "*", callback))

    def listen(self, timeout: float | None = None) -> EventMessage | None:
        """Return the next event subscribed to without a callback; None after `timeout` seconds.

        When more than 10,000 events wait to be listened to, the oldest are dropped.
        """
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def unsubscribe(self, agent_name: str, event_type: str | None = None) -> None:
        """Drop the agent's subscriptions: those with that pattern, or all of them."""
        self._listen_to(
            *(
                known
                for known in self._subscriptions
                if known.agent_name != agent_name or (event_type is not None and known.pattern != event_type)
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
        for subscription in self._listeners_of(message):
            if subscription.callback is None:
                self._keep(message)
            else:
                _call(subscription.callback, message)

    def _keep(self, message: EventMessage) -> None:
        while True:
            try:
                return self._inbox.put_nowait(message)
            except queue.Full:
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
    except Exception:  # noqa: BLE001  One listener's fault must not reach the publisher or the other listeners.
        sys.excepthook(*sys.exc_info())
