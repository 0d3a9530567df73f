"""The one place that reads a clock, so that tests can move time."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, in three ways, and how to wait."""

    def now(self) -> float:
        """Return Unix seconds: for records and people; may jump either way."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back and stand still while the machine sleeps: for timeouts."""
        ...

    def boottime(self) -> float:
        """Return seconds since boot, sleep included, that never go back: for idling and uptime."""
        ...

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Wait until `event` is set or `timeout` seconds have passed; return whether it is set."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def boottime(self) -> float:
        """Return CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Wait on the event itself."""
        return event.wait(timeout)


def seconds_slept(clock: Clock) -> float:
    """Return the seconds that the machine has slept since it booted, which only one of its clocks counts."""
    return clock.boottime() - clock.monotonic()
