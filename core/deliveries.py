"""Which results wait to be read: what keeps the machine on a little longer after the last job."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage
from core.executions import SCHEDULED_TASK

if TYPE_CHECKING:
    from core.clock import Clock


class Deliveries:
    """Remember the jobs that ended since the start and have not been read, for `linger` seconds each.

    Runs of schedules are not among them: nobody has submitted them, so nobody comes for their results.

    Kept in memory only: reading a result changes nothing on disk.
    """

    def __init__(self, events: EventBus, clock: Clock, *, linger: float) -> None:
        self._clock = clock
        self._linger = linger
        self._ended: dict[str, float] = {}
        self._lock = threading.Lock()
        for ending in ("completed", "failed"):
            events.subscribe(KERNEL, f"task.{ending}", self._note)

    def read(self, job_id: str) -> None:
        """Note that somebody has read how the job ended."""
        with self._lock:
            self._ended.pop(job_id, None)

    def unread(self) -> dict[str, float]:
        """Return the unread jobs, each with the boot-time seconds at which it is waited for no longer."""
        now = self._clock.boottime()
        with self._lock:
            self._ended = {job_id: end for job_id, end in self._ended.items() if end > now}
            return dict(self._ended)

    def _note(self, message: EventMessage) -> None:
        if SCHEDULED_TASK in message.payload.get("labels", {}):
            return  # The clock asked for it, and polls for nothing.
        with self._lock:
            self._ended[message.payload["job_id"]] = self._clock.boottime() + self._linger
