"""What the bus set itself: how it must stand beside a reference of the same run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.contenders import ALL, RQ
from benchmarks.events import FAN_OUT
from benchmarks.figures import OURS, Row, more_is_better
from benchmarks.http import BARE, FSYNCED, UNKEPT, WITHOUT
from benchmarks.start import HELLO
from benchmarks.submit import BARE_PROTOCOL

#: In place of a name: whoever is best of the peers whose jobs survive a power cut.
BEST_DURABLE = "best durable peer"
#: The same without bare queues: a loop in one's own program costs next to nothing, and does next to nothing.
BEST_WHOLE = "best durable peer but for bare queues"

_BARE = {contender.name for contender in ALL if contender.bare}


@dataclass(frozen=True, slots=True)
class Goal:
    """Ours divided by the reference: at least the limit where more is better, at most where less is."""

    figure: str
    limit: float
    against: str = BEST_DURABLE
    #: The figure of the reference, where it is another one.
    other: str = ""


GOALS = (
    Goal("submit, 1 client", 0.85, BARE_PROTOCOL),
    Goal("submit, 32 clients", 1.0),
    Goal("submit in batches of 1,000", 5.0, OURS, "submit, 1 client"),
    Goal("drain of 2,000", 1.2),
    Goal("drain of 20,000", 1.2),
    Goal("drain of 500 process jobs", 1.5, RQ.name),
    Goal("submit to result, p50", 0.8),
    Goal("submit to result, p99", 1.0),
    Goal("submit, 32 clients, slow disk", 1.0),
    Goal("drain of 1,000, slow disk", 1.0),
    Goal("exec of everything to first job", 1.0, BEST_WHOLE),
    Goal("memory, resident", 1.0, BEST_WHOLE),
    Goal("idle processor time in 30 s", 1.0, BEST_WHOLE),
    Goal("durable POST /inbound, 32 clients", 0.6, UNKEPT),
    Goal("durable POST /inbound, 32 clients", 0.9, FSYNCED),
    Goal("poll answered with 304", 0.6, BARE),
    Goal("/health with 200 stalled clients, p50", 2.0, WITHOUT),
    Goal("exec to accepting", 2.0, HELLO),
    Goal("claim, p50, 100,000 waiting", 1.5, OURS, "claim, p50, 1,000 waiting"),
    Goal("claim, p50, 1,000,000 waiting", 1.5, OURS, "claim, p50, 1,000 waiting"),
    Goal("events to 10 subscribers", 0.3, FAN_OUT),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A goal and the two rows that decide it."""

    goal: Goal
    ours: Row
    reference: Row

    @property
    def ratio(self) -> float:
        """Ours divided by the reference."""
        return self.ours.median / self.reference.median if self.reference.median else float("inf")

    @property
    def reached(self) -> bool:
        """Whether the ratio is on the right side of the limit."""
        if more_is_better(self.ours.unit):
            return self.ratio >= self.goal.limit
        return self.ratio <= self.goal.limit


def standings(rows: Sequence[Row], durable: Collection[str]) -> list[Standing]:
    """Return how the goals stand; those whose rows were not measured are left out."""
    found = []
    for goal in GOALS:
        ours = _row(rows, goal.figure, OURS)
        reference = _reference(rows, goal, durable)
        if ours and reference:
            found.append(Standing(goal, ours, reference))
    return found


def best(rows: Iterable[Row]) -> Row | None:
    """Return the best of some rows of one figure; None of none."""
    some = list(rows)
    if not some:
        return None
    pick = max if more_is_better(some[0].unit) else min
    return pick(some, key=lambda row: row.median)


def _reference(rows: Sequence[Row], goal: Goal, durable: Collection[str]) -> Row | None:
    figure = goal.other or goal.figure
    if goal.against not in {BEST_DURABLE, BEST_WHOLE}:
        return _row(rows, figure, goal.against)
    rivals = set(durable) - {OURS} - (_BARE if goal.against == BEST_WHOLE else set())
    return best(row for row in rows if row.figure == figure and row.who in rivals)


def _row(rows: Iterable[Row], figure: str, who: str) -> Row | None:
    return next((row for row in rows if row.figure == figure and row.who == who), None)
