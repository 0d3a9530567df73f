"""Several processes on one folder: no job is claimed twice, none is missed, no death moves others' claims."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.jobs import Job
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import a_job, an_id
from tests.faults.crew import Crew, a_crew
from tests.faults.crew_audit import all_over, audit
from tests.faults.crew_audit import faults_in as faults_of_site
from tests.faults.crew_books import accounts, all_ended, faults_in
from tests.faults.crew_clients import Clients, clients
from tests.faults.crew_server import Site, a_site, with_mutant
from tests.faults.mutants import ROOM
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(300)

PROCESSES = 4
#: Jobs between two dropped files, and half of those between two kills.
BETWEEN = 25
#: Jobs are submitted in so many portions at least, each when the one before has ended.
PORTIONS = 4


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FileEngine]:
    with closing(FileEngine(str(tmp_path / "queue"), ROOM)) as engine:
        yield engine
    shutil.rmtree(tmp_path / "queue")  # which may hold many thousands of files


def some_jobs(number: int, chance: random.Random) -> list[Job]:
    """Return jobs of several priorities, one in ten of them due a little later."""
    now = SystemClock().now()
    dues = [now + chance.uniform(0, 0.5) if chance.random() < 0.1 else None for _ in range(number)]
    return [a_job(id=an_id(now), priority=chance.choice((3, 5, 9)), run_after=due) for due in dues]


def shared_by_processes(
    engine: FileEngine, folder: Path, *options: str, jobs: int, patience: float = 60.0
) -> tuple[Counter[str], list[int]]:
    """Return the books of processes that share a folder, and how many jobs each of them ended."""
    chance = random.Random(14)
    ids: list[str] = []
    with a_crew(folder / "queue", folder, *options, size=PROCESSES) as crew:
        crew.until_ready()
        while len(ids) < jobs or not min(shares_of(crew)):
            ids += [job.id for job in engine.add_many(some_jobs(jobs // PORTIONS, chance))]
            if not all_ended(engine, len(ids), seconds=patience):
                break
    return accounts(crew, engine, ids), shares_of(crew)


def shares_of(crew: Crew) -> list[int]:
    return [sum(event.kind == "ended" for event in hand.events()) for hand in crew.hands]


def test_processes_that_share_a_folder_claim_every_job_once(
    engine: FileEngine, tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    jobs = effort(500, 80_000)

    books, shares = shared_by_processes(engine, tmp_path, "--longest", "0", jobs=jobs)

    evidence("P14", f"claims of {PROCESSES} processes on one folder", trials=books["runs"], **books)
    assert not faults_in(books)
    assert books["runs"] == books["jobs"] >= jobs
    assert min(shares) > 0


@pytest.mark.parametrize("mutant", ["lockless", "blind"])
def test_an_engine_that_is_not_made_for_company_is_caught(
    engine: FileEngine, tmp_path: Path, evidence: Evidence, mutant: str
) -> None:
    # Long jobs, so that every round of a janitor meets some that run.
    options = ("--longest", "0.8", "--mutant", mutant)
    books, _ = shared_by_processes(engine, tmp_path, *options, jobs=40, patience=5)

    caught = faults_in(books)
    evidence("P14", f"processes share, engine {mutant}", trials=1, mutants=1, caught=int(bool(caught)))
    assert caught


def now_or_soon(chance: random.Random) -> dict[str, Any]:
    soon = {"run_after": chance.uniform(0.1, 1)} if chance.random() < 0.3 else {}
    return {"action": chance.choice(["chore", "errand"]), "seconds": chance.uniform(0, 0.1), **soon}


def drop_a_file(site: Site, customers: Clients, number: int) -> None:
    """Put a file into the folder in which every server looks for such files."""
    tag = f"dropped-{number}"
    params = {"book": str(site.book), "tag": tag}
    draft = site.folder / tag
    draft.write_text(json.dumps({"action": "chore", "params": params}))
    customers.tried.add(tag)
    draft.rename(site.queues / "inbound" / f"{tag}.json")


def kernels_on_one_folder(folder: Path, *, jobs: int, mutant: str = "") -> Counter[str]:
    """Return the books of two servers, one with three workers, of which now and then one is killed."""
    command = with_mutant(mutant)
    with a_site(folder, AAFAI_SLOTS="default=2") as site:
        many, single = site.serve(command=(*command, "--workers", "3")), site.serve(command=command)
        with clients(many.url, single.url, book=site.book, mix=now_or_soon) as customers:
            for number in range(jobs // BETWEEN):
                customers.until_kept(BETWEEN * number)
                drop_a_file(site, customers, number)
                if number % 2:
                    site.kill(many.workers()[0])
            customers.until_kept(jobs)
        all_over(site, customers)
        return audit(site, customers)


def test_kernels_that_share_a_folder_run_every_job_once(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    jobs = effort(150, 3000)

    books = kernels_on_one_folder(tmp_path, jobs=jobs)

    evidence("P14", "jobs of four kernels on one folder, of which some are killed", trials=jobs, **books)
    assert not faults_of_site(books)
    assert books["killed"] > 0
    assert books["recovered"] >= jobs // BETWEEN, "each dropped file is a job"


def test_a_kernel_that_is_not_made_for_company_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    caught = shown(
        tmp_path, lambda folder: faults_of_site(kernels_on_one_folder(folder, jobs=100, mutant="lockless"))
    )

    evidence("P14", "kernels share, engine lockless", trials=1, mutants=1, caught=int(bool(caught)))
    assert caught
