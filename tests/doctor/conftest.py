"""A queue with a job of every sort, and a doctor for it."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config import Config
from core import lifecycle
from core.jobs import DEFAULT_QUEUE, Job, JobError
from doctor import Bench, Finding, Flaw, Group, Patient, Surroundings, admit, examine
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.factories import NOW, a_job
from tests.fakes import FakeClock
from tests.queues.disks import QuickDisk

ACTION = '"""Do nothing."""\n\n\ndef run() -> None:\n    """Do nothing."""\n'


@dataclass
class Ward:
    """A queue's folder, what was put into it, and how it is examined."""

    base: Path
    config: Config
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW + 100))
    waiting: list[Job] = field(default_factory=list)
    deferred: list[Job] = field(default_factory=list)
    keyed: list[Job] = field(default_factory=list)
    orphans: list[Job] = field(default_factory=list)
    succeeded: list[Job] = field(default_factory=list)
    large: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)

    @property
    def jobs(self) -> list[Job]:
        groups = (
            self.waiting,
            self.deferred,
            self.keyed,
            self.orphans,
            self.succeeded,
            self.large,
            self.failed,
        )
        return [job for group in groups for job in group]

    def open(self) -> FileEngine:
        live = str(self.config.runtime_dir / "live")
        return FileEngine(str(self.base), FileOptions(live_dir=live, min_free_bytes=0), disk=QuickDisk())

    def fill(self, each: int = 2) -> None:
        """Put so many jobs of every sort into the queue, and leave it as a crash of the worker does."""
        with closing(self.open()) as engine:
            for _ in range(each):
                self.succeeded.append(_ended(engine, _small))
                self.large.append(_ended(engine, _large))
                self.failed.append(_ended(engine, _failed))
                self.orphans.append(_claimed(engine))
            for number in range(each):
                self.waiting.append(engine.add(a_job()))
                self.deferred.append(engine.add(a_job(run_after=NOW + 3600)))
                self.keyed.append(engine.add(a_job(idempotency_key=f"k{number}", body_hash="b")))
            engine.upkeep(NOW)

    def record(self, job: Job) -> Path:
        """Return where the record of a job lies."""
        (path,) = (path for path in self.base.glob(f"*/**/{job.id}.json") if path.parts[-2] != "failed")
        return path

    def patient(self) -> Patient:
        return admit(str(self.base), Surroundings(config=self.config, source="the test"), self.clock)

    def examine(self) -> dict[str, Finding]:
        """Examine, changing nothing; return what was found by its code."""
        return by_code(list(examine(self.patient())))

    def mend(self) -> tuple[dict[str, Finding], list[str]]:
        """Mend; return what was found, and what was done where."""
        told: list[str] = []
        patient = self.patient()

        def mended(flaw: Flaw, done: str) -> None:
            told.append(f"{flaw.where}: {done}")

        with closing(Bench(patient, disk=QuickDisk())) as bench:
            return by_code(list(examine(patient, bench=bench, mended=mended))), told


def by_code(groups: list[Group]) -> dict[str, Finding]:
    return {finding.kind.code: finding for group in groups for finding in group.findings}


def tree(base: Path) -> dict[str, str]:
    """Return everything that can be told of a folder: names, kinds, modes, owners, times, contents, links."""
    return {str(path.relative_to(base.parent)): _told(path) for path in [base, *sorted(base.rglob("*"))]}


def _told(path: Path) -> str:
    status = os.lstat(path)
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f"{status.st_mode:o} {status.st_uid} {status.st_nlink} {status.st_ino} {status.st_mtime_ns} {content}"
    )


def _small(job: Job) -> Job:
    return lifecycle.succeeded(job, result=1, now=NOW)


def _large(job: Job) -> Job:
    return lifecycle.succeeded(job, result="x" * 70_000, now=NOW)


def _failed(job: Job) -> Job:
    return lifecycle.failed(job, error=JobError(code="x", message="x"), now=NOW, final=True)


def _claimed(engine: FileEngine) -> Job:
    engine.add(a_job())
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    return job


def _ended(engine: FileEngine, end: Callable[[Job], Job]) -> Job:
    job = _claimed(engine)
    engine.swap(job, end(job))
    return engine.get(job.id)


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which nobody listens, and nobody else will while the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def settings(tmp_path: Path, port: int) -> dict[str, str]:
    actions = tmp_path / "actions"
    actions.mkdir()
    (actions / "fakejob.py").write_text(ACTION)
    return {
        "QUEUE_BASE_PATH": str(tmp_path / "queue"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_ACTIONS_DIR": str(actions),
        "AAFAI_MIN_FREE": "1",
        "AAFAI_PORT": str(port),
    }


@pytest.fixture
def make_ward(settings: dict[str, str], tmp_path: Path) -> Callable[[], Ward]:
    """Make wards whose queues are not there yet, each with a folder of its own."""
    numbers = itertools.count()

    def make() -> Ward:
        base = tmp_path / f"queue-{next(numbers)}"
        return Ward(base, Config.load(settings | {"QUEUE_BASE_PATH": str(base)}))

    return make


@pytest.fixture
def ward(make_ward: Callable[[], Ward]) -> Ward:
    """A queue that a worker has left by dying, with two jobs of every sort."""
    ward = make_ward()
    ward.fill()
    return ward
