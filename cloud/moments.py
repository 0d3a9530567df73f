"""The moments that a cloud's clock can be set to: whole minutes, told as cron does."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE = 60
#: What comes again each year must come true within one: later moments are set for this much from now.
_FURTHEST = 364 * 86_400


def minute_to_set(when: float, now: float | None) -> float:
    """Return the minute to be started in: that of `when`, but none that may be over before it is set.

    All are Unix seconds; `now` is the time where the alarm is kept, which may differ from ours. A moment that
    is missed by a second comes again only in a year, so one that is further away is set for a little less: a
    machine that is started too early stops again.
    """
    minute = when // _MINUTE * _MINUTE
    if now is None:
        return minute
    soonest = (now // _MINUTE + 2) * _MINUTE
    return min(max(minute, soonest), soonest + _FURTHEST)


def as_cron(moment: float) -> str:
    """Return the yearly cron expression, in UTC, of a moment in Unix seconds."""
    return f"{datetime.fromtimestamp(moment, UTC):%-M %-H %-d %-m} *"


def as_iso(moment: float) -> str:
    """Return a moment in Unix seconds as `2026-11-22T12:00:00Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
