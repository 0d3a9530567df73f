"""What a summary that is remembered costs, and that none outlives its record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import Job, JobError, Progress, State
from queues.file.engine import FileEngine
from queues.file.glances import REMEMBERED
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import MakeEngine
from tests.queues.disks import QuickDisk


class CountingDisk(QuickDisk):
    """Count the files that are opened."""

    opened = 0

    def open(self, path: str) -> int:
        self.opened += 1
        return super().open(path)


def claimed(engine: FileEngine, job_id: str) -> Job:
    job = engine.claim_one(job_id, "worker-1", now=NOW, lease=60.0)
    assert job is not None
    return job


def ended(engine: FileEngine, job_id: str) -> Job:
    running = claimed(engine, job_id)
    engine.swap(running, done := lifecycle.succeeded(running, result={"n": 1}, now=NOW))
    return done


def record_of(base: Path, job_id: str) -> Path:
    (record,) = (path for path in base.glob(f"*/**/{job_id}.json") if "views" not in path.parts)
    return record


@pytest.mark.parametrize("due", [None, NOW + 60])
@pytest.mark.parametrize("is_over", [False, True])
def test_a_record_that_stays_the_same_is_opened_once(
    make_engine: MakeEngine, due: float | None, is_over: bool
) -> None:
    disk = CountingDisk()
    engine = make_engine(disk=disk)
    job = engine.add(a_job(run_after=due))
    if is_over:
        ended(engine, job.id)
    first, before = engine.peek(job.id), disk.opened

    again = [engine.peek(job.id) for _ in range(3)]

    assert (again, disk.opened) == ([first] * 3, before)


def test_every_step_of_a_job_is_seen_by_each_who_looks(make_engine: MakeEngine) -> None:
    ours, theirs = make_engine(), make_engine()
    job = ours.add(a_job(max_attempts=3))

    def seen() -> set[tuple[State, int, int]]:
        looks = [engine.peek(job.id) for engine in (ours, theirs, ours, theirs)]
        return {(look.state, look.version, look.attempt) for look in looks}

    steps = [seen()]
    running = claimed(ours, job.id)
    steps.append(seen())
    told = lifecycle.progressed(running, Progress(fraction=0.5, at=NOW))
    ours.swap(running, told)
    steps.append(seen())
    ours.swap(told, lifecycle.failed(told, error=JobError(code="lost", message="Gone."), now=NOW, delay=60))
    steps.append(seen())
    engine_two = claimed(theirs, job.id)
    steps.append(seen())
    theirs.swap(engine_two, lifecycle.given_back(engine_two))
    steps.append(seen())
    waiting = ours.get(job.id)
    theirs.swap(waiting, lifecycle.cancelled(waiting, now=NOW))
    steps.append(seen())

    assert [len(step) for step in steps] == [1] * 7
    assert [state for step in steps for state, _, _ in step] == [
        *(State.QUEUED, State.RUNNING, State.RUNNING, State.QUEUED, State.RUNNING, State.QUEUED),
        State.CANCELLED,
    ]
    versions = [version for step in steps for _, version, _ in step]
    assert versions == sorted(set(versions))


def test_quick_changes_are_told_apart(make_engine: MakeEngine) -> None:
    engine = make_engine()
    job = engine.add(a_job())
    versions = []

    for _ in range(200):
        versions.append(engine.peek(job.id).version)
        running = claimed(engine, job.id)
        engine.swap(running, lifecycle.given_back(running))

    assert versions == sorted(set(versions))


def test_a_purged_job_is_remembered_no_more(engine: FileEngine) -> None:
    job = engine.add(a_job())
    ended(engine, job.id)
    engine.peek(job.id)

    engine.purge(NOW + 1)

    with pytest.raises(JobExpired):
        engine.peek(job.id)


def test_a_record_that_was_removed_by_hand_is_gone(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job())
    engine.peek(job.id)

    record_of(base, job.id).unlink()

    with pytest.raises(JobNotFound):
        engine.peek(job.id)


def test_a_record_that_was_edited_by_hand_is_read_again(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job(labels={"agent": "ops"}))
    engine.peek(job.id)
    record = record_of(base, job.id)

    record.write_text(record.read_text().replace('"ops"', '"spo"'))

    assert engine.peek(job.id).labels == {"agent": "spo"}


def test_a_record_that_was_edited_to_nonsense_is_damaged(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job())
    ended(engine, job.id)
    engine.peek(job.id)

    record_of(base, job.id).write_text("{")

    with pytest.raises(RecordDamaged):
        engine.peek(job.id)


def test_a_link_in_the_place_of_a_record_is_not_followed(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job())
    ended(engine, job.id)
    engine.peek(job.id)
    record = record_of(base, job.id)

    record.rename(base / "elsewhere.json")
    record.symlink_to(base / "elsewhere.json")

    with pytest.raises(RecordDamaged):
        engine.peek(job.id)


def test_of_two_records_the_final_one_counts(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job())
    engine.peek(job.id)
    waiting = record_of(base, job.id)
    kept = waiting.with_suffix(".kept")
    os.link(waiting, kept)
    ended(engine, job.id)

    os.link(kept, waiting)

    assert engine.peek(job.id).state is State.SUCCEEDED


def test_only_so_many_are_remembered(make_engine: MakeEngine, quick_folder: Path) -> None:
    disk = CountingDisk()
    engine = make_engine(quick_folder, disk=disk)
    jobs = engine.add_many([a_job(id=an_id()) for _ in range(REMEMBERED + 1)])
    for job in jobs:
        engine.peek(job.id)
    before = disk.opened

    engine.peek(jobs[-1].id)
    kept = disk.opened
    engine.peek(jobs[0].id)

    assert (kept, disk.opened) == (before, before + 1)
