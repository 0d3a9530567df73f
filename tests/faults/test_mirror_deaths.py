"""Whatever dies at the mirror and its mailbox: each file becomes one job, and each end is published."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from core.job_files import files_in
from core.jobs import Job, Json
from core.mirror import STATUSES, Mirror
from core.mirror_views import status_view
from core.publication import publish, put_document
from core.publishers import Publishers
from tests.conftest import Effort, Evidence
from tests.faults.mirror_deaths import Died, Fate, Life, half_published, leave

MAIL = ("a.json", "b.json")
BAD = "c.json"
JOB = {"action": "double", "params": {"number": 21}}


def moments(base: Path) -> int:
    """Return at how many moments one life without a death can die."""
    fate = Fate(0)
    _lived(base, fate)
    return fate.passed


def died(base: Path, number: int, chance: random.Random) -> Counter[str]:
    """Let one process die at a moment, the next at some moment, and a third one live; return figures."""
    figures = Counter(trials=1, deaths=0)
    for fate in (Fate(number), Fate(chance.randint(1, number)), Fate(0)):
        figures["deaths"] += _lived(base, fate)
        figures["torn"] += len(half_published(base / "mirror"))
    return figures + _audited(base)


def every_moment(base: Path, draws: int) -> Counter[str]:
    """Return the figures of deaths at every moment, so many times each."""
    chance = random.Random(base.name)
    figures: Counter[str] = Counter()
    for number in range(1, moments(_prepared(base)) + 1):
        for _ in range(draws):
            figures += died(_prepared(base), number, chance)
    return figures


def _prepared(base: Path) -> Path:
    shutil.rmtree(base, ignore_errors=True)
    for name in MAIL:
        leave(base, name, JOB)
    leave(base, BAD, {"action": "no-such-action"})
    return base


def _lived(base: Path, fate: Fate) -> bool:
    """Return whether a life ended with a death."""
    life = Life(base, fate)
    try:
        life.work()
    except Died:
        return True
    finally:
        life.over()
    return False


def _audited(base: Path) -> Counter[str]:
    life, mirror = Life(base, Fate(0)), base / "mirror"
    jobs = life.ended
    life.over()
    published = {path.stem for path in (mirror / "statuses").glob("*.json")}
    refused = (mirror / "refused" / BAD).is_file() and (mirror / "receipts" / BAD).is_file()
    return Counter(
        lost=max(0, len(MAIL) - len(jobs)) + sum(job.id not in published for job in jobs),
        duplicated=max(0, len(jobs) - len(MAIL)),
        left=len(list((mirror / "inbox").iterdir())),
        swallowed=int(not refused),
    )


def test_at_no_moment_a_death_costs_an_end_or_makes_a_second_job(
    quick_folder: Path, effort: Effort, evidence: Evidence
) -> None:
    figures = every_moment(quick_folder, effort(1, 20))

    counted = {name: figures[name] for name in ("lost", "duplicated", "torn", "swallowed", "left", "deaths")}
    evidence(
        "P22",
        "processes that die before or after any call to the mirror, two in a row",
        trials=figures["trials"],
        **counted,
    )
    assert figures["trials"] > 50
    assert figures["deaths"] > figures["trials"]
    assert not any(figures[name] for name in ("lost", "duplicated", "torn", "swallowed", "left"))


def keyless(document: Mapping[str, Json], name: str, content: bytes) -> Mapping[str, Json]:
    """Submit a file as it is."""
    return document


def careless(marks: Publishers) -> list[Path]:
    """Look for nobody who has died."""
    return []


def hasty(job: Job, mirror: Mirror, downloads: Path) -> None:
    """Publish the status before all the rest."""
    put_document(mirror, f"{STATUSES}/{job.id}.json", status_view(job, files_in(downloads / job.id)))
    publish(job, mirror, downloads)


@pytest.mark.parametrize(
    "case",
    [
        ("core.mailbox._keyed", keyless, "duplicated"),
        ("core.publishers.Publishers.left_behind", careless, "lost"),
        ("core.publisher.publish", hasty, "torn"),
    ],
    ids=["keyless", "careless", "hasty"],
)
def test_a_mirror_that_is_broken_in_one_place_is_caught(
    quick_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    evidence: Evidence,
    case: tuple[str, Callable[..., object], str],
) -> None:
    place, mutant, fault = case
    monkeypatch.setattr(place, mutant)

    figures = every_moment(quick_folder, 1)

    caught = int(figures[fault] > 0)
    evidence("P22", f"deaths, mirror {mutant.__name__}", trials=figures["trials"], mutants=1, caught=caught)
    assert caught
