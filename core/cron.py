"""When a cron expression is due, in a time zone of its own: the rules of crontab(5) and cron(8). Pure.

cronsim finds the matching times on a clock that is never set. Here they become moments: a zone's clock is set
forward and back, and then cron(8) of Debian tells two kinds of expressions apart.

- A *fixed* one names minutes and hours, as in `30 2 * * *`. It is due once each day: a time that the clock
  leaves out is due the moment after, a time that the clock shows twice is due the first time.
- One whose minute or hour begins with `*` follows the clock: what is left out is left out, what the clock
  shows twice is due twice.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

#: An expression has them in this order.
FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

_LONGEST = 256
_VALUE = r"(?:\d{1,2}|[a-z]{3})"
_TERM = rf"(?:(?:\*|{_VALUE}-{_VALUE})(?:/\d{{1,2}})?|{_VALUE})"
_FIELD = re.compile(rf"{_TERM}(?:,{_TERM})*", re.ASCII | re.IGNORECASE)
#: A range of one value with a step, which cronsim takes for a range to the end of the field.
_POINT = re.compile(r"\b(\w+)-\1/\d+")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  The clock of a zone, which shows no zone.
_NEVER_SET = datetime(2024, 1, 1)  # noqa: DTZ001
_NONE, _SECOND = timedelta(), timedelta(seconds=1)
_DAY = 86_400


class Cron:
    """The due times of one expression in one zone."""

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        """Read both. Raises ValueError, with the remedy in its sentence."""
        self._expression = _checked(expression)
        self._zone = _zone(zone)
        minute, hour = self._expression.split()[:2]
        self._fixed = not minute.startswith("*") and not hour.startswith("*")

    def times(self, after: float) -> Iterator[int]:
        """Yield the due times later than a moment, in Unix seconds, soonest first; of 50 years at least."""
        moment = math.floor(after)
        shown = moment + self._offset(moment)
        while True:
            offset, change, wanted = self._offset(moment), None, 0
            for wanted in self._matching(shown):
                change = self._change(moment, wanted - offset)
                if change is not None:
                    break
                moment = wanted - offset
                if not (self._fixed and self._shown_before(moment)):
                    yield moment
            if change is None:
                return
            shown = change + self._offset(change)
            if self._fixed and wanted < shown:
                yield change  # What the clock left out is due now, and so is what it shows now.
            else:
                shown -= 1  # What it shows now may be due too, and is not later than itself.
            moment = change

    def _matching(self, shown: int) -> Iterator[int]:
        """Yield what the clock shows at the matching times after it showed that, in seconds since 1970."""
        for match in CronSim(self._expression, _EPOCH + timedelta(seconds=shown)):
            yield (match - _EPOCH) // _SECOND

    def _change(self, moment: int, until: int) -> int | None:
        """Return the first moment in (moment, until] at which the clock is set; None when it is not."""
        offset = self._offset(moment)
        while moment < until:
            later = min(moment + _DAY, until)
            if self._offset(later) != offset:
                seconds = range(moment + 1, later + 1)
                return seconds[bisect_left(seconds, True, key=lambda at: self._offset(at) != offset)]
            moment = later
        return None

    def _offset(self, moment: int) -> int:
        """Return by how many seconds the zone's clock is before that of UTC at a moment."""
        return (self._at(moment).utcoffset() or _NONE) // _SECOND

    def _shown_before(self, moment: int) -> bool:
        return self._at(moment).fold == 1

    def _at(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment, self._zone)


def _checked(expression: str) -> str:
    parts = expression.split()
    if len(parts) != len(FIELDS) or len(expression) > _LONGEST:
        raise ValueError(
            f"{expression[:60]!r} does not have five fields: minute, hour, day of the month, month and day of"
            " the week, as in '0 9 * * 1-5'."
        )
    for name, part in zip(FIELDS, parts, strict=True):
        if not _FIELD.fullmatch(part):
            raise ValueError(f"The {name} {part!r} cannot be read: write as in *, 5, 1-5, */10 or 1,15.")
    plain = _POINT.sub(r"\1", " ".join(parts))
    try:
        CronSim(plain, _NEVER_SET)
    except CronSimError as error:
        raise ValueError(f"{expression!r} cannot be read or never comes: {_plainly(error)}.") from None
    return plain


def _plainly(error: CronSimError) -> str:
    return str(error).replace("Bad ", "look at its ").replace("-", " ").replace("day of", "day of the")


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name[:60]!r} is no time zone: write one such as 'Europe/Berlin' or 'UTC'."
        ) from None
