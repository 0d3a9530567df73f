"""Whatever is damaged, mending never costs a job whose own files are sound; while a bus runs neither."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import BusError
from core.jobs import DEFAULT_QUEUE, Job
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.doctor.conftest import Ward
from tests.factories import NOW, a_job, an_id

Chance = random.Random


def zero(path: Path, chance: Chance) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path, chance: Chance) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def flip(path: Path, chance: Chance) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def replace_by_link(path: Path, chance: Chance) -> None:
    path.unlink()
    path.symlink_to(chance.choice(["/etc/passwd", "nothing", path.name]))


def replace_by_folder(path: Path, chance: Chance) -> None:
    path.unlink()
    path.mkdir()


#: These may cost the job whose record they hit.
HARMFUL: list[Callable[[Path, Chance], object]] = [zero, cut, flip, replace_by_link, replace_by_folder]


def misplace(path: Path, chance: Chance) -> None:
    elsewhere = path.parent / chance.choice(["deadbeef", "mine", f"{an_id()[:8]}x"])
    elsewhere.mkdir(exist_ok=True)
    path.rename(elsewhere / path.name)


def copy(path: Path, chance: Chance) -> None:
    """Copy a record to another level, as somebody does who means to move it."""
    base = next(parent for parent in path.parents if (parent / "FORMAT.json").exists())
    bucket = base / "inbound" / f"p{chance.randrange(10)}" / path.name[:8]
    bucket.mkdir(parents=True, exist_ok=True)
    if not (bucket / path.name).exists():
        shutil.copy2(path, bucket / path.name)


def link(path: Path, chance: Chance) -> None:
    base = next(parent for parent in path.parents if (parent / "FORMAT.json").exists())
    bucket = base / "inbound" / "p9" / path.name[:8]
    bucket.mkdir(parents=True, exist_ok=True)
    if not (bucket / path.name).exists():
        os.link(path, bucket / path.name)


def change_mode(path: Path, chance: Chance) -> None:
    path.chmod(chance.choice([0o000, 0o444, 0o666, 0o777, 0o600]))


def misdate(path: Path, chance: Chance) -> None:
    moment = NOW + chance.uniform(-1e6, 1e6)
    os.utime(path, (moment, moment))


#: These must not cost a job, whichever they hit.
HARMLESS: list[Callable[[Path, Chance], object]] = [change_mode, misdate]
#: Nor must these, of a job that waits.
OF_WAITING = [misplace, copy, link]


def litter(ward: Ward, chance: Chance) -> None:
    """Put things of all kinds where they do not belong, and take away what can be made anew."""
    places = ["inbound", "inbound/p5", "scheduled", "running", "outbound", "failed", "keys", "tmp", "journal"]
    for _ in range(chance.randrange(6)):
        name = chance.choice(
            ["x", f"{an_id()}.json", "deadbeef", f"{an_id()}.cancel", "1-0123abcd", "x.journal"]
        )
        path = ward.base / chance.choice(places) / name
        if not os.path.lexists(path):
            kinds = [
                path.mkdir,
                lambda path=path: path.write_text("{}"),
                lambda path=path: path.symlink_to("x"),
            ]
            chance.choice(kinds)()
    for name in chance.sample(
        ["FORMAT.json", "reserve.bin", "logs", "tombstones", "locks"], chance.randrange(3)
    ):
        path = ward.base / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for view in (ward.base / "failed").glob(f"{chance.choice('0123456789abcdef')}*.json"):
        if view.is_file():
            view.unlink()


def damage(ward: Ward, chance: Chance) -> set[str]:
    """Damage some of what is there; return the ids of the jobs that this may have cost."""
    hit: set[str] = set()
    for job in ward.jobs:
        if chance.random() < 0.3:
            path = ward.record(job)
            chance.choice(HARMFUL)(path, chance)
            hit.add(job.id)
        elif chance.random() < 0.3:
            chance.choice(HARMLESS)(ward.record(job), chance)
        elif job in [*ward.waiting, *ward.deferred, *ward.keyed] and chance.random() < 0.3:
            chance.choice(OF_WAITING)(ward.record(job), chance)
    litter(ward, chance)
    return hit


def run_all(engine: FileEngine) -> list[str]:
    """Run every job that waits or is deferred; return the ids in the order in which they ran."""
    ran = []
    later = NOW + 1e7
    engine.upkeep(later)
    while job := engine.claim("heir", now=later, lease=30, queues=[DEFAULT_QUEUE]):
        ran.append(job.id)
        engine.swap(job, lifecycle.succeeded(job, result=1, now=later))
    return ran


@pytest.mark.parametrize("seed", range(4))
def test_mending_random_damage_costs_no_job_that_is_sound(
    make_ward: Callable[[], Ward], seed: int, effort: Effort, evidence: Evidence
) -> None:
    trials, hits = effort(6, 250), 0
    for trial in range(trials):
        chance = Chance(f"{seed} {trial}")
        ward = make_ward()
        ward.fill(3)
        hit = damage(ward, chance)

        ward.mend()
        left = {code for code, found in ward.examine().items() if found.kind.mending}
        with closing(ward.open()) as engine:
            lost = [job.id for job in ward.jobs if job.id not in hit and not same(engine, job)]
            ran = run_all(engine)

        assert not lost, f"seed {seed}, trial {trial}"
        assert left == set(), f"seed {seed}, trial {trial}"
        shutil.rmtree(ward.base)
        expected = [job.id for job in [*ward.waiting, *ward.deferred, *ward.keyed, *ward.orphans]]
        assert sorted({*ran} - hit) == sorted({*expected} - hit), f"seed {seed}, trial {trial}"
        assert len(ran) == len(set(ran)), f"seed {seed}, trial {trial}"
        hits += len(hit)
    evidence("P12", "random damage mended by the doctor", trials=trials, damaged=hits, lost=0, duplicated=0)


def same(engine: FileEngine, job: Job) -> bool:
    """Return whether the engine knows the job as it was, or as its rescue makes it."""
    try:
        found = engine.get(job.id)
    except BusError:
        return False
    return (found.params, found.result, found.run_after) == (job.params, job.result, job.run_after)


class Worker(threading.Thread):
    """A bus of one thread: submits, claims, ends, gives back, keeps its folder up, until told to stop."""

    def __init__(self, engine: FileEngine, chance: Chance) -> None:
        super().__init__()
        self.engine = engine
        self.chance = chance
        self.halt = threading.Event()
        self.submitted: list[str] = []
        self.ended: list[str] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        try:
            while not self.halt.is_set() or len(self.submitted) < 50:
                self.step()
            self.halt.set()
            while self.work():
                pass
        except Exception as error:
            self.errors.append(error)

    def step(self) -> None:
        fields: dict[str, object] = {"priority": self.chance.randrange(10)}
        if self.chance.random() < 0.3:
            fields |= {"idempotency_key": f"w{len(self.submitted)}", "body_hash": "b"}
        self.submitted.append(self.engine.add(a_job(**fields)).id)
        if self.chance.random() < 0.8:
            self.work()
        if self.chance.random() < 0.1:
            self.engine.upkeep(NOW)

    def work(self) -> bool:
        job = self.engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        if job is None:
            return False
        if self.chance.random() < 0.2 and job.attempt < job.max_attempts:
            self.engine.swap(job, lifecycle.given_back(job))
        else:
            result = "x" * self.chance.choice([1, 70_000])
            self.engine.swap(job, lifecycle.succeeded(job, result=result, now=NOW))
            self.ended.append(job.id)
        return True


def test_mending_beside_a_bus_that_works_costs_it_nothing(
    make_ward: Callable[[], Ward], effort: Effort, evidence: Evidence
) -> None:
    trials, submitted = effort(3, 60), 0
    for trial in range(trials):
        chance = Chance(trial)
        ward = make_ward()
        ward.fill(2)
        hit = damage(ward, chance)
        ward.mend()
        with closing(ward.open()) as engine:
            before = run_all(engine)
            worker = Worker(engine, chance)
            worker.start()
            found = [ward.mend()[0] for _ in range(3)]
            worker.halt.set()
            worker.join()
            known = [job_id for job_id in worker.submitted if engine.get(job_id).state.ended]

        shutil.rmtree(ward.base)
        assert not worker.errors
        assert known == worker.submitted
        assert sorted(worker.ended) == sorted(set(worker.submitted)), f"trial {trial}"
        assert len(before) == len(set(before))
        damaged = {
            "record_damaged",
            "final_damaged",
            "key_damaged",
            "waiting_twice",
            "two_names",
            "misplaced",
        }
        assert not [codes for codes in found if codes.keys() & damaged], f"trial {trial}"
        assert hit <= {job.id for job in ward.jobs}
        submitted += len(worker.submitted)
    evidence("P12", "the doctor at work beside a bus", trials=trials, jobs=submitted, lost=0, duplicated=0)
