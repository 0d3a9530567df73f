"""Folders and engines for tests of the file engine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.jobs import Job
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.queues.disks import QuickDisk

MakeEngine = Callable[..., FileEngine]


def die(engine: FileEngine) -> None:
    """Let go of everything as a dead process does, with entries in the journal."""
    engine._parts.site.doubt = "the process died"
    engine.close()


def record_of(base: Path, job: Job) -> Path:
    """Return where the record of a waiting job lies."""
    (path,) = (base / "inbound").rglob(f"{job.id}.json")
    return path


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory, if that is to be had: for tests that write and remove thousands of files."""
    memory = Path("/dev/shm")
    top = Path(tempfile.mkdtemp(prefix="aafai-bus-", dir=memory if memory.is_dir() else None))
    (top / "queue").mkdir()
    yield top / "queue"
    shutil.rmtree(top)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "queue"


@pytest.fixture
def make_engine(base: Path) -> Iterator[MakeEngine]:
    """Open engine objects on one folder, as several processes do."""
    opened: list[FileEngine] = []

    def make(folder: Path = base, *, disk: QuickDisk | None = None, **options: object) -> FileEngine:
        chosen = {"min_free_bytes": 0, "min_free_share": 0.0, "reserve_bytes": 0} | options
        engine = FileEngine(str(folder), FileOptions(**chosen), disk=disk or QuickDisk())  # type: ignore[arg-type]
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> FileEngine:
    return make_engine()
