"""What other idle times would have done: the recorded bursts of work, played again. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.bursts import Burst
from core.sessions import LEAST_BILLED


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit:
    """How a machine goes about being on; in seconds."""

    #: How long it stays on after the last work; of a minute or more.
    idle: float
    #: From its start to the first claim.
    boot: float
    #: How long it stays on after a start at least.
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it."""

    starts: int
    #: Seconds for which the machine would have been on, and those charged for.
    seconds: float
    billed: int


def play(bursts: Iterable[Burst], habit: Habit) -> Played:
    """Return how often and how long the machine would have been on for bursts of work in Unix seconds.

    Each is taken to begin when it did, the machine being started in time for it; what it would have stayed on
    for besides, such as an unread result or a hold, is left out.
    """
    on = [end - start for start, end in times_on(bursts, habit)]
    return Played(len(on), sum(on), sum(max(math.ceil(seconds), LEAST_BILLED) for seconds in on))


def times_on(bursts: Iterable[Burst], habit: Habit) -> Iterator[tuple[float, float]]:
    """Yield when the machine would have been started and switched off, in order."""
    start = end = None
    for burst in sorted(bursts, key=lambda one: one.start):
        if start is None or end is None or burst.start - habit.boot > end:
            if start is not None and end is not None:
                yield start, end
            start, end = burst.start - habit.boot, burst.start + habit.grace
        end = max(end, burst.end + habit.idle)
    if start is not None and end is not None:
        yield start, end
