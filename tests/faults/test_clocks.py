"""Clocks jump, differ and begin elsewhere: nothing is lost, nothing runs twice, nothing runs too early."""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence, needed
from tests.factories import a_job
from tests.faults.crew import a_crew, waited_for
from tests.faults.crew_audit import all_over, audit, faults_in, recorded_early, started_early
from tests.faults.crew_books import accounts, all_ended
from tests.faults.crew_books import faults_in as faults_of_crew
from tests.faults.crew_clients import clients
from tests.faults.crew_server import a_site, with_clocks_ahead, with_mutant
from tests.faults.mutants import ROOM
from tests.faults.shift_clock import LeadingClock
from tests.faults.shift_server import CLOCK
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(300)

HOUR, DAY, YEAR = 3600.0, 86_400.0, 31_557_600.0
#: How far ahead of the true time the wall clock is, one after the other. The last is the furthest.
JUMPS = (HOUR, 0.0, -HOUR, DAY, -10 * YEAR, 0.0, -DAY, 10 * YEAR)
#: By how many seconds the clocks are ahead that count from the boot of the machine.
SHIFTS = (10 * 86_400, 60, 10 * 31_557_600)
#: A machine that would be switched off after a quarter of an hour, which no test lasts.
NEVER_OFF = {
    "AAFAI_IDLE_TIMEOUT": "15 minutes",
    "AAFAI_RESULT_LINGER": "off",
    "AAFAI_PAID_MINUTE": "off",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FileEngine]:
    with closing(FileEngine(str(tmp_path / "queue"), ROOM)) as engine:
        yield engine


def led_astray(
    engine: FileEngine, folder: Path, *options: str, workers: int, patience: float = 60.0
) -> Counter[str]:
    """Return the books of a crew of which so many workers live in the next day; two others live today."""
    clock = LeadingClock(folder / "clock")
    clock.jump_to(DAY)
    ids = [job.id for job in engine.add_many([a_job() for _ in range(20 * workers)])]
    with a_crew(folder / "queue", folder, "--longest", "0.5", *options, size=2) as crew:
        for _ in range(workers):
            crew.hire("--clock", str(clock.path))
        all_ended(engine, len(ids), seconds=patience)
    return accounts(crew, engine, ids)


