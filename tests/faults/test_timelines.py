"""An injected clock jumps at random between the steps of a queue: nothing is lost, early or done twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core import lifecycle
from core.clock import Clock
from core.engine import Engine
from core.ids import JobIds
from core.jobs import DEFAULT_QUEUE, State
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import a_job
from tests.fakes import FakeClock
from tests.faults.mutants import ROOM
from tests.faults.shift import a_janitor
from tests.faults.shift_mutants import Steadfast
from tests.queues.disks import QuickDisk

pytestmark = pytest.mark.timeout(300)

HOUR, DAY, YEAR = 3600.0, 86_400.0, 31_557_600.0
JUMPS = (HOUR, -HOUR, DAY, -DAY, 10 * YEAR, -10 * YEAR)
STEPS = 60

Maker = Callable[[str, Clock], Engine]


class Timeline:
    """A queue, a clock, and the books of what was done when."""

    def __init__(self, engine: Engine, clock: FakeClock, base: Path, chance: random.Random) -> None:
        self._engine = engine
        self._clock = clock
        self._chance = chance
        self._ids = JobIds(clock)
        self._janitor = a_janitor(engine, clock, base)
        #: Job id to when it is due, in Unix seconds; long ago where it is due at once.
        self.dues: dict[str, float] = {}
        self.runs: Counter[str] = Counter()
        self.early = 0

    def step(self) -> None:
        """Do one thing that may happen to a queue, or to its clock."""
        jump, wait = self._chance.choice(JUMPS), self._chance.uniform(0, HOUR)
        steps: dict[Callable[[], object], int] = {
            self.submit: 4,
            self.work: 4,
            self.look_after: 1,
            lambda: self._clock.jump(jump): 1,
            lambda: self._clock.advance(wait): 1,
        }
        (step,) = self._chance.choices(list(steps), list(steps.values()))
        step()

    def submit(self) -> None:
        """Submit a job, every other one deferred by up to two hours."""
        due = self._clock.now() + self._chance.uniform(1, 2 * HOUR) if self._chance.random() < 0.5 else None
        job = self._engine.add(
            a_job(id=self._ids(), submitted_at=self._clock.now(), run_after=due, max_attempts=99)
        )
        self.dues[job.id] = 0.0 if due is None else due

    def work(self) -> bool:
        """Claim the next job and end it, or now and then put it back; return whether there was one."""
        now = self._clock.now()
        job = self._engine.claim("worker", now=now, lease=30, queues=[DEFAULT_QUEUE])
        if job is None:
            return False
        self.early += now < self.dues[job.id]
        self.dues[job.id] = 0.0  # once it was due, it stays so when it is put back
        if self._chance.random() < 0.2:
            self._engine.swap(job, lifecycle.given_back(job))
        else:
            self.runs[job.id] += 1
            self._engine.swap(job, lifecycle.succeeded(job, result=None, now=now))
        return True

    def look_after(self) -> None:
        """Let the janitor make one round."""
        self._janitor.round()

    def drain(self) -> None:
        """Let all that is deferred become due, and run it."""
        self._clock.jump(30 * len(JUMPS) * YEAR * STEPS)
        while self.work():
            pass

    def books(self) -> Counter[str]:
        """Return what must never happen, counted."""
        ended = self._engine.count()[State.SUCCEEDED]
        return Counter(
            lost=len(self.dues) - ended,
            duplicated=sum(1 for number in self.runs.values() if number > 1),
            early=self.early,
        )


def lived_through(folder: Path, make: Maker, *, timelines: int) -> Counter[str]:
    """Return the books of so many timelines."""
    books: Counter[str] = Counter(lost=0, duplicated=0, early=0, jobs=0)
    for seed in range(timelines):
        clock, base = FakeClock(), folder / str(seed)
        with closing(make(str(base), clock)) as engine:
            timeline = Timeline(engine, clock, base, random.Random(seed))
            for _ in range(STEPS):
                timeline.step()
            timeline.drain()
            books.update(timeline.books(), jobs=len(timeline.dues))
    return books


def test_no_timeline_loses_repeats_or_hastens_a_job(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    timelines = effort(40, 1000)

    books = lived_through(
        tmp_path, lambda base, clock: FileEngine(base, ROOM, disk=QuickDisk()), timelines=timelines
    )

    evidence("P8", "timelines with an injected clock that jumps", trials=timelines, **books)
    assert (books["lost"], books["duplicated"], books["early"]) == (0, 0, 0)
    assert books["jobs"] > timelines


def test_an_engine_that_does_not_know_of_jumps_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    books = lived_through(tmp_path, lambda base, clock: Steadfast(base, ROOM, clock), timelines=10)

    evidence("P8", "timelines, engine steadfast", trials=10, mutants=1, caught=int(books["early"] > 0))
    assert books["early"] > 0
