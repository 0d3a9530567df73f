"""However many jobs wait: opening, claiming and an urgent job look at a few folders, never at all of them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.ids import uuid7
from core.jobs import DEFAULT_QUEUE, Job
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.faults.mutants import ROOM
from tests.queues.disks import QuickDisk

pytestmark = pytest.mark.timeout(600)

CLAIMS = 100
#: So many jobs were submitted in the time of one folder.
IN_A_FOLDER = 4096
_FOLDER_NS = 65_536_000_000


@dataclass
class LookingDisk(QuickDisk):
    """Count the names that are read from folders."""

    seen: int = 0

    def names(self, path: str) -> list[str]:
        names = super().names(path)
        self.seen += len(names)
        return names

    def entries(self, path: str) -> Iterator[os.DirEntry[str]]:
        for entry in super().entries(path):
            self.seen += 1
            yield entry


class Sorting(FileEngine):
    """List all that waits before each claim, and take the first."""

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        disk, folders = self._parts.site.disk, self._parts.site.folders
        level = self._parts.site.layout.level(DEFAULT_QUEUE, 5)
        sorted(name for bucket in folders.buckets(level) for name in disk.names(f"{level}/{bucket}"))
        return super().claim(worker, now=now, lease=lease, queues=queues)


@dataclass
class Cost:
    """What it took to open a queue, and to claim."""

    #: Names read while it was opened, at the first claim, at all other claims.
    opening: int = 0
    first: int = 0
    others: int = 0
    #: Milliseconds, to be read and not to be judged.
    took: Counter[str] = field(default_factory=Counter)


def filled(base: Path, depth: int) -> None:
    """Let so many jobs wait.

    Those that will be claimed have records of their own; of the others there are the names, all of one file.
    """
    start = int(NOW * 1e9) // _FOLDER_NS * _FOLDER_NS
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as engine:
        apart = _FOLDER_NS // IN_A_FOLDER
        real = [a_job(id=uuid7(start + number * apart, number)) for number in range(2 * CLAIMS)]
        engine.add_many(real)
        engine.upkeep(NOW)
    level = base / "inbound" / "p5"
    record = level / real[-1].id[:8] / f"{real[-1].id}.json"
    for number in range(2 * CLAIMS, depth):
        job_id = uuid7(start + number * apart, number)
        if number % IN_A_FOLDER == 0:
            (level / job_id[:8]).mkdir(exist_ok=True)
        os.link(record, level / job_id[:8] / f"{job_id}.json")


def cost_of(base: Path, make: type[FileEngine] = FileEngine) -> Cost:
    """Open the queue, claim a hundred jobs and then an urgent one; return what it cost."""
    disk, cost, at = LookingDisk(), Cost(), time.perf_counter()
    with closing(make(str(base), ROOM, disk=disk)) as engine:
        cost.opening, cost.took["opening"] = disk.seen, round(1000 * (time.perf_counter() - at))
        for number in range(CLAIMS):
            before, at = disk.seen, time.perf_counter()
            assert engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) is not None
            if number == 0:
                cost.first, cost.took["first"] = disk.seen - before, round(1000 * (time.perf_counter() - at))
            else:
                cost.others += disk.seen - before
        urgent = engine.add(a_job(priority=9))
        claimed = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        assert claimed is not None
        assert claimed.id == urgent.id
    return cost


def is_cheap(cost: Cost, depth: int) -> bool:
    """Return whether no more was read than the folder in which the claims are, and the folders' own names."""
    folders = 20 + depth // IN_A_FOLDER
    return (
        cost.opening < 4 * folders
        and cost.first < 2 * IN_A_FOLDER + 4 * folders
        and cost.others < 2 * IN_A_FOLDER + 4 * folders
    )


def test_neither_the_start_nor_a_claim_looks_at_all_that_waits(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    depth = effort(30_000, 1_000_000)
    filled(quick_folder, depth)

    cost = cost_of(quick_folder)

    evidence(
        "P13",
        f"a queue opened and {CLAIMS} jobs claimed with {depth:,} waiting",
        trials=CLAIMS,
        names_read_to_open=cost.opening,
        names_read_for_the_first_claim=cost.first,
        names_read_for_the_others=cost.others,
        ms_to_open=cost.took["opening"],
        ms_to_the_first_claim=cost.took["first"],
    )
    assert is_cheap(cost, depth)


def test_an_engine_that_sorts_all_that_waits_is_caught(quick_folder: Path, evidence: Evidence) -> None:
    depth = 5 * IN_A_FOLDER
    filled(quick_folder, depth)

    caught = not is_cheap(cost_of(quick_folder, Sorting), depth)

    evidence("P13", "an engine that sorts all that waits", trials=CLAIMS, mutants=1, caught=int(caught))
    assert caught
