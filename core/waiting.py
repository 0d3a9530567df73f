"""Who waits for which job to end, and is told the moment it does."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.event_bus import KERNEL, EventBus, EventMessage


class Waiting:
    """Keep an alarm for each request that waits for a job."""

    def __init__(self, events: EventBus) -> None:
        self._alarms: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._closed = False
        for ending in ("completed", "failed", "cancelled"):
            events.subscribe(KERNEL, f"task.{ending}", self._ring)

    @contextmanager
    def alarm(self, job_id: str) -> Iterator[threading.Event]:
        """Hold an event that is set when the job ends in this process."""
        alarm = threading.Event()
        with self._lock:
            self._alarms.setdefault(job_id, []).append(alarm)
        try:
            yield alarm
        finally:
            with self._lock:
                self._alarms[job_id].remove(alarm)
                if not self._alarms[job_id]:
                    del self._alarms[job_id]

    @property
    def closed(self) -> bool:
        """Whether nobody may wait any more."""
        return self._closed

    def close(self) -> None:
        """Let everybody go who waits, and whoever comes later too."""
        self._closed = True
        with self._lock:
            for alarm in itertools.chain.from_iterable(self._alarms.values()):
                alarm.set()

    def _ring(self, message: EventMessage) -> None:
        with self._lock:
            for alarm in self._alarms.get(message.payload["job_id"], ()):
                alarm.set()
