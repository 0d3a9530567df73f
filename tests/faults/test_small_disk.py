"""A disk that is really full: submissions are refused in time, and all that was accepted is finished."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from core import lifecycle
from core.errors import Conflict, DiskFull, EngineUnavailable, JobNotFound, OutcomeUnknown
from core.jobs import DEFAULT_QUEUE, Job, State
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.faults.images import an_image

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

T = TypeVar("T")

MIB = 1 << 20
#: The kernel insists until the store takes an outcome, and XFS frees what was removed a moment later.
TRIES, PAUSE = 30, 0.02
#: Jobs between two rounds of upkeep, which the kernel does every second.
ROUND = 10
SIZE = 64  # MiB
ROOM = FileOptions(min_free_bytes=8 * MIB, min_free_share=0.05, reserve_bytes=4 * MIB)
#: What would go wrong without the reserve, and without the door that closes in time.
BROKEN = {
    "no reserve": FileOptions(min_free_bytes=8 * MIB, min_free_share=0.05, reserve_bytes=0),
    "no door": FileOptions(min_free_bytes=0, min_free_share=0.0, reserve_bytes=0),
}
#: What makes mkfs leave nothing to root, and accept so small an image.
SMALL = {"ext4": ("-m", "0"), "xfs": ("--unsupported",)}
#: What makes it spare of inodes.
FEW_INODES = {"ext4": ("-N", "1024"), "xfs": ("-i", "maxpct=1")}


@contextmanager
def a_small_queue(kind: str, *options: str, room: FileOptions = ROOM) -> Iterator[tuple[FileEngine, Path]]:
    """Open a queue on a disk of 64 MiB; yield it and the disk's folder."""
    with an_image(kind, mebibytes=SIZE, options=(*SMALL[kind], *options)) as image:
        engine = FileEngine(str(image.folder / "queue"), room)
        try:
            yield engine, image.folder
        finally:
            engine.close()
            del engine._parts  # the test still holds the engine, and its folders would hold the disk
            gc.collect()


def filled(engine: FileEngine, *, padding: int) -> tuple[list[Job], Job]:
    """Submit until a job is refused; return the accepted jobs and the refused one."""
    accepted: list[Job] = []
    while True:
        if len(accepted) % ROUND == 0:
            engine.upkeep(NOW)
        job = a_job(params={"text": "x" * padding})
        try:
            accepted.append(engine.add(job))
        except DiskFull:
            return accepted, job


def take_all_bytes(folder: Path) -> Path:
    """Fill the disk to the last block, as other programs do; return the file that did it."""
    hog = folder / "hog"
    with suppress(OSError), hog.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return hog


def take_all_inodes(folder: Path) -> None:
    """Make empty files until no other can be made."""
    crowd = folder / "crowd"
    crowd.mkdir()
    with suppress(OSError):
        for number in range(1_000_000):
            (crowd / str(number)).touch()


def insisted(engine: FileEngine, step: Callable[[], T]) -> T:
    """Take a step, again and again while the disk is full, with upkeep in between, as the kernel does."""
    for _ in range(TRIES):
        with suppress(DiskFull, OutcomeUnknown):
            return step()
        with suppress(EngineUnavailable):
            engine.upkeep(NOW)
        threading.Event().wait(PAUSE)
    return step()


def finished(engine: FileEngine) -> list[Job]:
    """Run jobs until none is left, or none can be ended any more; return those that ended."""
    ended: list[Job] = []
    with suppress(EngineUnavailable):
        while job := insisted(engine, lambda: engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])):
            ended.append(ending_of(engine, job))
            if len(ended) % ROUND == 0:
                insisted(engine, lambda: engine.upkeep(NOW))
    return ended


def ending_of(engine: FileEngine, job: Job) -> Job:
    done = lifecycle.succeeded(job, result={"of": job.id}, now=NOW)
    with suppress(Conflict):  # when it was stored after all
        insisted(engine, lambda: engine.swap(job, done))
    return done


def unended(engine: FileEngine) -> int:
    counted = engine.count()
    return counted[State.QUEUED] + counted[State.RUNNING]


def test_a_disk_that_the_queue_alone_fills_refuses_in_time_and_finishes_what_it_accepted(
    kind: str, effort: Effort, evidence: Evidence
) -> None:
    padding = effort(100_000, 10_000)
    with a_small_queue(kind) as (engine, _):
        accepted, refused = filled(engine, padding=padding)
        ended = finished(engine)

        evidence(
            "P16",
            f"accepted until {kind} of {SIZE} MiB was full, then drained",
            trials=len(accepted),
            stuck=unended(engine),
            lost=sum(engine.get(job.id) != job for job in ended),
        )
        assert len(accepted) > 100
        assert [job.id for job in ended] == [job.id for job in accepted]
        assert all(engine.get(job.id) == job for job in ended)
        with pytest.raises(JobNotFound):
            engine.get(refused.id)


def test_when_others_take_the_last_block_the_reserve_lets_every_accepted_job_end(
    kind: str, effort: Effort, evidence: Evidence
) -> None:
    # Each end takes up to a block more than its record did: as many as the reserve has blocks can end.
    padding = effort(100_000, 25_000)
    with a_small_queue(kind) as (engine, folder):
        accepted, _ = filled(engine, padding=padding)
        hog = take_all_bytes(folder)

        ended = finished(engine)
        hog.unlink()

        evidence(
            "P16",
            f"drained on {kind} that others had filled to the last block",
            trials=len(accepted),
            stuck=unended(engine),
        )
        assert len(ended) == len(accepted)
        assert unended(engine) == 0
        # How much was accepted in the last moment before the door closed differs, and so does what is left.
        engine.purge(NOW + 1)
        assert insisted(engine, lambda: engine.add(a_job())) is not None


@pytest.mark.parametrize("ended_before", [0, 1])
def test_when_others_take_the_last_inode_every_accepted_job_ends_still(
    kind: str, ended_before: int, evidence: Evidence
) -> None:
    with a_small_queue(kind, *FEW_INODES[kind]) as (engine, folder):
        for _ in range(ended_before):
            engine.add(a_job())
        finished(engine)
        accepted, _ = filled(engine, padding=10)
        take_all_inodes(folder)

        ended = finished(engine)

        evidence(
            "P16",
            f"drained on {kind} without a free inode",
            trials=len(accepted),
            stuck=unended(engine),
        )
        assert len(accepted) > 200
        assert len(ended) == len(accepted)
        assert unended(engine) == 0


@pytest.mark.parametrize("lack", BROKEN)
def test_a_queue_without_its_reserve_or_its_door_is_stopped_by_a_full_disk(
    kind: str, lack: str, evidence: Evidence
) -> None:
    with a_small_queue(kind, room=BROKEN[lack]) as (engine, folder):
        accepted, _ = filled(engine, padding=100_000)
        take_all_bytes(folder)

        ended = finished(engine)

        caught = len(ended) < len(accepted)
        evidence(
            "P16",
            "a queue without its reserve, or that refuses nothing",
            trials=len(accepted),
            mutants=1,
            caught=int(caught),
        )
        assert caught
