"""One record in ten is damaged, wherever it lies: each costs its own job and no other, and is told of."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import BusError, RecordDamaged
from core.jobs import DEFAULT_QUEUE, Job
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.faults.corruptor import DAMAGES, as_nobody, flipped, give_to_nobody
from tests.faults.mutants import ROOM
from tests.queues.disks import QuickDisk

pytestmark = pytest.mark.timeout(600)

SHARE = 0.1
FAR = NOW + 1e6
#: Of ten jobs: how many wait, are deferred, run for a worker that dies, and have ended.
MIX = {"waiting": 6, "deferred": 1, "running": 1, "ended": 2}


@dataclass(frozen=True)
class Stock:
    """The jobs of a queue whose process is gone."""

    jobs: list[Job]
    #: Those of them whose record is damaged, to the damage.
    hit: dict[str, str]


def stocked(base: Path, number: int) -> list[Job]:
    """Fill a queue with jobs in every state, and let its process die."""
    share = {state: number * tenths // 10 for state, tenths in MIX.items()}
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as engine:
        first = [a_job(params=params(which)) for which in range(share["ended"] + share["running"])]
        engine.add_many(first)
        claimed = [engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) for _ in first]
        for job in claimed[: share["ended"]]:
            assert job is not None
            engine.swap(job, lifecycle.succeeded(job, result=job.params, now=NOW))
        rest = [a_job(params=params(which)) for which in range(share["waiting"])]
        rest += [a_job(params=params(which), run_after=NOW + 60) for which in range(share["deferred"])]
        engine.add_many(rest)
        engine.upkeep(NOW)
    return first + rest


def params(which: int) -> dict[str, object]:
    return {"url": f"https://example.org/{which}", "text": "x" * (which % 500)}


def damaged(base: Path, jobs: list[Job], chance: random.Random) -> Stock:
    """Damage one record in ten, whichever it is."""
    hit = {}
    tops = ("inbound", "scheduled", "running", "outbound")
    paths = {path.stem: path for top in tops for path in (base / top).rglob("*-*-*-*-*.json")}
    for number, job in enumerate(chance.sample(jobs, int(len(jobs) * SHARE))):
        damage = DAMAGES[number % len(DAMAGES)]
        damage(paths[job.id], chance)
        hit[job.id] = damage.__name__
    return Stock(jobs, hit)


class Rude(QuickDisk):
    """Let every error of opening a file through as it is."""

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


class Discarding(FileEngine):
    """Throw away what is damaged."""

    def __init__(self, base: str, options: FileOptions, *, disk: QuickDisk) -> None:
        super().__init__(base, options, disk=disk)
        self._parts.quarantine.put = self._discard  # type: ignore[method-assign]

    def _discard(self, path: str, reason: str, **_: object) -> None:
        shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


Opened = Callable[[Path], FileEngine]


def sound(base: Path) -> FileEngine:
    return FileEngine(str(base), ROOM, disk=QuickDisk())


MUTANTS: dict[str, Opened] = {
    "rude": lambda base: FileEngine(str(base), ROOM, disk=Rude()),
    "discarding": lambda base: Discarding(str(base), ROOM, disk=QuickDisk()),
}


def survived(base: Path, stock: Stock, opened: Opened) -> Counter[str]:
    """Open the queue anew, run all that can be run, and return the figures."""
    figures: Counter[str] = Counter()
    try:
        with closing(opened(base)) as engine:
            figures.update(run_all(engine, stock))
            figures.update(judge(engine, stock))
    except Exception as error:
        print(f"{error!r}")
        figures["crashes"] += 1
    return +figures


def run_all(engine: FileEngine, stock: Stock) -> Counter[str]:
    """Rescue, promote and run until nothing is left, as often as there are jobs at most."""
    for lost in engine.abandoned(FAR):
        engine.swap(lost, lifecycle.lost(lost, now=FAR))
    engine.upkeep(FAR)
    for _ in range(2 * len(stock.jobs)):
        job = engine.claim("heir", now=FAR, lease=30, queues=[DEFAULT_QUEUE])
        if job is None:
            break
        engine.swap(job, lifecycle.succeeded(job, result=job.params, now=FAR))
    return Counter(stuck=sum(number for state, number in engine.count().items() if not state.ended))


def judge(engine: FileEngine, stock: Stock) -> Counter[str]:
    """Ask for every job."""
    figures: Counter[str] = Counter()
    for job in stock.jobs:
        figures.update(verdict(engine, job, stock.hit.get(job.id)))
    return figures


def verdict(engine: FileEngine, job: Job, damage: str | None) -> dict[str, int]:
    """Return what became of one job: a sound one is to be finished, a damaged one told of by its reason."""
    try:
        stored = engine.get(job.id)
    except RecordDamaged as error:
        return {"told": 1} if damage and error.reason else {"lost": 1}
    except BusError:
        return {"lost": 1}
    if damage is None:
        return {"finished": 1} if stored.state.ended and stored.result == job.params else {"lost": 1}
    if damage != flipped.__name__:
        return {"swallowed": 1}
    # Flipped bits may leave a record that is as good as any, say one that is due years later.
    return {"unnoticed": 1, "stuck": 0 if stored.state.ended else -1}


def outcome(base: Path, number: int, opened: Opened = sound) -> tuple[Stock, Counter[str]]:
    """Stock a queue, damage it, and return what was damaged and what an engine made of it."""
    base.mkdir()
    give_to_nobody(base)
    with as_nobody():
        jobs = stocked(base, number)
    stock = damaged(base, jobs, random.Random(number))
    with as_nobody():
        return stock, survived(base, stock, opened)


def test_one_damaged_record_in_ten_costs_those_jobs_and_no_other(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    number = effort(500, 10_000)

    stock, figures = outcome(quick_folder, number)
    print(figures)

    names = ("finished", "told", "unnoticed", "lost", "swallowed", "stuck", "crashes")
    evidence(
        "P12",
        "jobs of which one in ten has a damaged record",
        trials=number,
        damaged=len(stock.hit),
        **{name: figures[name] for name in names},
    )
    assert len(stock.hit) == number * SHARE
    assert set(figures) <= {"finished", "told", "unnoticed"}
    assert figures["finished"] == number - len(stock.hit)
    assert figures["told"] + figures["unnoticed"] == len(stock.hit)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_an_engine_that_stumbles_over_damaged_records_is_caught(
    quick_folder: Path, mutant: str, evidence: Evidence
) -> None:
    _, figures = outcome(quick_folder, 200, MUTANTS[mutant])

    caught = bool(set(figures) - {"finished", "told", "unnoticed"})
    evidence("P12", "engines that stumble over damaged records", trials=200, mutants=1, caught=int(caught))
    assert caught
