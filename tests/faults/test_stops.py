"""Processes are stopped (SIGSTOP) in the middle of a job while others share the folder: they keep it."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.factories import a_job
from tests.faults.crew import a_crew, waited_for
from tests.faults.crew_audit import all_over, audit
from tests.faults.crew_audit import faults_in as faults_of_site
from tests.faults.crew_books import accounts, all_ended, faults_in, runs_of
from tests.faults.crew_clients import clients
from tests.faults.crew_processes import send
from tests.faults.crew_server import a_site, with_mutant
from tests.faults.mutants import ROOM
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FileEngine]:
    with closing(FileEngine(str(tmp_path / "queue"), ROOM)) as engine:
        yield engine


def stopped_in_their_jobs(
    engine: FileEngine, folder: Path, *options: str, workers: int, seconds: float
) -> Counter[str]:
    """Return the books of a crew of which so many were stopped for a while; two others went on working."""
    ids = [job.id for job in engine.add_many([a_job() for _ in range(40 * (workers + 2))])]
    with a_crew(folder / "queue", folder, "--longest", "0.2", *options, size=workers + 2) as crew:
        crew.until_all_work()
        stopped = {crew.stop_in_a_job(hand): hand for hand in crew.hands[:workers]}
        threading.Event().wait(seconds)
        meanwhile = runs_of(stopped, crew)
        for hand in stopped.values():
            hand.send(signal.SIGCONT)
        all_ended(engine, len(ids))
    books = accounts(crew, engine, ids)
    books.update(stopped=len(stopped), taken=meanwhile.total() - len(stopped))
    return books


def test_workers_that_are_stopped_keep_their_jobs(
    engine: FileEngine, tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    workers, seconds = effort(2, 20), effort(3, 60)

    books = stopped_in_their_jobs(engine, tmp_path, workers=workers, seconds=seconds)

    evidence("P4", f"worker processes stopped for {seconds} s in a job (SIGSTOP)", trials=workers, **books)
    assert not faults_in(books)
    assert books["taken"] == 0
    assert books["runs"] == books["jobs"]


def test_an_engine_with_leases_is_caught_when_workers_are_stopped(
    engine: FileEngine, tmp_path: Path, evidence: Evidence
) -> None:
    books = stopped_in_their_jobs(engine, tmp_path, "--mutant", "leased", workers=1, seconds=3)

    caught = faults_in(books)
    evidence("P4", "workers stopped, engine leased", trials=1, mutants=1, caught=int(bool(caught)))
    assert caught
    assert books["taken"] > 0


def an_errand(chance: random.Random) -> dict[str, Any]:
    return {"action": "errand", "seconds": chance.uniform(0.3, 1)}


def stopped_servers(folder: Path, *, seconds: float, mutant: str = "") -> Counter[str]:
    """Return the books of three servers on one folder; of two, processes were stopped in their jobs.

    Of the first it was the worker alone, of the second every process down to the attempts.
    """
    with a_site(folder, AAFAI_SLOTS="default=2") as site:
        first, second, third = (site.serve(command=with_mutant(mutant)) for _ in range(3))
        with clients(third.url, book=site.book, mix=an_errand, number=1, rest=0.15) as customers:
            # The third takes what it can; the others get to see the rest.
            assert waited_for(lambda: first.attempts() and second.attempts())
            customers.rest = 1.0
            stopped = [*first.workers(), *second.all()]
            send(signal.SIGSTOP, stopped)
            threading.Event().wait(seconds)
        send(signal.SIGCONT, stopped)
        all_over(site, customers)
        return audit(site, customers)


def test_servers_that_are_stopped_keep_their_jobs(tmp_path: Path, effort: Effort, evidence: Evidence) -> None:
    seconds = effort(3, 60)

    books = stopped_servers(tmp_path, seconds=seconds)

    evidence("P4", f"two of three servers on a folder stopped for {seconds} s", trials=2, **books)
    assert not faults_of_site(books)


def test_a_server_with_leases_is_caught_when_others_are_stopped(tmp_path: Path, evidence: Evidence) -> None:
    caught = shown(
        tmp_path, lambda folder: faults_of_site(stopped_servers(folder, seconds=3, mutant="leased"))
    )

    evidence("P4", "servers stopped, engine leased", trials=2, mutants=1, caught=int(bool(caught)))
    assert caught
