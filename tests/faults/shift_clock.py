"""A wall clock that jumps while a process under test runs: the test leads, the process follows, by a file."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

from core.clock import SystemClock

#: Seconds by which two readings of the machine's own clocks may disagree.
_NOISE = 0.05


class FollowingClock(SystemClock):
    """A clock of the process: its wall clock is ahead of the true one by the seconds that the file says."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def now(self) -> float:
        (ahead,) = struct.unpack("d", os.pread(self._number, 8, 0))
        return time.time() + float(ahead)


class LeadingClock:
    """The test's end of such a clock, which remembers what it showed when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: CLOCK_MONOTONIC in seconds before and after a jump, and how far ahead the clock was from then on.
        self._jumps: list[tuple[float, float, float]] = []
        self.jump_to(0.0)

    def jump_to(self, ahead: float) -> None:
        """Let the clock be that far ahead of the true time from now on."""
        before = time.monotonic()
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("d", ahead))
        # Meanwhile a process may have seen either, and the test may have been held up anywhere.
        self._jumps.append((before, time.monotonic(), ahead))

    def now(self) -> float:
        """Return what the clock shows, in Unix seconds."""
        return time.time() + self._jumps[-1][2]

    def has_shown(self, due: float, *, since: float, until: float) -> bool:
        """Return whether the clock showed `due` or later at some moment between two of CLOCK_MONOTONIC."""
        wall_minus_steady = time.time() - time.monotonic()
        ends = [after for _, after, _ in self._jumps[1:]] + [until]
        return any(
            min(end, until) + wall_minus_steady + ahead + _NOISE >= due
            for (begin, _, ahead), end in zip(self._jumps, ends, strict=True)
            if end >= since and begin <= until
        )
