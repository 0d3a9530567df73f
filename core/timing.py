"""Words for time: durations, moments, and how long to wait before another attempt. Pure."""

from __future__ import annotations

import math
import re
from datetime import datetime

_UNITS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_SHORT = {
    "w": "week",
    "d": "day",
    "h": "hour",
    "m": "minute",
    "min": "minute",
    "s": "second",
    "sec": "second",
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)

#: No wait that Python can express is longer than 292 years; no sensible one is longer than this, in seconds.
LONGEST = 100 * 365 * 86_400
#: The first moment after the last one that has a four-digit year, in Unix seconds.
_YEAR_10000 = 253_402_300_800


def parse_duration(value: str | float) -> float:
    """Return the seconds that '5 minutes', '1 hour', '10m', '90s' or a plain number of seconds stand for.

    Raises ValueError, with the remedy in its sentence, unless it is more than 0 and at most 100 years.
    """
    seconds = _seconds_in(value) if isinstance(value, str) else _number(value)
    if seconds is None or not 0 < seconds <= LONGEST:
        raise ValueError(
            f"{_quoted(value)} is no duration: write a number of seconds above 0, or a number and a unit"
            " such as '30 seconds', '5 minutes', '1 hour', '2 days' or '1 week' (100 years at most)."
        )
    return seconds


def parse_when(value: str | float, *, now: float) -> float:
    """Return the Unix time meant by an ISO 8601 time with an offset, or by a number of seconds from now.

    A time in the past means `now`. Raises ValueError, with the remedy in its sentence, for a time without an
    offset, a day that does not exist, a number below 0 or above 100 years, and what lies after the year 9999.
    """
    moment = _moment(value) if isinstance(value, str) else _later(value, now)
    if moment >= _YEAR_10000:
        raise ValueError(f"{_quoted(value)} lies after the year 9999: choose an earlier time.")
    return max(moment, now)


def backoff(attempt: int, *, jitter: float, base: float = 2.0, ceiling: float = 600.0) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (counted from 1).

    The wait doubles from `base` up to `ceiling`; half of it is fixed and half is drawn by `jitter`, a random
    number in [0, 1), so that jobs which failed together do not come back together. This is the "equal jitter"
    of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    doublings = min(max(attempt - 1, 0), 64)  # More would overflow, and every ceiling is reached long before.
    longest = min(ceiling, base * 2.0**doublings)
    return longest / 2 + longest / 2 * jitter


def format_duration(seconds: float) -> str:
    """Return the seconds as people say them, in the two largest units: '2 hours 5 minutes'."""
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))} ms"
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
        elif parts:
            break
    return " ".join(parts[:2])


def _seconds_in(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    unit = found[2].lower()
    name = _SHORT.get(unit) or unit.removesuffix("s") or "second"
    return float(found[1]) * _UNITS[name] if name in _UNITS else None


def _number(value: float) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{_quoted(text)} is no time ({_cut(str(error))}): write it as in '2030-12-31T18:00:00+01:00',"
            " or as a number of seconds from now."
        ) from None
    if moment.utcoffset() is None:
        raise ValueError(
            f"{_quoted(text)} has no offset from UTC: end it with 'Z' or an offset, as in"
            " '2030-12-31T18:00:00+01:00'."
        )
    return moment.timestamp()


def _later(value: float, now: float) -> float:
    seconds = _number(value)
    if seconds is None or not 0 <= seconds <= LONGEST:
        raise ValueError(
            f"{_quoted(value)} is no number of seconds from now: it must be from 0 to {LONGEST:,}"
            " (100 years)."
        )
    return now + seconds


def _quoted(value: str | float) -> str:
    try:
        return _cut(repr(value))
    except ValueError:  # Python refuses to spell out integers of thousands of digits.
        return "The number"


def _cut(text: str) -> str:
    """Return the text as it may stand in a sentence: what people send may be as long as a whole body."""
    return text if len(text) <= 60 else f"{text[:57]}..."
