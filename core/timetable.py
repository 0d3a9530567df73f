"""When a schedule is due: cron expressions and intervals behind one seam. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Protocol

_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_INTERVAL = re.compile(r"(\d{1,9}) +(second|minute|hour|day|week)s?", re.ASCII)
_LONGEST = 100 * 365 * 86_400
_FIRST_SPAN = 600


class Timetable(Protocol):
    """What knows its due times."""

    def times(self, after: float) -> Iterator[int]:
        """Yield the due times later than a moment, in Unix seconds, soonest first."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds, counted from a start; no clock that is set, and no restart, moves that beat."""

    seconds: int
    #: Unix seconds; the first due time is one interval later.
    start: int

    def times(self, after: float) -> Iterator[int]:
        """Yield them."""
        beats = max(0, math.floor((after - self.start) / self.seconds))
        return (self.start + beat * self.seconds for beat in count(beats + 1))


def timetable(task_type: str, schedule: str, *, zone: str, start: float) -> Timetable:
    """Return the timetable of a schedule: `cron` in a time zone, or an `interval` since a start.

    Raises ValueError, with the remedy in its sentence, for a schedule or a zone that cannot be read.
    """
    if task_type == "interval":
        return Interval(parse_interval(schedule), math.floor(start))
    from core.cron import Cron  # noqa: PLC0415  A bus without schedules need not load cronsim.

    return Cron(schedule, zone)


def parse_interval(text: str) -> int:
    """Return the seconds of '30 seconds', '5 minutes', '1 hour', '2 days' or '1 week'. Raises ValueError."""
    found = _INTERVAL.fullmatch(text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(
            f"{text[:60]!r} is no interval: write a whole number and a unit, as in '30 seconds', '5 minutes',"
            " '1 hour', '2 days' or '1 week'."
        )
    return seconds


def first(table: Timetable, after: float) -> int | None:
    """Return the next due time later than a moment; None when there is none."""
    return next(table.times(after), None)


def latest(table: Timetable, *, after: float, until: float, most: int) -> list[int]:
    """Return the due times later than `after`, up to `until`, oldest first; the last `most` of them.

    It looks back step by step, so that years of missed seconds take no longer than `most` of them.
    """
    span = _FIRST_SPAN
    while True:
        begin = max(after, until - span)
        found = list(takewhile(lambda due: due <= until, table.times(begin)))
        if begin <= after or len(found) >= most:
            return found[-most:]
        span *= 4
