"""The disk fails under a real server: what it cannot store it does not acknowledge, and then it recovers."""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Effort, Evidence, needed
from tests.faults.crew import waited_for
from tests.faults.crew_audit import all_over, audit, faults_in
from tests.faults.crew_clients import Clients, clients
from tests.faults.crew_server import Site, a_site, with_mutant
from tests.faults.crew_strace import Fault, injecting, must_be_told
from tests.faults.tries import shown

pytestmark = pytest.mark.timeout(400)

ERRORS = {
    "write": ("ENOSPC", "EIO", "EDQUOT"),
    "sync": ("EIO", "ENOSPC"),
    "open": ("EMFILE", "ENOSPC", "EIO"),
    "rename": ("ENOSPC", "EIO", "EDQUOT"),
    "link": ("ENOSPC", "EIO"),
    "make": ("ENOSPC",),
    "unlink": ("EIO",),
}
#: Answers after which a fault has lasted long enough.
ANSWERS = 8
#: What must not happen. That a job runs again after its outcome could not be stored is what was promised.
GRAVE = ("lost", "stuck", "torn", "duplicated", "unexpected", "failed", "swallowed", "crashes")
PATIENCE = 10.0  # seconds after which a server counts as silent


@pytest.fixture
def strace() -> str:
    """The path of strace; where it may trace nobody the test skips at home and fails in CI."""
    path = needed("strace", "strace")
    tried = subprocess.run(
        [path, "-qq", "-o", os.devnull, "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode and os.environ.get("CI"):
        pytest.fail(tried.stderr)
    if tried.returncode:
        pytest.skip(f"strace may trace nobody: {tried.stderr.strip()}")
    return path


def some_fault(chance: random.Random) -> Fault:
    kind = chance.choice(list(ERRORS))
    when = f"{chance.randint(1, 8)}{chance.choice(['', '', '+'])}"
    return Fault(kind=kind, error=chance.choice(ERRORS[kind]), when=when)


def short_work(chance: random.Random) -> dict[str, Any]:
    return {"action": chance.choice(["chore", "chore", "errand"]), "seconds": chance.uniform(0, 0.05)}


def served_through_faults(
    folder: Path, *faults: Fault, strace: str, mutant: str = "", patience: float = 90.0
) -> Counter[str]:
    """Return the books of a server of which system calls were made to fail, one fault after the other."""
    books: Counter[str] = Counter()
    with a_site(folder) as site:
        server = site.serve(command=with_mutant(mutant))
        with clients(server.url, book=site.book, mix=short_work) as customers:
            for number, fault in enumerate(faults):
                customers.until_kept(len(customers.kept) + 1, seconds=patience)
                output = folder / f"strace-{number}"
                books.update(suffered(site, customers, fault, output, strace, patience=min(patience, 20)))
            customers.until_kept(len(customers.kept) + 1, seconds=patience)
        all_over(site, customers, seconds=patience)
        books.update(audit(site, customers))
        books["crashes"] = int(server.process.poll() is not None)
    return books


def suffered(
    site: Site, customers: Clients, fault: Fault, output: Path, strace: str, *, patience: float
) -> Counter[str]:
    """Return what came of one fault: whether it hit a file of the queue, and whether nobody was told."""
    (server,), asked, told = site.servers, customers.asked(), complaints(site, customers)
    workers = server.workers()
    with injecting(fault, workers, output, strace=strace) as injection:
        waited_for(
            lambda: customers.asked() - asked >= ANSWERS or workers != server.workers(), seconds=PATIENCE
        )
    broken = injection.broken(site.queues)
    grave = any(must_be_told(call, site.queues) for call in broken)
    # The log may be what could not be written.
    told_in_vain = any(str(server.log) in call for call in injection.broken(site.folder))
    swallowed = grave and not told_in_vain
    if swallowed:
        swallowed = not waited_for(lambda: complaints(site, customers) > told, seconds=patience)
    return Counter(hit=int(bool(broken)), swallowed=int(swallowed))


def complaints(site: Site, customers: Clients) -> int:
    """Return a figure that grows whenever a client is refused or something is logged."""
    return customers.refusals() + sum(server.log.stat().st_size for server in site.servers)


def grave_in(books: Counter[str]) -> dict[str, int]:
    return {name: books[name] for name in GRAVE if books[name]}


def test_system_calls_that_fail_under_a_real_server_lose_and_hide_nothing(
    tmp_path: Path, effort: Effort, evidence: Evidence, strace: str
) -> None:
    chance = random.Random(11)
    faults = [some_fault(chance) for _ in range(effort(8, 50))]

    books = served_through_faults(tmp_path, *faults, strace=strace)

    evidence("P3", "system calls of a real server made to fail (strace)", trials=len(faults), **books)
    assert not grave_in(books)
    assert books["hit"] > 0


@pytest.mark.parametrize(
    ("mutant", "fault"),
    [
        ("unmoved", Fault(kind="rename", error="EIO", when="1+")),
        ("deaf", Fault(kind="sync", error="EIO", when="1+")),
    ],
)
def test_an_engine_that_ignores_what_the_disk_says_is_caught(
    tmp_path: Path, evidence: Evidence, strace: str, mutant: str, fault: Fault
) -> None:
    caught = shown(
        tmp_path,
        lambda folder: grave_in(
            served_through_faults(folder, fault, strace=strace, mutant=mutant, patience=5)
        ),
    )

    evidence("P3", f"system calls fail, engine {mutant}", trials=1, mutants=1, caught=int(bool(caught)))
    assert caught


def stored_in_doubt(
    folder: Path, *, strace: str, mutant: str = "", patience: float = 60.0
) -> tuple[list[str], Counter[str], bool]:
    """Submit a job while the journal cannot be synced, and once more when a new worker may have come.

    Return the two answers, the books, and whether another worker took the place of the first.
    """
    with a_site(folder) as site:
        server = site.serve(command=with_mutant(mutant))
        customer = Clients([server.url], site.book, short_work)
        for _ in range(5):
            customer.submit(action="chore")
        all_over(site, customer)
        (first,) = server.workers()
        fault = Fault(kind="commit", error="EIO", when="1+")
        with injecting(fault, [first], folder / "strace", strace=strace):
            refused = customer.submit_once(tag="doubtful", action="chore")
            waited_for(lambda: first not in server.workers(), seconds=patience)
        restarted = first not in server.workers()
        server.until_accepting()
        accepted = customer.submit_once(tag="doubtful", action="chore")
        all_over(site, customer)
        return [refused, accepted], audit(site, customer), restarted


def test_a_server_in_doubt_says_so_starts_anew_and_has_lost_nothing(
    tmp_path: Path, evidence: Evidence, strace: str
) -> None:
    answers, books, restarted = stored_in_doubt(tmp_path, strace=strace)

    evidence("P3", "syncs of a real server made to fail until it starts anew", trials=1, **books)
    assert answers == ["outcome_unknown", "received"]
    assert restarted
    assert not faults_in(books)


def test_a_server_that_goes_on_in_doubt_is_caught(tmp_path: Path, evidence: Evidence, strace: str) -> None:
    answers, _, restarted = stored_in_doubt(tmp_path, strace=strace, mutant="doubtless", patience=3)

    evidence("P3", "in doubt, engine doubtless", trials=1, mutants=1, caught=int(not restarted))
    assert not restarted
    assert answers[0] == "outcome_unknown"
