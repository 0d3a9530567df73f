"""A disk that others have filled: what was accepted goes on, out of the reserve, and nothing is burned."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import pytest

from core.errors import DiskFull, EngineInDoubt, EngineUnavailable
from core.jobs import DEFAULT_QUEUE, Job, State
from queues.file import journal
from queues.file.disk import CLAIMED_BIT, OpenFolder
from queues.file.engine import FileEngine
from tests.factories import NOW, a_job
from tests.queues.conftest import MakeEngine, die, record_of
from tests.queues.disks import QuickDisk

#: Bytes by which a journal grows here: so few that a score of entries fills them.
STEP = 4096


class SmallDisk(QuickDisk):
    """Have no room, when told so, for anything but what is written over; the reserve makes some."""

    def __init__(self, base: Path) -> None:
        self.reserve_file = base / "reserve.bin"
        self.was_relieved = False
        self.is_full = False

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        self._find_room(path)
        super().write_new(path, data, sync=sync, mtime=mtime)

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        if position + len(data) > self.status_of(fd).st_size:
            self._find_room(str(fd))
        super().write_at(fd, data, position)

    def make_folder(self, path: str) -> None:
        self._find_room(path)
        super().make_folder(path)

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.was_relieved |= path == str(self.reserve_file)

    def _find_room(self, path: str) -> None:
        if self.is_full and not self.was_relieved:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def claim(engine: FileEngine) -> Job | None:
    return engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])


def claim_all(engine: FileEngine) -> None:
    """Claim until nothing is left."""
    while claim(engine) is not None:
        pass


def with_a_full_journal(engine: FileEngine, disk: SmallDisk) -> list[Job]:
    """Let many jobs wait for their only attempt, on a disk on which no journal can grow any more."""
    jobs = [engine.add(a_job(max_attempts=1)) for _ in range(60)]
    for _ in range(2):
        engine.upkeep(NOW)
    disk.is_full = True
    return jobs


def test_a_claim_that_a_full_disk_refuses_leaves_the_job_as_it_was(
    make_engine: MakeEngine, base: Path
) -> None:
    disk = SmallDisk(base)
    engine = make_engine(disk=disk, journal_step=STEP)
    jobs = with_a_full_journal(engine, disk)
    before = {job.id: record_of(base, job).stat().st_mtime for job in jobs}

    for _ in range(2):
        with pytest.raises(DiskFull):
            claim_all(engine)

    left = [job for job in jobs if engine.get(job.id).state is State.QUEUED]
    assert len(left) == len(jobs) - len(list((base / "running").iterdir()))
    statuses = {job.id: record_of(base, job).stat() for job in left}
    assert not any(status.st_mode & CLAIMED_BIT for status in statuses.values())
    assert {job_id: status.st_mtime for job_id, status in statuses.items()} == {
        job.id: before[job.id] for job in left
    }
    assert engine.abandoned(NOW) == []
    disk.is_full = False
    again = claim(engine)
    assert again is not None
    assert (again.id, again.attempt) == (left[0].id, 1)


def test_the_reserve_is_given_up_for_a_claim(make_engine: MakeEngine, base: Path) -> None:
    disk = SmallDisk(base)
    engine = make_engine(disk=disk, journal_step=STEP, reserve_bytes=STEP)
    jobs = with_a_full_journal(engine, disk)

    claim_all(engine)

    assert engine.count()[State.RUNNING] == len(jobs)
    assert disk.was_relieved


@pytest.mark.parametrize("keyed", [False, True])
def test_a_queue_is_opened_on_a_full_disk_with_what_the_reserve_gives(
    make_engine: MakeEngine, base: Path, *, keyed: bool
) -> None:
    engine = make_engine(reserve_bytes=STEP)
    key = {"idempotency_key": "one", "body_hash": "b"} if keyed else {}
    job = engine.add(a_job(**key))
    os.truncate(record_of(base, job), 0)
    die(engine)
    disk = SmallDisk(base)
    disk.is_full = True

    heir = make_engine(disk=disk, reserve_bytes=STEP)

    assert heir.get(job.id) == job


def test_replay_takes_from_the_reserve_what_it_writes(make_engine: MakeEngine, base: Path) -> None:
    disk = SmallDisk(base)
    neighbour = make_engine(disk=disk, reserve_bytes=STEP)
    engine = make_engine(reserve_bytes=STEP)
    job = engine.add(a_job())
    os.truncate(record_of(base, job), 0)
    die(engine)
    disk.is_full = True

    neighbour.upkeep(NOW)

    assert neighbour.get(job.id) == job


class OneVolume(QuickDisk):
    """Have room for a single volume."""

    left = 1

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write_at(fd, data, position)
        self.left -= 1


def test_a_start_that_a_full_disk_refuses_leaves_nothing_behind(make_engine: MakeEngine, base: Path) -> None:
    make_engine().close()
    before = open_files()

    with pytest.raises(DiskFull):
        make_engine(disk=OneVolume())
    gc.collect()

    assert open_files() == before
    assert [*(base / "journal").iterdir(), *(base / "tmp").glob("*/*")] == []


@pytest.fixture
def small_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a volume be too large once it has grown."""
    monkeypatch.setattr(journal, "_LARGEST", STEP)


