"""A failing disk: every call fails once, or all from one on, and nothing that was acknowledged is lost."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import BusError, Conflict, DiskFull, EngineUnavailable, OutcomeUnknown
from core.jobs import DEFAULT_QUEUE, State
from queues.file.disk import OpenFolder
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.queues.conftest import MakeEngine, die
from tests.queues.disks import FaultyDisk, QuickDisk
from tests.queues.story import Story, audit

OPTIONS = FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0)


def told(folder: Path, disk: FaultyDisk) -> Story | None:
    """Tell the story to an engine on a failing disk and let the engine die."""
    try:
        engine = FileEngine(str(folder), OPTIONS, disk=disk)
    except BusError:
        return None
    story = Story(engine)
    story.tell()
    disk.number, disk.for_ever = 0, False
    die(engine)
    return story


@pytest.mark.parametrize(
    ("error", "for_ever", "stride"),
    [
        (errno.EIO, False, 1),
        (errno.EIO, True, 4),
        (errno.ENOSPC, False, 3),
        (errno.ENOSPC, True, 5),
        (errno.EMFILE, False, 4),
        (errno.EDQUOT, False, 5),
        (errno.EROFS, True, 7),
    ],
)
def test_no_failing_call_loses_or_repeats_what_was_acknowledged(
    quick_folder: Path, error: int, for_ever: bool, stride: int, *, effort: Effort, evidence: Evidence
) -> None:
    number, wrong, trials, stride = 1, [], 0, effort(stride, 1)
    while True:
        disk = FaultyDisk(number, error=error, for_ever=for_ever)
        story = told(quick_folder, disk)
        if not disk.failed:
            break
        heir = FileEngine(str(quick_folder), OPTIONS, disk=QuickDisk())
        found = audit(story, heir, until=0) if story else []
        found += ["drafts are left"] if len(list((quick_folder / "tmp").iterdir())) > 1 else []
        wrong += [f"{disk.failed[0]} as call {number}: {what}" for what in found]
        heir.close()
        shutil.rmtree(quick_folder)
        number += stride
        trials += 1

    figures = {name: sum(name in what for what in wrong) for name in ("lost", "ran twice", "still there")}
    evidence(
        "P3",
        "each disk call failing, once and for ever: EIO, ENOSPC, EDQUOT, EMFILE, EROFS",
        trials=trials,
        lost=figures["lost"],
        duplicated=figures["ran twice"],
        stuck=figures["still there"],
        unexpected=len(wrong) - sum(figures.values()),
    )
    assert number > 100
    assert wrong == []


class HushingDisk(QuickDisk):
    """Neither write into open files nor link from some call on, and say that all went well."""

    def __init__(self, number: int) -> None:
        self.left = number

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        if self._writes():
            super().write_at(fd, data, position)

    def link(self, source: str, target: str) -> None:
        if self._writes():
            super().link(source, target)

    def _writes(self) -> bool:
        self.left -= 1
        return self.left > 0


def test_a_disk_whose_faults_are_hushed_up_is_caught(quick_folder: Path, evidence: Evidence) -> None:
    engine = FileEngine(str(quick_folder), OPTIONS, disk=HushingDisk(12))
    story = Story(engine)
    story.tell()
    die(engine)

    heir = FileEngine(str(quick_folder), OPTIONS, disk=QuickDisk())
    wrong = audit(story, heir, until=0)
    heir.close()

    evidence("P3", "a disk whose faults are hushed up", trials=1, mutants=1, caught=int(bool(wrong)))
    assert wrong


class BreakingDisk(QuickDisk):
    """Fail chosen calls from when it is told."""

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        self._perhaps("write_new", path)
        super().write_new(path, data, sync=sync, mtime=mtime)

    def open_folder(self, path: str) -> OpenFolder:
        self._perhaps("open_folder", path)
        return super().open_folder(path)

    def sync_data(self, fd: int) -> None:
        self._perhaps("sync_data", str(fd))

    def sync_all(self, fd: int) -> None:
        self._perhaps("sync_all", str(fd))

    def _perhaps(self, name: str, path: str) -> None:
        if name in self.broken:
            raise OSError(self.broken[name], "broken", path)


def test_a_full_disk_is_named_and_the_next_job_is_stored_when_there_is_room(make_engine: MakeEngine) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    disk.broken["write_new"] = errno.ENOSPC

    with pytest.raises(DiskFull, match="full"):
        engine.add(a_job())

    disk.broken.clear()
    engine.add(a_job())
    assert engine.count()[State.QUEUED] == 1


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write"),
        (errno.EMFILE, "too many open files"),
        (errno.EIO, "disk failed"),
    ],
)
def test_a_failing_disk_is_reported_in_plain_words(
    make_engine: MakeEngine, number: int, sentence: str
) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    disk.broken["write_new"] = number

    with pytest.raises(EngineUnavailable, match=sentence) as failure:
        engine.add(a_job())
    with pytest.raises(EngineUnavailable):
        engine.check()

    assert failure.value.hint


def test_after_a_failed_sync_the_outcome_is_unknown_and_nothing_is_claimed(
    make_engine: MakeEngine,
) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    first = engine.add(a_job())
    job = a_job()
    disk.broken["sync_data"] = errno.EIO

    with pytest.raises(OutcomeUnknown) as failure:
        engine.add(job)
    disk.broken.clear()

    assert failure.value.job_id == job.id
    with pytest.raises(EngineUnavailable, match="unknown"):
        engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    with pytest.raises(EngineUnavailable, match="unknown"):
        engine.add(a_job())
    with pytest.raises(EngineUnavailable, match="unknown"):
        engine.check()
    engine.close()
    assert make_engine().get(first.id) == first, "recovery reads what is on the disk"


def test_when_the_files_cannot_be_synced_the_journal_keeps_them_and_the_engine_stops(
    make_engine: MakeEngine,
) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    job = engine.add(a_job())
    disk.broken["sync_all"] = errno.EIO

    with pytest.raises(EngineUnavailable, match="failed"):
        engine.upkeep(NOW)
    disk.broken.clear()

    with pytest.raises(EngineUnavailable, match="unknown"):
        engine.add(a_job())
    engine.close()
    assert make_engine().get(job.id) == job


def test_a_process_that_is_short_of_descriptors_stores_nothing_and_goes_on_when_it_has_some_again(
    make_engine: MakeEngine,
) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    job = a_job()
    disk.broken["write_new"] = errno.EMFILE

    with pytest.raises(EngineUnavailable, match="open files"):
        engine.add(job)
    disk.broken.clear()

    assert engine.count()[State.QUEUED] == 0
    assert engine.add(job).id == job.id
    claimed = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert claimed is not None
    assert claimed.id == job.id


def test_a_result_that_cannot_be_written_leaves_the_claim(make_engine: MakeEngine) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    engine.add(a_job())
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    done = lifecycle.succeeded(job, result=1, now=NOW)
    disk.broken["write_new"] = errno.ENOSPC

    with pytest.raises(DiskFull):
        engine.swap(job, done)

    disk.broken.clear()
    assert make_engine().abandoned(NOW) == []
    engine.swap(job, done)
    assert engine.get(job.id) == done
    with pytest.raises(Conflict):
        engine.swap(job, done)


@pytest.mark.parametrize("name", ["open", "lock", "rename", "mark_claimed"])
def test_a_claim_that_fails_leaves_the_job_to_the_next(make_engine: MakeEngine, name: str) -> None:
    disk = FaultyDisk(0, error=errno.EIO, for_ever=False)
    engine = make_engine(disk=disk)
    assert engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) is None, "now it is known as empty"
    job = engine.add(a_job())
    disk.only, disk.number = name, disk.seen + 1

    with pytest.raises(EngineUnavailable):
        engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])

    again = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert again is not None
    assert (again.id, again.attempt) == (job.id, 1)


def test_new_jobs_are_refused_while_room_remains_for_the_accepted_ones(make_engine: MakeEngine) -> None:
    before = make_engine()
    accepted = before.add(a_job())

    engine = make_engine(min_free_bytes=1 << 60)

    with pytest.raises(DiskFull, match="nearly full"):
        engine.add(a_job())
    with pytest.raises(DiskFull, match="nearly full"):
        engine.check()
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))
    assert engine.get(accepted.id).state is State.SUCCEEDED


class FullUntilRelieved(QuickDisk):
    """Have no room for final records as long as the reserve is there."""

    def __init__(self, base: Path) -> None:
        self.reserve_file = base / "reserve.bin"
        self.is_full = False

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        if self.is_full and self.reserve_file.exists():
            raise OSError(errno.ENOSPC, "full", path)
        super().write_new(path, data, sync=sync, mtime=mtime)


def test_the_reserve_is_given_up_for_the_results_of_running_jobs(make_engine: MakeEngine, base: Path) -> None:
    disk = FullUntilRelieved(base)
    engine = make_engine(disk=disk, reserve_bytes=4096)
    engine.add(a_job())
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    disk.is_full = True

    with pytest.raises(DiskFull):
        engine.add(a_job())
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))

    assert engine.get(job.id).state is State.SUCCEEDED
    assert not disk.reserve_file.exists()
    disk.is_full = False
    engine.upkeep(NOW)
    assert disk.reserve_file.stat().st_size == 4096