def test_workers_whose_clock_is_a_day_ahead_rescue_nobody_who_lives(
    engine: FileEngine, tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    workers = effort(2, 20)

    books = led_astray(engine, tmp_path, workers=workers)

    evidence("P4", "workers with a clock one day ahead beside others", trials=workers, **books)
    assert not faults_of_crew(books)
    assert books["runs"] == books["jobs"]


def test_an_engine_with_leases_is_caught_when_clocks_differ(
    engine: FileEngine, tmp_path: Path, evidence: Evidence
) -> None:
    books = led_astray(engine, tmp_path, "--mutant", "leased", workers=2, patience=10)

    caught = faults_of_crew(books)
    evidence("P4", "clocks differ, engine leased", trials=2, mutants=1, caught=int(bool(caught)))
    assert caught


def served_through_jumps(
    folder: Path, *, jumps: int, mutant: str = "", patience: float = 90.0
) -> Counter[str]:
    """Return the books of a server whose wall clock jumped so often at work, and once when it idled."""
    clock = LeadingClock(folder / "clock")
    with a_site(folder, **NEVER_OFF, **{CLOCK: str(clock.path)}) as site:
        server = site.serve(command=with_mutant(mutant))
        with clients(server.url, book=site.book, mix=partial(now_or_soon, clock, 30)) as customers:
            for number in range(jumps):
                customers.until_kept(10 * number)
                clock.jump_to(JUMPS[number % len(JUMPS)])
            customers.until_kept(10 * jumps)
        waited_for(partial(site.has_none_in, "inbound", "running"), seconds=patience)
        clock.jump_to(11 * YEAR)
        all_over(site, customers, seconds=patience)
        clock.jump_to(12 * YEAR)
        site.until_power_was_judged()
        books = audit(site, customers)
        books.update(early=started_early(site, customers, clock), stopped_early=site.was_switched_off())
    return books


def now_or_soon(clock: LeadingClock, furthest: float, chance: random.Random) -> dict[str, Any]:
    due = datetime.fromtimestamp(clock.now() + chance.uniform(0.2, furthest), UTC).isoformat()
    soon = {"run_after": due} if chance.random() < 0.5 else {}
    return {"action": chance.choice(["chore", "errand"]), "seconds": chance.uniform(0, 0.05), **soon}


def test_a_server_whose_wall_clock_jumps_loses_nothing_and_does_nothing_early_or_twice(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    jumps = effort(8, 80)

    books = served_through_jumps(tmp_path, jumps=jumps)

    evidence("P8", "jumps of a real server's wall clock, one hour to ten years", trials=jumps, **books)
    assert not faults_in(books)
    assert books["early"] == 0
    assert books["stopped_early"] == 0


@pytest.mark.parametrize(("mutant", "fault"), [("steadfast", "early"), ("wall-clocked", "stopped_early")])
def test_a_server_that_is_not_made_for_jumps_is_caught(
    tmp_path: Path, evidence: Evidence, mutant: str, fault: str
) -> None:
    caught = shown(
        tmp_path, lambda folder: served_through_jumps(folder, jumps=3, mutant=mutant, patience=5)[fault]
    )

    evidence("P8", f"wall clock jumps, {mutant}", trials=3, mutants=1, caught=int(caught > 0))
    assert caught


@pytest.fixture
def time_namespaces() -> None:
    """Skip the test where clocks cannot be shifted for some processes only; fail it in CI."""
    needed("unshare", "util-linux")
    tried = subprocess.run([*with_clocks_ahead(60), "true"], capture_output=True, text=True, check=False)
    if tried.returncode and os.environ.get("CI"):
        pytest.fail(tried.stderr)
    if tried.returncode:
        pytest.skip(f"no time namespaces: {tried.stderr.strip()}")


def served_in_several_times(folder: Path, *, moves: int, mutant: str = "") -> Counter[str]:
    """Return the books of two servers on a folder, one of which died so often and came back in another time.

    The other lives in true time. The clocks that begin elsewhere are those that count from the boot.
    """
    command, clock = with_mutant(mutant), LeadingClock(folder / "clock")
    with a_site(folder, AAFAI_SLOTS="default=2", **NEVER_OFF) as site:
        there = site.serve(command=command, prefix=with_clocks_ahead(SHIFTS[0]))
        here = site.serve(command=command)
        with clients(here.url, there.url, book=site.book, mix=partial(now_or_soon, clock, 1)) as customers:
            for number in range(1, moves + 1):
                customers.until_kept(30 * number)
                site.kill(*there.all())
                there = site.serve(command=command, prefix=with_clocks_ahead(SHIFTS[number % len(SHIFTS)]))
                customers.urls = [here.url, there.url]
            customers.until_kept(30 * moves + 30)
        all_over(site, customers)
        site.until_power_was_judged()
        books = audit(site, customers)
        books.update(early=recorded_early(site, customers), stopped_early=site.was_switched_off())
    return books


@pytest.mark.usefixtures("time_namespaces")
def test_servers_that_count_from_different_boots_lose_nothing_and_do_nothing_early_or_twice(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    moves = effort(2, 20)

    books = served_in_several_times(tmp_path, moves=moves)

    evidence("P8", "restarts with other clocks since boot (unshare --time)", trials=moves, **books)
    assert not faults_in(books)
    assert books["early"] == 0
    assert books["stopped_early"] == 0


@pytest.mark.usefixtures("time_namespaces")
def test_an_engine_that_counts_from_the_boot_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    caught = shown(
        tmp_path,
        lambda folder: faults_in(served_in_several_times(folder, moves=1, mutant="leased-since-boot")),
    )

    evidence("P8", "other boots, leased-since-boot", trials=1, mutants=1, caught=int(bool(caught)))
    assert caught
