"""The engines under contract, each with its own way of losing a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from core.engine import Engine
from core.jobs import DEFAULT_QUEUE, Job
from queues import open_engine
from queues.file.engine import FileEngine
from tests.factories import NOW
from tests.queues.conftest import die

LEASE = 30.0


class Bench(Protocol):
    """An engine at work, and what a test may do to it from outside."""

    engine: Engine
    now: float
    #: Whether jobs outlive the process; claims do not.
    survives_restart: bool

    def claim(self, now: float | None = None) -> Job | None: ...

    def lose_worker(self) -> Job:
        """Let a worker claim the next job and die."""
        ...

    def restart(self) -> None:
        """End the process that has the engine and start another, where the engine survives that."""
        ...

    def close(self) -> None: ...


class MemoryBench:
    survives_restart = False

    def __init__(self, **options: object) -> None:
        self.engine: Engine = open_engine("memory:", **options)
        self.now = NOW

    def claim(self, now: float | None = None) -> Job | None:
        when = self.now if now is None else now
        return self.engine.claim("worker-1", now=when, lease=LEASE, queues=[DEFAULT_QUEUE])

    def lose_worker(self) -> Job:
        job = self.engine.claim("doomed", now=self.now, lease=0.0, queues=[DEFAULT_QUEUE])
        assert job is not None
        return job

    def restart(self) -> None:
        pass

    def close(self) -> None:
        self.engine.close()


class FileBench:
    survives_restart = True

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.options = options
        self.now = NOW
        self.engine: Engine = self._open()

    def claim(self, now: float | None = None) -> Job | None:
        when = self.now if now is None else now
        return self.engine.claim("worker-1", now=when, lease=LEASE, queues=[DEFAULT_QUEUE])

    def lose_worker(self) -> Job:
        doomed = self._open()
        job = doomed.claim("doomed", now=self.now, lease=LEASE, queues=[DEFAULT_QUEUE])
        _die(doomed)
        assert job is not None
        return job

    def restart(self) -> None:
        _die(self.engine)
        self.engine = self._open()

    def close(self) -> None:
        self.engine.close()

    def _open(self) -> Engine:
        return open_engine(
            f"file:{self.folder}", **({"reserve_bytes": 0, "min_free_bytes": 0} | self.options)
        )


def _die(engine: Engine) -> None:
    assert isinstance(engine, FileEngine)
    die(engine)


MakeBench = Callable[..., Bench]


@pytest.fixture(params=["memory", "file"])
def make_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBench]:
    """Make engines of one kind, each with a store of its own."""
    made: list[Bench] = []

    def make(**options: object) -> Bench:
        bench: Bench = (
            MemoryBench(**options)
            if request.param == "memory"
            else FileBench(tmp_path / f"queue-{len(made)}", **options)
        )
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()


@pytest.fixture
def engine(bench: Bench) -> Engine:
    return bench.engine
