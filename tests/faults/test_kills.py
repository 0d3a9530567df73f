"""Processes are killed under load: no job is missing, none runs without need, nothing is left over."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import a_job
from tests.faults.crew import a_crew
from tests.faults.crew_books import accounts, all_ended, faults_in, seconds_to_notice
from tests.faults.mutants import ROOM

pytestmark = pytest.mark.timeout(300)

#: No job may fail because its workers died so often.
MANY = 1000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FileEngine]:
    with closing(FileEngine(str(tmp_path / "queue"), ROOM)) as engine:
        yield engine


def killed_under_load(
    engine: FileEngine, folder: Path, *options: str, jobs: int, kills: int, patience: float = 100.0
) -> tuple[Counter[str], list[float]]:
    """Return the books of a crew of which many were killed, and how soon each death was noticed."""
    ids = [job.id for job in engine.add_many([a_job(max_attempts=MANY) for _ in range(jobs)])]
    with a_crew(folder / "queue", folder, *options, size=4) as crew:
        crew.until_all_work()
        crew.kill_some(kills, random.Random(3))
        all_ended(engine, jobs, seconds=patience)
    return accounts(crew, engine, ids), seconds_to_notice(crew)


def test_killed_workers_cost_a_run_each_and_no_job(
    engine: FileEngine, tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    kills = effort(10, 200)

    books, noticed = killed_under_load(engine, tmp_path, jobs=effort(800, 16_000), kills=kills)

    evidence("P4", "worker processes killed with SIGKILL under load", trials=kills, **books)
    evidence(
        "P4",
        "milliseconds until a killed worker's job ran again",
        trials=len(noticed),
        median=round(1000 * noticed[len(noticed) // 2]),
        most=round(1000 * noticed[-1]),
    )
    assert not faults_in(books)
    assert books["kills"] == kills
    # Who dies between the end of a job and saying so leaves nothing to be run again.
    assert books["kills_in_a_job"] >= len(noticed) > 0


@pytest.mark.parametrize("mutant", ["lockless", "heedless"])
def test_an_engine_that_cannot_tell_the_dead_is_caught(
    engine: FileEngine, tmp_path: Path, evidence: Evidence, mutant: str
) -> None:
    # Long jobs, so that every round of a janitor meets some that run and whose workers live.
    options = ("--longest", "0.8", "--mutant", mutant)
    books, _ = killed_under_load(engine, tmp_path, *options, jobs=40, kills=4, patience=6)

    caught = faults_in(books)
    evidence("P4", f"workers killed, engine {mutant}", trials=4, mutants=1, caught=int(bool(caught)))
    assert caught
