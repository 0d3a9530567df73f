"""Master, worker, warden and attempts of a real server are killed under load, in turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.running import GUNICORN
from tests.conftest import Effort, Evidence
from tests.faults.crew import waited_for
from tests.faults.crew_audit import all_over, audit, faults_in
from tests.faults.crew_clients import clients
from tests.faults.crew_server import Server, Site, a_site, with_mutant
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(300)

#: Jobs between two kills.
BETWEEN = 25
LEFT = 15.0  # seconds in which what a dead server has started must be gone


def some_work(chance: random.Random) -> dict[str, Any]:
    return {"action": chance.choice(["chore", "errand"]), "seconds": chance.uniform(0, 0.1)}


def an_attempt(site: Site, server: Server) -> Server:
    site.kill(one_of(server.attempts))
    return server


def a_warden(site: Site, server: Server) -> Server:
    site.kill(one_of(server.busy_wardens))
    return server


def the_worker(site: Site, server: Server) -> Server:
    site.kill(*server.workers())
    return server


def the_master(site: Site, server: Server) -> Server:
    """Kill it, and start another server while the orphaned worker still drains."""
    site.kill(server.master)
    return site.serve(command=server.command)


def everything(site: Site, server: Server) -> Server:
    """Kill it all, as systemd does when the master has died."""
    site.kill(server.master, *server.workers())
    return site.serve(command=server.command)


def one_of(processes: Callable[[], list[int]]) -> int:
    """Wait until there is a process of that kind, and return the first."""
    found: list[int] = []
    assert waited_for(lambda: found.extend(processes()) or found)
    return found[0]


VICTIMS: tuple[Callable[[Site, Server], Server], ...] = (
    an_attempt,
    the_worker,
    a_warden,
    the_master,
    an_attempt,
    everything,
)


def killed_under_load(folder: Path, *, kills: int, mutant: str = "", patience: float = 90.0) -> Counter[str]:
    """Return the books of a server of which one process after the other was killed at its work."""
    with a_site(folder) as site:
        server = site.serve(command=with_mutant(mutant) if mutant else GUNICORN)
        with clients(server.url, book=site.book, mix=some_work) as customers:
            for number in range(kills):
                customers.until_kept(number * BETWEEN, seconds=patience)
                if mutant != "unwatched":  # which has no processes of its own for attempts
                    server = VICTIMS[number % len(VICTIMS)](site, server)
                customers.urls = [server.url]
        all_over(site, customers, seconds=patience)
        books = audit(site, customers)
        waited_for(lambda: not site.strays(), seconds=min(LEFT, patience))
        books["leaked"] = len(site.strays())
    return books


def test_killed_processes_of_a_server_cost_a_run_each_and_leave_nothing_behind(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    kills = effort(6, 60)

    books = killed_under_load(tmp_path, kills=kills)

    evidence("P4", "processes of a real server killed with SIGKILL under load", trials=kills, **books)
    assert not faults_in(books)
    assert not books["leaked"]
    assert books["killed"] >= kills


@pytest.mark.parametrize(("mutant", "fault"), [("heedless", "stuck"), ("unwatched", "leaked")])
def test_a_server_that_is_broken_in_one_place_is_caught(
    tmp_path: Path, evidence: Evidence, mutant: str, fault: str
) -> None:
    caught = shown(
        tmp_path, lambda folder: killed_under_load(folder, kills=2, mutant=mutant, patience=3)[fault]
    )

    evidence("P4", f"server killed, {mutant}", trials=2, mutants=1, caught=int(bool(caught)))
    assert caught
