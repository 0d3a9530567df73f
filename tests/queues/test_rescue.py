"""What dead workers and power cuts leave half done, and how it is set right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import Conflict
from core.jobs import DEFAULT_QUEUE, Job, JobError, Progress, State
from queues.file.engine import FileEngine
from tests.factories import NOW, a_job
from tests.queues.conftest import MakeEngine, die
from tests.queues.disks import QuickDisk

OOPS = JobError(code="action_error", message="Oops.")


def claimed(engine: FileEngine, now: float = NOW) -> Job:
    job = engine.claim("w", now=now, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    return job


class DyingDisk(QuickDisk):
    """Die, as at kill -9, just before a rename that is described."""

    def __init__(self) -> None:
        self.dies_at: Callable[[str, str], bool] = lambda source, target: False

    def rename(self, source: str, target: str) -> None:
        if self.dies_at(source, target):
            raise KeyboardInterrupt
        super().rename(source, target)


@pytest.mark.parametrize(("delay", "due"), [(0, NOW), (30, NOW + 30)])
def test_a_retry_cut_off_between_its_renames_is_finished_and_counted_once(
    make_engine: MakeEngine, delay: float, due: float
) -> None:
    disk = DyingDisk()
    engine = make_engine(disk=disk)
    engine.add(a_job())
    job = claimed(engine)
    disk.dies_at = lambda source, target: "/running/" in source
    with pytest.raises(KeyboardInterrupt):
        engine.swap(job, lifecycle.failed(job, error=OOPS, now=NOW, delay=delay))
    die(engine)
    heir = make_engine()

    abandoned = heir.abandoned(NOW)

    assert abandoned == []
    again = claimed(heir, due)
    assert again.attempt == 2
    assert [error.code for error in again.errors] == ["action_error"]


def test_a_final_record_beside_a_running_one_wins(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = claimed(engine)
    running = base / "running" / f"{job.id}.json"
    kept = base / "kept.json"
    os.link(running, kept)
    ended = lifecycle.succeeded(job, result=1, now=NOW)
    engine.swap(job, ended)
    os.link(kept, running)

    abandoned = engine.abandoned(NOW)

    assert abandoned == []
    assert not running.exists()
    assert engine.get(job.id) == ended
    assert engine.count()[State.RUNNING] == 0


def test_a_claimed_record_that_kept_its_old_name_is_not_run_twice(
    make_engine: MakeEngine, base: Path
) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = claimed(engine)
    die(engine)
    os.link(base / "running" / f"{job.id}.json", base / "inbound" / "p5" / job.id[:8] / f"{job.id}.json")
    heir = make_engine()

    nothing = heir.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    (lost,) = heir.abandoned(NOW)

    assert nothing is None
    assert lost.attempt == 1


def test_a_retried_record_beside_the_old_running_one_wins(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = claimed(engine)
    running, kept = base / "running" / f"{job.id}.json", base / "kept.json"
    os.link(running, kept)
    engine.swap(job, lifecycle.failed(job, error=OOPS, now=NOW))
    die(engine)
    os.link(kept, running)

    heir = make_engine()

    assert heir.abandoned(NOW) == []
    assert claimed(heir).attempt == 2


def test_a_rescued_version_is_higher_than_any_that_was_shown(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = claimed(engine)
    for step in range(5):
        further = lifecycle.progressed(job, Progress(fraction=step / 5, at=NOW))
        engine.swap(job, further)
        job = further
    die(engine)
    shutil.rmtree(base / "live")

    (lost,) = make_engine().abandoned(NOW)

    assert lost.version > job.version


def test_reports_go_on_after_their_folder_was_cleared(make_engine: MakeEngine, tmp_path: Path) -> None:
    live = tmp_path / "run" / "live"
    engine, other = make_engine(live_dir=str(live)), make_engine(live_dir=str(live))
    engine.add(a_job())
    job = claimed(engine)
    live.rmdir()
    further = lifecycle.progressed(job, Progress(fraction=0.5, at=NOW))

    engine.swap(job, further)

    assert other.get(job.id).progress == further.progress


def test_a_damaged_report_is_as_good_as_none(make_engine: MakeEngine, base: Path) -> None:
    engine, other = make_engine(), make_engine()
    engine.add(a_job())
    job = claimed(engine)
    (base / "live" / f"{job.id}.json").write_text('{"changes": "many"')

    assert other.get(job.id).state is State.RUNNING


class SomebodyElseIsQuicker(QuickDisk):
    """Put a final record in place just before ours is linked."""

    def link(self, source: str, target: str) -> None:
        if "/outbound/" in target:
            super().link(source, target)
            content = self.read_file(source).replace(b'"mine"', b'"theirs"')
            self.unlink(target)
            self.write_new(target, content)
        super().link(source, target)


def test_of_two_final_records_the_first_stays(make_engine: MakeEngine) -> None:
    engine = make_engine(disk=SomebodyElseIsQuicker())
    engine.add(a_job())
    job = claimed(engine)

    with pytest.raises(Conflict):
        engine.swap(job, lifecycle.succeeded(job, result="mine", now=NOW))

    assert engine.get(job.id).result == "theirs"


class BucketVanishes(QuickDisk):
    """Let another process claim a job and remove its empty bucket between our rename and our sync."""

    def __init__(self) -> None:
        self.other: FileEngine | None = None

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        if self.other is not None and "/inbound/" in target:
            other, self.other = self.other, None
            other.upkeep(NOW)
            claimed(other)
            Path(target).parent.rmdir()


def test_a_job_claimed_before_its_submission_returns_is_acknowledged(make_engine: MakeEngine) -> None:
    disk = BucketVanishes()
    engine = make_engine(disk=disk)
    disk.other = make_engine()

    job = engine.add(a_job())

    assert engine.get(job.id).state is State.RUNNING
    engine.add(a_job())


def test_wishes_for_jobs_that_run_no_more_are_swept(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    wish = base / "running" / f"{a_job().id}.cancel"
    wish.write_text("{}")

    engine.abandoned(NOW)

    assert not wish.exists()


def test_a_damaged_final_record_does_not_cost_the_running_job_beside_it(
    make_engine: MakeEngine, base: Path
) -> None:
    worker = make_engine()
    worker.add(a_job())
    job = claimed(worker)
    worker.upkeep(NOW)
    final = base / "outbound" / job.id[:8] / f"{job.id}.json"
    final.parent.mkdir()
    final.write_bytes(b"{")
    die(worker)

    (lost,) = make_engine().abandoned(NOW)

    assert lost.id == job.id
    assert not final.exists()
