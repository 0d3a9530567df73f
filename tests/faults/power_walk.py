"""A walk through every world that the model of a machine can come to, and what is wrong in some of them."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.faults.power_model import (
    SOUND,
    Design,
    Stage,
    Step,
    Taken,
    World,
    beginning,
    earliest_start,
    steps,
)

#: What nobody may count on: that a client comes and starts the machine.
BY_CLIENTS = frozenset({"enter", "ask"})
#: What nobody may count on either.
FAILURES = frozenset({"retry", "give up", "arm fails", "switch fails", "overdue", "kill"})

OVER_A_JOB = "the machine went off over a job"
OVER_A_SUBMISSION = "the machine went off over a submission"
TOO_LATE = "a job was accepted although the switch had been run"
UNALARMED = "the machine is off, and the alarm is not armed for the earliest due moment"
FORSAKEN = "unless some client comes, an accepted job never ends, or the machine never goes off"

_UNFINISHED = (Stage.INSIDE, Stage.WAITING, Stage.RUNNING)


@dataclass
class Walk:
    """All worlds, how each was come to first, and what is wrong."""

    #: World to the step that first led to it, and the world before; nothing for the beginning.
    origins: dict[World, tuple[Step, World] | None]
    transitions: int = 0
    #: A sentence about what is wrong, to the world in which it was first seen.
    faults: dict[str, World] = field(default_factory=dict)

    def way_to(self, world: World) -> list[Taken]:
        """Return the way from the beginning to a world, as short as there can be one."""
        way: list[Taken] = []
        while (origin := self.origins[world]) is not None:
            step, before = origin
            way.append((step, world))
            world = before
        return way[::-1]

    def ways(self, design: Design = SOUND) -> Iterator[list[Taken]]:
        """Yield, for each transition that there is, a way that ends with it."""
        for world in self.origins:
            way = self.way_to(world)
            yield from ([*way, taken] for taken in steps(world, design))


def walk(jobs: int, design: Design = SOUND) -> Walk:
    """Take every step from every world that can be come to, breadth first."""
    first = beginning(jobs)
    found = Walk({first: None})
    before: dict[World, list[World]] = defaultdict(list)
    ahead = deque([first])
    while ahead:
        world = ahead.popleft()
        for step, after in steps(world, design):
            found.transitions += 1
            if step.name not in BY_CLIENTS | FAILURES:
                before[after].append(world)
            if after not in found.origins:
                found.origins[after] = step, world
                ahead.append(after)
            for fault in faults_of(world, step, after):
                found.faults.setdefault(fault, after)
    for world in _forsaken(found.origins, before):
        found.faults.setdefault(FORSAKEN, world)
    return found


def faults_of(world: World, step: Step, after: World) -> Iterable[str]:
    """Yield what is wrong with a step."""
    if step.name == "off" and world.busy:
        yield OVER_A_JOB
    if step.name == "off" and world.holds(Stage.INSIDE):
        yield OVER_A_SUBMISSION
    if step.name == "store" and world.stopping:
        yield TOO_LATE
    start = earliest_start(after)
    if step.name == "off" and start is not None and after.alarm != start:
        yield UNALARMED


def _forsaken(worlds: Iterable[World], before: dict[World, list[World]]) -> list[World]:
    """Return the worlds from which no way leads to a machine that is off with every accepted job ended."""
    saved = {world for world in worlds if not world.on and not world.holds(*_UNFINISHED)}
    ahead = deque(saved)
    while ahead:
        for world in before[ahead.popleft()]:
            if world not in saved:
                saved.add(world)
                ahead.append(world)
    return [world for world in worlds if world not in saved]


def stroll(world: World, chance: random.Random) -> Iterator[Taken]:
    """Yield steps of chance, one after the other, until nothing more can happen."""
    while possible := list(steps(world)):
        step, world = chance.choice(possible)
        yield step, world


def all_ways(world: World, length: int) -> Iterator[list[Taken]]:
    """Yield every way of so many steps."""
    if length == 0:
        yield []
        return
    for taken in steps(world):
        yield from ([taken, *rest] for rest in all_ways(taken[1], length - 1))
