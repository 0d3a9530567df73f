"""SIGTERM under load: requests under way are answered, jobs end or are put back, and nobody pays for it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Effort, Evidence
from tests.faults.crew import waited_for
from tests.faults.crew_audit import all_over, audit, faults_in, punished
from tests.faults.crew_callers import callers
from tests.faults.crew_clients import Clients, clients
from tests.faults.crew_server import Server, Site, a_site, with_mutant
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(900)

#: Jobs between two drains.
BETWEEN = 10
#: What must not happen in a drain, beside what must never happen.
FAULTS = ("unclean", "left", "reset", "punished", "recovered", "unclear", "to_replay")
#: What a submission may hear while servers come and go.
CLEAR = {"received", "shutting_down", "no_connection", "cut_off"}


def short_work(chance: random.Random) -> dict[str, Any]:
    action = chance.choice(["chore", "chore", "errand"])
    return {"action": action, "seconds": chance.uniform(0.05, 0.3), "priority": 9}


def some_work(chance: random.Random) -> dict[str, Any]:
    return {"action": "chore", "priority": chance.randrange(10)}


def drained(
    folder: Path, *, drains: int, seconds: float, long: Sequence[str] = ("errand", "chore"), mutant: str = ""
) -> tuple[Counter[str], list[float]]:
    """Return the books of a queue whose server was told to stop so often, and how long that took, in seconds.

    Each time some jobs run that last a minute, where the server gives them but the given seconds.
    """
    books: Counter[str] = Counter()
    with a_site(folder, AAFAI_SLOTS="default=10", AAFAI_DRAIN_TIMEOUT=f"{seconds} seconds") as site:
        server = site.serve(command=with_mutant(mutant))
        with clients(server.url, book=site.book, mix=short_work, rest=0.15) as customers:
            minutes = [customers.submit(action=action, seconds=60.0, priority=1) for action in long]
            took = []
            for number in range(drains):
                customers.until_kept(number * BETWEEN)
                waited_for(lambda: site.runs(minutes), seconds=10)
                took.append(drain(site, server, customers, books, job_id=minutes[0]))
                server = site.serve(command=server.command)
                customers.urls = [server.url]
        site.let_all_work_end()
        all_over(site, customers)
        books.update(audit(site, customers), punished=punished(site))
    return books, sorted(took)


def drained_while_idle(folder: Path, *, drains: int, mutant: str = "") -> Counter[str]:
    """Return the books of a queue that nobody works at, whose server was told to stop amid submissions."""
    books: Counter[str] = Counter()
    with a_site(folder, AUTO_START_WORKERS="false") as site:
        site.book.touch()
        server = site.serve(command=with_mutant(mutant))
        with clients(server.url, book=site.book, mix=some_work, number=8, rest=0.0) as customers:
            for _ in range(drains):
                customers.until_kept(len(customers.kept) + BETWEEN)
                drain(site, server, customers, books, job_id=next(iter(customers.kept.values())))
                books.update(to_replay=len(list((site.queues / "journal").iterdir())))
                server = site.serve(command=server.command)
                customers.urls = [server.url]
        books.update(audit(site, customers))
        del books["stuck"]  # all of them are: nothing is to run
        books.update(unclear=sum(customers.answers[code] for code in set(customers.answers) - CLEAR))
    return books


def drain(site: Site, server: Server, customers: Clients, books: Counter[str], *, job_id: str) -> float:
    """Tell a server to stop while it is asked this and that; enter what happened and return the seconds."""
    site.end(*server.all())
    cut_off, dozed = len(customers.cut_off), len(customers.dozed)
    with callers(server.url, job_id=job_id) as others:
        waited_for(lambda: others.answers["200"])
        began = time.monotonic()
        status = server.stop()
        took = time.monotonic() - began
    waited_for(lambda: not site.processes(), seconds=10)
    # Whom the kernel connected in the instant in which the listener closed the server never knew of.
    ports, accepted = {*others.cut_off, *customers.cut_off[cut_off:]}, server.accepted()
    late = {*others.dozed, *customers.dozed[dozed:]}
    books.update(
        unclean=int(status != 0),
        left=len(list((site.queues / "running").iterdir())) + len(site.processes()),
        answered=len(accepted - ports - late),
        reset=len(ports & accepted),
        overlooked=len(ports - accepted),
        dozed=len(late),
    )
    return took


def faults_of(books: Counter[str]) -> dict[str, int]:
    return faults_in(books) | {name: books[name] for name in FAULTS if books[name]}


def test_servers_that_are_told_to_stop_lose_nothing_cut_nobody_off_and_count_no_attempt(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    drains = effort(3, 100)

    books, took = drained(tmp_path, drains=drains, seconds=0.2)

    figures = {**books, "ms_to_exit_at_most": round(1000 * took[-1])}
    evidence("P9", "SIGTERM under load, with jobs of 50 ms to 60 s", trials=drains, **figures)
    assert not faults_of(books)
    assert len(took) == drains


def test_jobs_that_do_not_end_in_time_are_put_back_whether_they_heed_the_wish_or_not(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    seconds = effort(1, 20)

    books, took = drained(tmp_path, drains=1, seconds=seconds, long=("errand", "chore", "vigil"))

    figures = {**books, "seconds_to_exit": round(took[0])}
    evidence("P9", f"SIGTERM, {seconds} s for running jobs", trials=1, **figures)
    assert not faults_of(books)


def test_servers_with_nothing_to_run_that_are_told_to_stop_amid_submissions_keep_or_refuse_each(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    drains = effort(5, 100)

    books = drained_while_idle(tmp_path, drains=drains)

    evidence("P9", "SIGTERM amid the submissions of 8 clients, nothing running", trials=drains, **books)
    assert not faults_of(books)
    assert books["acknowledged"] >= drains * BETWEEN


@pytest.mark.parametrize(
    ("mutant", "fault"), [("undrained", "left"), ("counting", "punished"), ("hasty", "reset")]
)
def test_a_server_that_stops_carelessly_is_caught(
    tmp_path: Path, evidence: Evidence, mutant: str, fault: str
) -> None:
    caught = shown(tmp_path, lambda folder: drained(folder, drains=1, seconds=0.2, mutant=mutant)[0][fault])

    evidence("P9", f"SIGTERM, {mutant}", trials=1, mutants=1, caught=int(caught > 0))
    assert caught


def test_a_server_that_closes_the_store_under_submissions_is_caught(
    tmp_path: Path, evidence: Evidence
) -> None:
    caught = shown(tmp_path, lambda folder: drained_while_idle(folder, drains=2, mutant="abrupt")["unclear"])

    evidence("P9", "SIGTERM amid submissions, abrupt", trials=2, mutants=1, caught=int(caught > 0))
    assert caught