def grow(engine: FileEngine) -> None:
    """Let the volume that takes entries grow."""
    volume = engine._parts.journal._open
    while volume.size == STEP:
        engine.add(a_job())


@pytest.mark.usefixtures("small_volumes")
def test_a_volume_that_was_once_large_makes_way_for_a_small_one(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine(journal_step=STEP)
    grow(engine)

    engine.upkeep(NOW)

    assert [path.stat().st_size for path in (base / "journal").iterdir()] == [STEP] * 2


@pytest.mark.usefixtures("small_volumes")
def test_where_there_is_no_room_for_a_small_volume_the_large_one_goes_on(
    make_engine: MakeEngine, base: Path
) -> None:
    disk = SmallDisk(base)
    engine = make_engine(disk=disk, journal_step=STEP)
    grow(engine)
    before, volumes = open_files(), sorted((base / "journal").iterdir())
    disk.is_full = True

    engine.upkeep(NOW)

    assert open_files() == before
    assert list((base / "tmp").glob("*/*")) == []
    assert sorted((base / "journal").iterdir()) == volumes
    disk.is_full = False
    job = engine.add(a_job())
    assert engine.get(job.id) == job


class UnsyncedJournal(QuickDisk):
    """Fail to sync the folder of the volumes while told to."""

    error = 0

    def sync_folder(self, folder: OpenFolder) -> None:
        if self.error and folder.path.endswith("/journal"):
            raise OSError(self.error, os.strerror(self.error), folder.path)


@pytest.mark.usefixtures("small_volumes")
def test_a_volume_whose_name_is_not_durable_takes_no_entries(make_engine: MakeEngine, base: Path) -> None:
    disk = UnsyncedJournal()
    engine = make_engine(disk=disk, journal_step=STEP)
    grow(engine)
    volumes = sorted((base / "journal").iterdir())
    disk.error = errno.EIO

    with pytest.raises(EngineUnavailable):
        engine.upkeep(NOW)
    disk.error = 0

    assert sorted((base / "journal").iterdir()) == volumes
    with pytest.raises(EngineInDoubt, match="volume"):
        engine.add(a_job())


@pytest.mark.usefixtures("small_volumes")
def test_being_short_of_descriptors_is_no_doubt_about_the_disk(make_engine: MakeEngine) -> None:
    disk = UnsyncedJournal()
    engine = make_engine(disk=disk, journal_step=STEP)
    grow(engine)
    disk.error = errno.EMFILE

    engine.upkeep(NOW)

    job = engine.add(a_job())
    assert engine.get(job.id) == job
