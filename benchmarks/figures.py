"""What a measurement yields: figures, their lines in a file, and their medians and spreads over the rounds.

Every module that measures has `measure(round: int, folder: Path) -> list[Figure]`: it takes each figure once,
in a fresh folder of the measured disk, and starts with another contender in each round.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

#: What the bus is called in every table.
OURS = "aafai-bus"
#: Set to 1 by `--quick`: a look at the shape of things, not at their size.
QUICK_VARIABLE = "AAFAI_BENCH_QUICK"

_Contender = TypeVar("_Contender")


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one round."""

    #: What was measured, such as "submit, 32 clients"; the rows of a table share it.
    figure: str
    #: Whose value it is.
    who: str
    value: float
    #: `jobs/s` and whatever else ends in `/s` is better when higher; `ms`, `s`, `MiB` when lower.
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure with the circumstances under which it was taken."""

    round: int
    #: Processes that wanted a processor, over the last minute.
    load: float
    figure: Figure


@dataclass(frozen=True, slots=True)
class Row:
    """What the rounds say of one contender in one figure."""

    figure: str
    who: str
    unit: str
    median: float
    least: float
    most: float
    rounds: int
    #: Median of the load averages.
    load: float


def more_is_better(unit: str) -> bool:
    """Return whether the greater of two values in this unit is the better one."""
    return unit.endswith("/s")


def effort(quick: int, whole: int) -> int:
    """Return how many of something to do: few in a quick run, else the whole number."""
    return quick if os.environ.get(QUICK_VARIABLE) == "1" else whole


def rotated(contenders: Sequence[_Contender], round: int) -> list[_Contender]:  # noqa: A002  The word of the house.
    """Return the contenders in the order of this round: each goes first in its turn."""
    first = round % len(contenders) if contenders else 0
    return [*contenders[first:], *contenders[:first]]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def to_line(reading: Reading) -> str:
    """Return a reading as one line of JSON."""
    circumstances = {"round": reading.round, "load": reading.load}
    return json.dumps({**circumstances, **asdict(reading.figure)}, ensure_ascii=False)


def from_line(line: str) -> Reading:
    """Return the reading that a line of JSON holds. Raises ValueError, KeyError or TypeError."""
    fields = json.loads(line)
    return Reading(fields.pop("round"), fields.pop("load"), Figure(**fields))


def rows(readings: Iterable[Reading]) -> list[Row]:
    """Return one row for each figure and contender, in the order in which they first appear."""
    grouped: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        grouped.setdefault((reading.figure.figure, reading.figure.who), []).append(reading)
    return [_row(some) for some in grouped.values()]


def _row(readings: Sequence[Reading]) -> Row:
    values = [reading.figure.value for reading in readings]
    first = readings[0].figure
    return Row(
        figure=first.figure,
        who=first.who,
        unit=first.unit,
        median=statistics.median(values),
        least=min(values),
        most=max(values),
        rounds=len(values),
        load=statistics.median(reading.load for reading in readings),
    )
