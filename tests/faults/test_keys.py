"""One key, one job: under many threads at once, after SIGKILL, and whatever else is asked under the key."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import IdempotencyConflict
from core.jobs import DEFAULT_QUEUE
from queues.file.engine import FileEngine
from tests.conftest import Effort, Evidence
from tests.faults.events import heard
from tests.faults.keyed import ENGINES, THREADS, a_keyed_job, keys_of, submit_all
from tests.faults.mutants import ROOM
from tests.faults.power import ROOT
from tests.queues.disks import QuickDisk

FAR = 1e10

#: Key to the ids that were answered.
Answers = dict[str, set[str]]


def quiet(base: Path, number: int, mutant: str = "") -> Counter[str]:
    """Submit each key from all threads at once; return the figures."""
    answers: Answers = defaultdict(set)
    with closing(ENGINES[mutant](str(base), ROOM, disk=QuickDisk())) as engine:
        keys = keys_of(0, number)
        for seed in range(4):
            submit_all(engine, keys, lambda key, job_id: answers[key].add(job_id), seed=seed)
        return judged(engine, answers)


def killed(base: Path, lives: int, keys: int, mutant: str = "") -> Counter[str]:
    """Kill submitting processes at moments of chance, submit all again, and return the figures."""
    answers: Answers = defaultdict(set)
    for life in range(lives):
        for key, job_id in said_until_killed(base, life, keys, mutant):
            answers[key].add(job_id)
        with closing(ENGINES[mutant](str(base), ROOM, disk=QuickDisk())) as heir:
            submit_all(heir, keys_of(life, keys), lambda key, job_id: answers[key].add(job_id), seed=life)
    with closing(FileEngine(str(base), ROOM, disk=QuickDisk())) as engine:
        return judged(engine, answers)


def said_until_killed(base: Path, life: int, keys: int, mutant: str) -> list[tuple[str, str]]:
    """Return what a process had been answered when it was killed: after a number of answers of chance."""
    command = [sys.executable, "-m", "tests.faults.keyed", str(base), str(life), str(keys), mutant]
    last = random.Random(life).randrange(1, keys * THREADS)
    output = b""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while output.count(b"\n") < last and b"done" not in output and (said := process.stdout.read1()):
            output += said
        process.kill()
        output += process.stdout.read()
    return [(event.detail, event.job_id) for event in heard(output) if event.kind == "kept"]


def judged(engine: FileEngine, answers: Answers) -> Counter[str]:
    """Run all jobs and return how many keys had two answers, were run twice, or never."""
    engine.upkeep(FAR)
    ran: Counter[str] = Counter()
    while job := engine.claim("w", now=FAR, lease=30, queues=[DEFAULT_QUEUE]):
        ran[job.id] += 1
        engine.swap(job, lifecycle.succeeded(job, result=1, now=FAR))
    known = set().union(*answers.values())
    return Counter(
        duplicated=sum(len(ids) > 1 for ids in answers.values()) + len(set(ran) - known),
        run_again=sum(times > 1 for times in ran.values()),
        lost=sum(not any(ran[job_id] for job_id in ids) for ids in answers.values()),
    )


def test_many_threads_that_share_keys_make_one_job_a_key(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    number = effort(60, 1000)

    figures = quiet(tmp_path / "queue", number)

    evidence(
        "P7", f"keys submitted {4 * THREADS} times by {THREADS} threads", trials=number, **zeros(figures)
    )
    assert not +figures


def test_submitters_that_are_killed_leave_keys_that_make_no_second_job(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    lives, keys = effort(4, 40), 25

    figures = killed(tmp_path / "queue", lives, keys)

    evidence(
        "P7",
        "keys submitted again after SIGKILL of their submitter",
        trials=lives * keys,
        kills=lives,
        **zeros(figures),
    )
    assert not +figures


def test_another_body_under_a_key_is_refused_and_told_whose_key_it_is(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    number = effort(100, 1000)
    with closing(FileEngine(str(tmp_path / "queue"), ROOM, disk=QuickDisk())) as engine:
        first = {key: engine.add(a_keyed_job(key)).id for key in keys_of(0, number)}
        named = 0
        for key, job_id in first.items():
            with pytest.raises(IdempotencyConflict) as refusal:
                engine.add(a_keyed_job(key, body="another"))
            named += refusal.value.job_id == job_id

    evidence("P7", "other bodies under a used key (409)", trials=number, swallowed=number - named)
    assert named == number


@pytest.mark.parametrize("fault", ["threads", "SIGKILL"])
def test_an_engine_that_keeps_its_keys_in_memory_is_caught(
    tmp_path: Path, fault: str, evidence: Evidence
) -> None:
    base = tmp_path / "queue"

    figures = (
        quiet(base, 60, "keys-in-memory") if fault == "threads" else killed(base, 2, 25, "keys-in-memory")
    )

    caught = figures["duplicated"] > 0
    evidence("P7", "an engine that keeps its keys in memory", trials=60, mutants=1, caught=int(caught))
    assert caught


def zeros(figures: Counter[str]) -> dict[str, int]:
    return {name: figures[name] for name in ("lost", "duplicated", "run_again")}
