"""Whatever is dropped into inbound/: each file becomes one job or lies in quarantine with a sentence why."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BusError
from core.ids import uuid7
from core.jobs import Job, Json, State
from queues.file.adopt import Adoption
from queues.file.engine import FileEngine
from queues.file.quarantine import Quarantine
from tests.conftest import Effort, Evidence
from tests.factories import NOW
from tests.faults.dropped import SOUND, drop
from tests.faults.mutants import ROOM
from tests.queues.conftest import die
from tests.queues.disks import FaultyDisk, QuickDisk

FILES = 3


def taken_in(base: Path, number: int) -> Counter[str]:
    """Drop so many files at once and return what became of them."""
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as engine:
        paths = list(drop(base / "inbound", number, random.Random(number), dated=NOW - 60))
        try:
            engine.upkeep(NOW)
        except BusError as error:
            print(error)
            return Counter(crashes=1)
        left = sum(os.path.lexists(path) for path in paths)
        jobs = engine.count()[State.QUEUED]
    aside = [path for path in (base / "quarantine").iterdir() if not path.name.endswith(".reason.txt")]
    told = sum(bool(reason_of(path)) for path in aside)
    return Counter(jobs=jobs, quarantined=told, left=left, swallowed=number - jobs - told - left)


def reason_of(path: Path) -> str:
    reason = path.with_name(f"{path.name}.reason.txt")
    return reason.read_text().strip() if reason.exists() else ""


def crashed_everywhere(base: Path) -> Counter[str]:
    """Let the adoption of files die at each disk call in turn, and another engine go on; return figures."""
    figures: Counter[str] = Counter()
    for number in range(1, 10_000):
        shutil.rmtree(base, ignore_errors=True)
        disk = FaultyDisk(0, error=errno.EIO, for_ever=False)
        engine = FileEngine(str(base), ROOM, disk=disk)
        for which in range(FILES):
            path = base / "inbound" / f"{which}.json"
            path.write_text(json.dumps(SOUND))
            os.utime(path, (NOW - 60, NOW - 60))
        disk.number, disk.for_ever = disk.seen + number, True
        jobs = jobs_after_a_death(engine, disk, base)
        if not disk.failed:
            return figures
        figures.update(crashes_survived=1, duplicated=max(0, jobs - FILES), lost=max(0, FILES - jobs))
    return figures


def jobs_after_a_death(engine: FileEngine, disk: FaultyDisk, base: Path) -> int:
    """Return how many jobs there are when one engine has died while adopting and another went on."""
    with suppress(BusError):
        engine.upkeep(NOW)
    disk.number, disk.for_ever = 0, False
    die(engine)
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as heir:
        heir.upkeep(NOW)
        return heir.count()[State.QUEUED]


def test_every_file_becomes_a_job_or_lies_in_quarantine_with_a_reason(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    number = effort(500, 5000)

    figures = taken_in(quick_folder, number)
    print(figures)

    names = ("jobs", "quarantined", "left", "swallowed", "crashes")
    evidence(
        "P11",
        "files dropped: sound, changed, cut, flipped, noise, odd names, pipes, sockets, links",
        trials=number,
        **{name: figures[name] for name in names},
    )
    assert figures["jobs"] + figures["quarantined"] == number
    assert figures["jobs"] > number / 10
    assert figures["quarantined"] > number / 10


def test_an_adoption_that_dies_at_any_disk_call_makes_one_job_a_file(
    quick_folder: Path, evidence: Evidence
) -> None:
    figures = crashed_everywhere(quick_folder)

    trials = figures["crashes_survived"]
    evidence(
        "P11",
        f"deaths at each disk call while {FILES} files are adopted",
        trials=trials,
        lost=figures["lost"],
        duplicated=figures["duplicated"],
    )
    assert trials > 20
    assert (figures["lost"], figures["duplicated"]) == (0, 0)


def test_an_adoption_that_knows_no_file_again_is_caught(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, evidence: Evidence
) -> None:
    job_of = Adoption._job

    def forgetful(adoption: Adoption, document: Json, status: os.stat_result) -> Job:
        return replace(
            job_of(adoption, document, status), idempotency_key=str(uuid7(1, random.getrandbits(62)))
        )

    monkeypatch.setattr(Adoption, "_job", forgetful)

    figures = crashed_everywhere(quick_folder)

    caught = figures["duplicated"] > 0
    evidence("P11", "an adoption that knows no file again", trials=1, mutants=1, caught=int(caught))
    assert caught


def test_a_quarantine_that_throws_away_is_caught(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, evidence: Evidence
) -> None:
    def throw_away(quarantine: Quarantine, path: str, reason: str, **_: object) -> None:
        Path(path).unlink()

    monkeypatch.setattr(Quarantine, "put", throw_away)

    figures = taken_in(quick_folder, 100)

    caught = figures["swallowed"] > 0
    evidence("P11", "a quarantine that throws away", trials=100, mutants=1, caught=int(caught))
    assert caught
