"""Many outcomes of one attempt race: one is stored, each of the others is refused, and late ones always."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import Conflict
from core.jobs import DEFAULT_QUEUE, Job, JobError
from queues.file.disk import Disk
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.faults.mutants import ROOM
from tests.queues.disks import QuickDisk

RACERS = 8
OOPS = JobError(code="action_error", message="Oops.")


class Agreeing(FileEngine):
    """Say yes to an outcome that came too late."""

    def swap(self, old: Job, new: Job) -> None:
        with suppress(Conflict):
            super().swap(old, new)


class Forgetting(FileEngine):
    """Let the last outcome count."""

    def __init__(self, base: str, options: FileOptions, *, disk: Disk) -> None:
        super().__init__(base, options, disk=disk)
        self.last: dict[str, Job] = {}

    def swap(self, old: Job, new: Job) -> None:
        try:
            super().swap(old, new)
        except Conflict:
            self.last[new.id] = new

    def get(self, job_id: str) -> Job:
        return self.last.get(job_id) or super().get(job_id)


def an_engine(make: type[FileEngine], base: Path) -> FileEngine:
    return make(str(base), ROOM, disk=QuickDisk())


def outcome_of(racer: int, job: Job) -> Job:
    """Return how a racer would end the job: as succeeded, failed or cancelled."""
    if racer % 3 == 0:
        return lifecycle.succeeded(job, result={"by": racer}, now=NOW + racer)
    if racer % 3 == 1:
        return lifecycle.failed(job, error=OOPS, now=NOW + racer, final=True)
    return lifecycle.cancelled(job, now=NOW + racer)


def raced(engine: FileEngine, jobs: list[Job]) -> dict[str, list[Job]]:
    """Let all racers end each job at the same moment; return the outcomes that were acknowledged."""
    acknowledged: dict[str, list[Job]] = {job.id: [] for job in jobs}
    start = threading.Barrier(RACERS)

    def race(racer: int) -> None:
        try:
            for job in jobs:
                new = outcome_of(racer, job)
                start.wait()
                with suppress(Conflict):
                    engine.swap(job, new)
                    acknowledged[job.id].append(new)
        except BaseException:
            start.abort()  # lest the others wait for ever for a racer that fell
            raise

    in_threads(race, RACERS)
    return acknowledged


def in_threads(work: Callable[[int], None], number: int) -> None:
    threads = [threading.Thread(target=work, args=(which,)) for which in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def counted(engine: FileEngine, base: Path, acknowledged: dict[str, list[Job]]) -> Counter[str]:
    """Return the figures of a race, read from the engine and from the folder."""
    records = Counter(path.name for path in base.glob("outbound/*/*.json"))
    return Counter(
        records=len(records),
        refused=sum(RACERS - len(won) for won in acknowledged.values()),
        duplicated=sum(len(won) > 1 for won in acknowledged.values()),
        lost=sum(not won or engine.get(job_id) not in won for job_id, won in acknowledged.items()),
    )


def a_race(make: type[FileEngine], base: Path, number: int) -> Counter[str]:
    with closing(an_engine(make, base)) as engine:
        engine.add_many([a_job(max_attempts=1) for _ in range(number)])
        jobs = [engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) for _ in range(number)]
        return counted(engine, base, raced(engine, [job for job in jobs if job]))


def test_of_eight_outcomes_at_once_one_is_stored_and_seven_are_refused(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    number = effort(100, 1000)

    figures = a_race(FileEngine, tmp_path / "queue", number)

    evidence(
        "P5",
        f"jobs ended by {RACERS} racing threads",
        trials=number,
        **{name: figures[name] for name in ("records", "refused", "duplicated", "lost")},
    )
    assert figures == Counter(records=number, refused=(RACERS - 1) * number, duplicated=0, lost=0)


def test_an_outcome_that_comes_after_a_retry_is_refused(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    number, swallowed = effort(50, 500), 0
    with closing(an_engine(FileEngine, tmp_path / "queue")) as engine:
        for _ in range(number):
            engine.add(a_job())
            first = engine.claim("slow", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
            assert first is not None
            engine.swap(first, lifecycle.failed(first, error=OOPS, now=NOW, delay=0))
            late = lifecycle.succeeded(first, result="late", now=NOW)
            swallowed += not refuses(engine, first, late)
            second = engine.claim("quick", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
            assert second is not None
            swallowed += not refuses(engine, first, late)
            engine.swap(second, lifecycle.succeeded(second, result="right", now=NOW))
            swallowed += not refuses(engine, first, late)
            assert engine.get(first.id).result == "right"

    evidence("P5", "late outcomes after a retry", trials=3 * number, swallowed=swallowed)
    assert swallowed == 0


def refuses(engine: FileEngine, old: Job, new: Job) -> bool:
    try:
        engine.swap(old, new)
    except Conflict:
        return True
    return False


@pytest.mark.parametrize("mutant", [Agreeing, Forgetting])
def test_an_engine_that_takes_a_second_outcome_is_caught(
    tmp_path: Path, mutant: type[FileEngine], evidence: Evidence
) -> None:
    figures = a_race(mutant, tmp_path / "queue", 30)

    caught = figures["duplicated"] > 0
    evidence("P5", "engines that take a second outcome", trials=30, mutants=1, caught=int(caught))
    assert caught
