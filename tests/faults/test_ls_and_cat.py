"""After whatever the bus or a person did: the folders, read by themselves, say what the engine says."""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import JobExpired, JobNotFound
from core.jobs import DEFAULT_QUEUE, Job, JobError, Progress, Query, State, Summary
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import NOW, a_job
from tests.faults.mutants import ROOM
from tests.queues.disks import QuickDisk

pytestmark = pytest.mark.timeout(600)

QUEUES = [DEFAULT_QUEUE, "browser"]
OOPS = JobError(code="action_error", message="Oops.")
STATES = {"inbound": State.QUEUED, "scheduled": State.QUEUED, "running": State.RUNNING}


class Remembering(FileEngine):
    """Answer from memory what was read once."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.known: dict[str, Summary] = {}

    def peek(self, job_id: str) -> Summary:
        return self.known.setdefault(job_id, super().peek(job_id))


class Counting(FileEngine):
    """Count the jobs that went through this process, instead of those that are there."""

    waiting = 0

    def add(self, job: Job) -> Job:
        self.waiting += 1
        return super().add(job)

    def claim(self, *arguments: object, **options: object) -> Job | None:
        job = super().claim(*arguments, **options)  # type: ignore[arg-type]
        self.waiting -= job is not None
        return job

    def count(self, query: Query = Query()) -> dict[State, int]:  # noqa: B008  The query is frozen.
        return super().count(query) | {State.QUEUED: self.waiting}


class World:
    """A queue, the jobs that are being worked on, and what a bus and its operator do, one thing at a time."""

    def __init__(self, base: Path, seed: int, make: type[FileEngine]) -> None:
        self.base = base
        self.engine = make(str(base), ROOM, disk=QuickDisk())
        self.chance = random.Random(seed)
        self.now = NOW
        self.held: list[Job] = []
        self.gone: set[str] = set()

    def step(self) -> str:
        """Do one thing and return what it was."""
        by_bus = [self.submit, self.submit, self.claim, self.claim, self.end, self.report, self.pass_time]
        by_hand = [
            self.remove,
            self.change_priority,
            self.edit,
            self.drop,
            self.drop_nonsense,
            self.run_again,
        ]
        act: Callable[[], None] = self.chance.choice([*by_bus, *by_bus, *by_hand, self.cancel, self.purge])
        act()
        self.engine.upkeep(self.now)
        return act.__name__

    def submit(self) -> None:
        delay = self.chance.choice([None, None, None, 30])
        self.engine.add(
            a_job(
                queue=self.chance.choice(QUEUES),
                priority=self.chance.randint(3, 7),
                run_after=None if delay is None else self.now + delay,
            )
        )

    def claim(self) -> None:
        job = self.engine.claim("w", now=self.now, lease=30, queues=QUEUES)
        self.held += [job] if job else []

    def end(self) -> None:
        if not self.held:
            return
        job = self.held.pop(self.chance.randrange(len(self.held)))
        self.engine.swap(
            job,
            self.chance.choice(
                [
                    lifecycle.succeeded(job, result=self.chance.choice([1, "x" * 70_000]), now=self.now),
                    lifecycle.failed(job, error=OOPS, now=self.now, delay=self.chance.choice([0, 20])),
                    lifecycle.given_back(job),
                    lifecycle.cancelled(job, now=self.now),
                ]
            ),
        )

    def report(self) -> None:
        if self.held:
            job = self.held.pop()
            self.held.append(lifecycle.progressed(job, Progress(fraction=0.5, at=self.now)))
            self.engine.swap(job, self.held[-1])

    def cancel(self) -> None:
        for path in self._some("inbound", "scheduled"):
            job = self.engine.get(path.stem)
            self.engine.swap(job, lifecycle.cancelled(job, now=self.now))

    def purge(self) -> None:
        before = {path.stem for path in records(self.base, "outbound")}
        self.engine.purge(self.now + 1)
        # Whoever has a key is kept for a day, and all dropped files have one.
        self.gone |= before - {path.stem for path in records(self.base, "outbound")}

    def pass_time(self) -> None:
        self.now += self.chance.choice([1, 30])

    def remove(self) -> None:
        for path in self._some("inbound", "scheduled"):
            path.unlink()
            self.gone.add(path.stem)

    def change_priority(self) -> None:
        for path in self._some("inbound"):
            level = path.parents[2] / f"p{self.chance.randint(3, 7)}" / path.parent.name
            level.mkdir(parents=True, exist_ok=True)
            path.rename(level / path.name)

    def edit(self) -> None:
        for path in self._some("inbound"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"params": {"by": "hand"}}))

    def drop(self) -> None:
        self._dropped('{"action": "fakejob"}')

    def drop_nonsense(self) -> None:
        self._dropped("{nonsense")

    def run_again(self) -> None:
        for path in self._some("outbound"):
            self._dropped(path.read_text())

    def _some(self, *tops: str) -> list[Path]:
        paths = sorted(path for top in tops for path in records(self.base, top))
        return [self.chance.choice(paths)] if paths else []

    def _dropped(self, text: str) -> None:
        path = self.base / "inbound" / f"by-hand-{self.chance.random()}.json"
        path.write_text(text)
        os.utime(path, (self.now - 60, self.now - 60))


def records(base: Path, top: str) -> Iterator[Path]:
    """Yield the records below a top folder, as `find` would."""
    for path in (base / top).rglob("*-*-7*-*-*.json"):
        if not path.name.endswith(".result.json"):
            yield path


def shown(base: Path) -> dict[str, State]:
    """Return the state of every job as `ls` and `cat` show it. Raises ValueError for what is no JSON."""
    states = {path.stem: state for top, state in STATES.items() for path in records(base, top) if whole(path)}
    ended = {path.stem: State(whole(path)["state"]) for path in records(base, "outbound")}
    assert not states.keys() & ended.keys(), "one job, one place"
    return states | ended


def whole(path: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads(path.read_bytes())
    return document


def locked(base: Path) -> set[str]:
    """Return the jobs whose records are locked: those that `lslocks` lists."""
    tops = ("inbound", "scheduled", "running", "outbound")
    return {path.stem for top in tops for path in records(base, top) if is_locked(path)}


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def differences(world: World) -> list[str]:
    """Return in what the folders and the engine differ."""
    states, engine = shown(world.base), world.engine
    counted = {state: number for state, number in engine.count().items() if number}
    listed = {job.id: job.state for job in pages(engine)}
    running = {job_id for job_id, state in states.items() if state is State.RUNNING}
    wrong = [f"counted {counted}"] if counted != Counter(states.values()) else []
    wrong += ["listed"] if listed != states else []
    wrong += [
        f"{job_id} is not {states[job_id]}"
        for job_id in states
        if engine.peek(job_id).state != states[job_id]
    ]
    wrong += [f"lock of {job_id}, {states.get(job_id)}" for job_id in locked(world.base) ^ running]
    return wrong + [f"{job_id} is known" for job_id in world.gone if is_alive(engine, job_id)]


def pages(engine: FileEngine) -> Iterator[Summary]:
    cursor = None
    while True:
        page = engine.find(Query(limit=1000, cursor=cursor))
        yield from page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return


def is_alive(engine: FileEngine, job_id: str) -> bool:
    try:
        engine.peek(job_id)
    except (JobNotFound, JobExpired):
        return False
    return True


def lived(base: Path, steps: int, make: type[FileEngine]) -> tuple[list[str], Counter[str]]:
    """Take so many steps, or until the folders and the engine differ; return in what, and what was done."""
    done: Counter[str] = Counter()
    world = World(base, steps, make)
    with closing(world.engine):
        for _ in range(steps):
            done[last := world.step()] += 1
            if wrong := differences(world):
                print(last, wrong)
                return wrong, done
    return [], done


def test_the_folders_show_what_the_engine_says_after_every_step(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    steps = effort(250, 2000)

    wrong, done = lived(quick_folder, steps, FileEngine)
    print(done)

    evidence(
        "P10",
        "steps of a bus and of its operator's hands, folders and locks compared with the engine after each",
        trials=done.total(),
        unexpected=len(wrong),
    )
    assert wrong == []
    assert all(done[name] for name in ("submit", "claim", "end", "remove", "edit", "drop", "run_again"))


@pytest.mark.parametrize("mutant", [Remembering, Counting])
def test_an_engine_with_a_memory_of_its_own_is_caught(
    quick_folder: Path, mutant: type[FileEngine], evidence: Evidence
) -> None:
    wrong, done = lived(quick_folder, 200, mutant)

    evidence(
        "P10", "engines with a memory of their own", trials=done.total(), mutants=1, caught=int(bool(wrong))
    )
    assert wrong
