"""What the rows say in the end: who keeps his jobs, and who beats whom by more than chance."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from benchmarks.contenders import ALL, DURABLE
from benchmarks.cut import figure_of
from benchmarks.figures import OURS, Row, more_is_better
from benchmarks.goals import best

#: Medians that are closer than this to each other do not differ.
NOISE = 0.2


def is_cut(row: Row) -> bool:
    """Return whether a row tells what a power cut left."""
    return row.figure in {figure_of("ext4"), figure_of("xfs")}


def durable(rows: Sequence[Row]) -> set[str]:
    """Return who lost nothing in any power cut; who says that he would not, where nothing was cut."""
    cuts = [row for row in rows if is_cut(row)]
    if not cuts:
        return {OURS, *(contender.name for contender in DURABLE)}
    everything = max(int(row.unit.removeprefix("of ")) for row in cuts)
    return {row.who for row in cuts} - {row.who for row in cuts if row.median < everything}


def advantage(ours: Row, other: Row) -> float:
    """Return how many times better we are: 2 is twice as fast, half as long or half as large."""
    over, under = (ours, other) if more_is_better(ours.unit) else (other, ours)
    return over.median / under.median if under.median else float("inf")


def defeats(rows: Sequence[Row], among: Collection[str]) -> Iterator[tuple[Row, Row]]:
    """Yield our row and the best other one, for each figure where that is better by more than chance."""
    names = {contender.name for contender in ALL} & set(among) - {OURS}
    for ours in (row for row in rows if row.who == OURS and not is_cut(row)):
        rival = best(row for row in rows if row.figure == ours.figure and row.who in names)
        if rival and advantage(ours, rival) < 1 / (1 + NOISE):
            yield ours, rival
