"""What a journal says is made true for all of its jobs, whatever was done to the files of one of them."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import EngineUnavailable, RecordDamaged
from core.jobs import DEFAULT_QUEUE, Job, JobError, State
from queues.file.engine import FileEngine
from queues.file.entries import Kind
from queues.file.replay import Replay
from queues.record import document_of, encoded
from tests.factories import NOW, a_job
from tests.queues.conftest import MakeEngine, die, record_of
from tests.queues.disks import QuickDisk

OOPS = JobError(code="action_error", message="Oops.")


def claimed(engine: FileEngine) -> Job:
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    return job


def reasons(base: Path) -> list[str]:
    return [path.read_text().strip() for path in (base / "quarantine").glob("*.reason.txt")]


def key_files(base: Path) -> list[Path]:
    return sorted((base / "keys").rglob("*.json"))


def copy_one_key_over_the_other(base: Path) -> None:
    one, other = key_files(base)
    one.unlink()
    shutil.copy(other, one)


def leave_with_a_wrong_key(engine: FileEngine, base: Path) -> list[Job]:
    """Die a moment after two keyed jobs and one without were accepted; return them."""
    jobs = [engine.add(a_job(idempotency_key=key, body_hash="b")) for key in ("one", "two")]
    jobs.append(engine.add(a_job()))
    copy_one_key_over_the_other(base)
    os.truncate(record_of(base, jobs[2]), 0)
    die(engine)
    return jobs


def test_a_key_file_that_holds_another_key_does_not_stop_the_start(
    make_engine: MakeEngine, base: Path
) -> None:
    jobs = leave_with_a_wrong_key(make_engine(), base)

    heir = make_engine()

    assert [heir.get(job.id) for job in jobs] == jobs
    again = [a_job(idempotency_key=key, body_hash="b") for key in ("one", "two")]
    assert [heir.add(job).id for job in again] == [job.id for job in jobs[:2]], "the right file is back"
    assert reasons(base) == ["The file of its idempotency key holds another key."]
    assert len(list((base / "journal").iterdir())) == 2, "only the heir's own volumes are left"


def test_a_key_file_that_holds_another_key_does_not_stop_a_living_neighbour(
    make_engine: MakeEngine, base: Path
) -> None:
    neighbour = make_engine()
    jobs = leave_with_a_wrong_key(make_engine(), base)

    neighbour.upkeep(NOW)

    assert [neighbour.get(job.id) for job in jobs] == jobs
    assert len(list((base / "journal").iterdir())) == 2, "only the neighbour's own volumes are left"


def test_a_job_that_cannot_be_restored_is_put_aside_and_the_others_are(
    make_engine: MakeEngine, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    bad, good = engine.add(a_job()), engine.add(a_job())
    for job in (bad, good):
        record_of(base, job).unlink()
    die(engine)
    store = Replay._store

    def stumble(self: Replay, job: Job) -> bool:
        if job.id == bad.id:
            raise ValueError("Nobody thought of that.")
        return store(self, job)

    monkeypatch.setattr(Replay, "_store", stumble)

    heir = make_engine()

    assert heir.get(good.id) == good
    with pytest.raises(RecordDamaged, match="Nobody thought of that"):
        heir.get(bad.id)
    (aside,) = (base / "quarantine").glob(f"*-{bad.id}.json")
    assert aside.read_bytes() == encoded(document_of(bad)), "mv brings it back"


class NoLinks(QuickDisk):
    """Fail to give files further names while told to."""

    broken = False

    def link(self, source: str, target: str) -> None:
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO), target)
        super().link(source, target)


def test_what_the_disk_refuses_keeps_the_entries_for_the_next_time(
    make_engine: MakeEngine, base: Path
) -> None:
    jobs = leave_with_a_wrong_key(make_engine(), base)
    disk = NoLinks()
    disk.broken = True

    with pytest.raises(EngineUnavailable):
        make_engine(disk=disk)

    heir = make_engine()
    assert [heir.get(job.id) for job in jobs] == jobs
    assert reasons(base) == ["The file of its idempotency key holds another key."], "no job was put aside"


def test_a_missing_quarantine_keeps_the_entries_for_the_next_time(
    make_engine: MakeEngine, base: Path
) -> None:
    neighbour = make_engine()
    jobs = leave_with_a_wrong_key(make_engine(), base)
    (base / "quarantine").rmdir()

    with pytest.raises(EngineUnavailable):
        neighbour._parts.replay.finish()
    (base / "quarantine").mkdir()
    neighbour.upkeep(NOW)

    assert [neighbour.get(job.id) for job in jobs] == jobs


def test_a_job_that_has_succeeded_is_never_shown_as_failed(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = claimed(engine)
    failed = lifecycle.failed(job, error=OOPS, now=NOW, final=True)
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))
    # Whoever comes second is refused when the entry stands in the journal already.
    engine._parts.journal.commit(Kind.ENDED, [encoded(document_of(failed))], job_id=job.id)
    die(engine)

    heir = make_engine()

    assert heir.get(job.id).state is State.SUCCEEDED
    assert list((base / "failed").iterdir()) == []
