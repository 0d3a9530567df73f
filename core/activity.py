"""When something last happened: a job came in or ended. Polls, dashboards and health checks never count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage

if TYPE_CHECKING:
    from core.clock import Clock

_WORK = ("queued", "completed", "failed", "cancelled", "retrying")


class Activity:
    """Remember the last work on the boot-time clock, which no adjustment of the time of day moves."""

    def __init__(self, events: EventBus, clock: Clock) -> None:
        self._clock = clock
        #: When, in seconds since boot, sleep included; None when nothing happened since the service started.
        self.last: float | None = None
        #: What was counted at the last look, and the last work that was known then.
        self._counted: tuple[tuple[int, int], float | None] | None = None
        for status in _WORK:
            events.subscribe(KERNEL, f"task.{status}", self._note)

    def note_counts(self, waiting: int, running: int) -> None:
        """Note as work that jobs came or went of which nobody here has told: another process may run them."""
        counts = waiting, running
        if self._counted is not None and counts != self._counted[0] and self.last == self._counted[1]:
            self.last = self._clock.boottime()
        self._counted = counts, self.last

    def _note(self, message: EventMessage) -> None:
        self.last = self._clock.boottime()
