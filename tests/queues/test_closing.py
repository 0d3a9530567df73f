"""An engine is closed while threads are at work in it: they end what they began, and nothing is left."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.errors import EngineUnavailable, JobNotFound
from core.jobs import DEFAULT_QUEUE
from tests.factories import NOW, a_job
from tests.faults.crew import waited_for
from tests.queues.conftest import MakeEngine, record_of
from tests.queues.disks import QuickDisk


class HoldingDisk(QuickDisk):
    """Hold the next call of one kind until it is released."""

    def __init__(self) -> None:
        self.held = ""
        self.reached, self.release = threading.Event(), threading.Event()
        self.syncs = 0

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        self._hold("write_new")
        super().write_new(path, data, sync=sync, mtime=mtime)

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        self._hold("write_at")
        super().write_at(fd, data, position)

    def rename(self, source: str, target: str) -> None:
        self._hold("rename")
        super().rename(source, target)

    def sync_all(self, fd: int) -> None:
        self._hold("sync_all")
        self.syncs += 1

    def _hold(self, name: str) -> None:
        if self.held == name:
            self.held = ""
            self.reached.set()
            assert self.release.wait(30)


@contextmanager
def meanwhile(disk: HoldingDisk, held: str, work: Callable[[], Any]) -> Iterator[list[Any]]:
    """Let a thread work until it comes to that call, and go on with it at the end; yield what came of it."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    disk.held = held
    thread.start()
    assert disk.reached.wait(30)
    try:
        yield outcome
    finally:
        disk.release.set()
        thread.join(30)
        until_let_go()


def until_let_go() -> None:
    """Wait until engines that were closed while a call was held have let go of everything."""
    assert waited_for(lambda: all(thread.name != "closing" for thread in threading.enumerate()), seconds=30)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queues.file.engine._PATIENCE", 0.0, raising=False)


def volumes(base: Path) -> list[Path]:
    return list((base / "journal").iterdir())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("held", ["write_new", "write_at", "rename"])
def test_a_submit_under_way_ends_in_its_own_files_and_is_there_at_the_next_start(
    make_engine: MakeEngine, base: Path, tmp_path: Path, held: str
) -> None:
    disk = HoldingDisk()
    engine = make_engine(disk=disk)
    job = a_job()

    with meanwhile(disk, held, lambda: engine.add(job)) as outcome, ExitStack() as left:
        engine.close()
        # They get the numbers of all descriptors that were closed.
        others = [left.enter_context((tmp_path / f"other-{number}").open("w+b")) for number in range(4)]
        disk.release.set()
        while not outcome:
            pass
        sizes = [os.fstat(other.fileno()).st_size for other in others]

    assert outcome == [job]
    assert sizes == [0] * 4
    assert make_engine().get(job.id) == job


def test_closing_waits_for_the_calls_at_work_and_refuses_others(make_engine: MakeEngine, base: Path) -> None:
    disk = HoldingDisk()
    engine = make_engine(disk=disk)
    job = a_job()
    seen: list[bool] = []

    def close() -> None:
        engine.close()
        seen.append(bool(outcome))

    closer = threading.Thread(target=close)
    with meanwhile(disk, "write_at", lambda: engine.add(job)) as outcome:
        closer.start()
        while not engine._at_work.closed:
            closer.join(0.01)
        with pytest.raises(EngineUnavailable, match="closed"):
            engine.add(a_job())
        with pytest.raises(EngineUnavailable, match="closed"):
            engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        with pytest.raises(EngineUnavailable, match="closed"):
            engine.upkeep(NOW)
    closer.join(30)

    assert seen == [True]
    assert volumes(base) == list((base / "tmp").iterdir()) == []


def test_a_clean_close_leaves_nothing_to_replay_so_what_was_removed_by_hand_stays_away(
    make_engine: MakeEngine, base: Path
) -> None:
    engine = make_engine()
    kept, removed = engine.add(a_job()), engine.add(a_job())
    record_of(base, removed).unlink()

    engine.close()
    left = volumes(base)
    heir = make_engine()

    assert left == []
    assert heir.get(kept.id) == kept
    with pytest.raises(JobNotFound):
        heir.get(removed.id)


@pytest.mark.usefixtures("impatient")
def test_a_disk_that_hangs_holds_nobody_up_and_the_journal_keeps_what_it_has(
    make_engine: MakeEngine, base: Path
) -> None:
    disk = HoldingDisk()
    engine = make_engine(disk=disk)
    job = engine.add(a_job())
    mine = engine._parts.journal.fd
    disk.held = "sync_all"

    engine.close()
    assert disk.reached.wait(30)
    size, left, theirs = os.fstat(mine).st_size, volumes(base), make_engine().get(job.id)
    disk.release.set()
    until_let_go()

    assert size > 0, "the descriptor is still the journal's"
    assert len(left) == 2
    assert theirs == job


class BreakingDisk(HoldingDisk):
    """Fail to sync, once."""

    broken = False

    def sync_all(self, fd: int) -> None:
        if self.broken:
            self.broken = False
            raise OSError(errno.EIO, "broken")
        super().sync_all(fd)


def test_an_engine_in_doubt_syncs_nothing_more_and_leaves_its_journal_to_the_next_start(
    make_engine: MakeEngine, base: Path
) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    job = engine.add(a_job())
    disk.syncs, disk.broken = 0, True
    with pytest.raises(EngineUnavailable):
        engine.upkeep(NOW)

    engine.close()
    left = volumes(base)

    assert disk.syncs == 0
    assert len(left) == 1
    assert make_engine().get(job.id) == job


def test_a_sync_that_fails_while_closing_leaves_the_journal_too(make_engine: MakeEngine, base: Path) -> None:
    disk = BreakingDisk()
    engine = make_engine(disk=disk)
    job = engine.add(a_job())
    disk.syncs, disk.broken = 0, True

    engine.close()

    assert (disk.syncs, len(volumes(base))) == (0, 1)
    assert make_engine().get(job.id) == job


def test_closing_twice_is_closing_once(make_engine: MakeEngine) -> None:
    engine = make_engine()

    engine.close()
    engine.close()

    with pytest.raises(EngineUnavailable, match="closed"):
        engine.count()
