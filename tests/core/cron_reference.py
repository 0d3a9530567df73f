"""Debian's cron as crontab(5) and cron(8) describe it, read minute by minute: slow, plain, and not our code.

- crontab(5): a field is `*`, a number, a range or a list of these; `/n` after a star or a range takes
  every n-th value of it; months and days of the week may be named; 0 and 7 are Sunday. When neither day field
  begins with `*`, a day matches when either does; else it must match both.
- cron(8): when the clock is set forward, jobs that were left out are run soon after; when it is set back,
  they are not run again. That holds for jobs at a specific time; those with `*` in the hour or the minute
  are run based on the new time immediately.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MINUTE = 60


class Shown(NamedTuple):
    """What the clock of a zone shows at the beginning of a minute."""

    unix: int
    hour: int
    minute: int


@cache
def calendar(zone: str, start: int, days: int) -> dict[date, list[Shown]]:
    """Return every minute of so many days, by the date that the clock showed."""
    shown: dict[date, list[Shown]] = defaultdict(list)
    clock = ZoneInfo(zone)
    for unix in range(start, start + days * 86_400, MINUTE):
        local = datetime.fromtimestamp(unix, clock)
        shown[local.date()].append(Shown(unix, local.hour, local.minute))
    return shown


def due_times(expression: str, zone: str, start: int, days: int) -> list[int]:
    """Return when a job is run in the days from `start` on, a moment at which the zone's day begins."""
    minute, hour, day, month, weekday = expression.lower().split()
    minutes, hours = values(minute, 0, 59), values(hour, 0, 23)
    at_a_specific_time = not minute.startswith("*") and not hour.startswith("*")
    shown = calendar(zone, start, days)
    found: set[int] = set()
    for today in shown:
        if day_matches(today, day, month, weekday):
            if at_a_specific_time:
                found |= set(once_each(shown, today, hours, minutes))
            else:
                found |= {at.unix for at in shown[today] if at.hour in hours and at.minute in minutes}
    return sorted(found)


def once_each(
    shown: dict[date, list[Shown]], today: date, hours: set[int], minutes: set[int]
) -> Iterator[int]:
    """Yield when each time of a day is first shown; of one left out, when the clock first shows more."""
    for hour in hours:
        for minute in minutes:
            here = [at.unix for at in shown[today] if (at.hour, at.minute) == (hour, minute)]
            later = [at.unix for at in shown[today] if (at.hour, at.minute) > (hour, minute)]
            tomorrow = [at.unix for at in shown.get(today + timedelta(days=1), [])]
            yield from (here or later or tomorrow)[:1]


def day_matches(today: date, day: str, month: str, weekday: str) -> bool:
    if today.month not in values(month, 1, 12, MONTHS, first=1):
        return False
    in_month = today.day in values(day, 1, 31)
    in_week = today.isoweekday() % 7 in {value % 7 for value in values(weekday, 0, 7, DAYS)}
    either = not day.startswith("*") and not weekday.startswith("*")
    return (in_month or in_week) if either else (in_month and in_week)


@cache
def numbers(term: str, low: int, high: int, names: tuple[str, ...], first: int) -> frozenset[int]:
    span, _, step = term.partition("/")
    begin, _, end = span.partition("-")
    if span == "*":
        begin, end = str(low), str(high)
    ends = [names.index(text) + first if text in names else int(text) for text in (begin, end or begin)]
    return frozenset(range(ends[0], ends[1] + 1, int(step or 1)))


def values(field: str, low: int, high: int, names: list[str] | None = None, first: int = 0) -> set[int]:
    """Return the values that a field names."""
    terms = field.split(",")
    return set().union(*(numbers(term, low, high, tuple(names or ()), first) for term in terms))
