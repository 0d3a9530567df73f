"""Stand-ins for what tests must steer: time."""

from __future__ import annotations

import threading

from tests.factories import NOW


class FakeClock:
    """A clock that stands still until `advance` moves it; `wait` advances to its timeout at once."""

    def __init__(self, now: float = NOW) -> None:
        self.wall = now
        self.steady = 1_000.0
        self.boot = 1_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def boottime(self) -> float:
        return self.boot

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        if not event.is_set() and timeout is not None:
            self.advance(timeout)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        self.boot += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock only, as a bad NTP server or a person does."""
        self.wall += seconds
