"""The power is cut while jobs with callbacks come in: each that was acknowledged is still promised."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import JobNotFound
from core.outbox import Outbox
from queues import open_engine
from tests.conftest import Effort, Evidence
from tests.faults.events import heard, until
from tests.faults.images import Image, an_image
from tests.faults.power import SIZE
from tests.faults.promising import ROOM
from tests.house.sources import ROOT

pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]

#: A mutant is caught by one of so many cuts.
TRIES = 10


def cut_while_promising(image: Image, name: str, *, mutant: str = "") -> tuple[int, int]:
    """Cut the power at some moment; return how many jobs were acknowledged and how many were forgotten."""
    base = image.folder / name
    command = [sys.executable, "-m", "tests.faults.promising", str(base), mutant]
    errors = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as process:
        assert process.stdout is not None
        output = process.stdout.readline()
        due = time.monotonic() + random.uniform(0.0, 0.6)
        while time.monotonic() < due:
            output += process.stdout.readline()
        began_ns = time.monotonic_ns()
        image.cut()
        process.kill()
        output += process.stdout.read()
    image.reboot()
    acknowledged = {event.job_id for event in until(heard(output), began_ns)}
    return len(acknowledged), len(acknowledged - told_of(base))


def told_of(base: Path) -> set[str]:
    """Return the jobs that a next process knows of, and knows to be promised."""
    engine, known = open_engine(f"file:{base}", **ROOM), set()
    for job_id in Outbox(base / "webhooks").promises():
        with suppress(JobNotFound):  # The power went between its promise and the job.
            known.add(engine.peek(job_id).id)
    engine.close()
    return known


def test_no_power_cut_forgets_a_callback_of_an_acknowledged_job(
    kind: str, effort: Effort, evidence: Evidence
) -> None:
    cuts, acknowledged, forgotten = effort(5, 100), 0, 0
    with an_image(kind, mebibytes=SIZE) as image:
        for number in range(cuts):
            some, lost = cut_while_promising(image, f"queue-{number}")
            acknowledged, forgotten = acknowledged + some, forgotten + lost

    evidence(
        "P1",
        f"callbacks promised when power of {kind} is cut",
        trials=cuts,
        acked=acknowledged,
        lost=forgotten,
    )
    assert acknowledged > cuts
    assert forgotten == 0


@pytest.mark.usefixtures("ext4")
def test_a_promise_that_is_not_synced_is_caught(evidence: Evidence) -> None:
    lost = 0
    with an_image("ext4", mebibytes=SIZE) as image:
        for number in range(TRIES):
            _, lost = cut_while_promising(image, f"queue-{number}", mutant="unsynced")
            if lost:
                break

    evidence("P1", "promises of callbacks that are not synced", trials=TRIES, mutants=1, caught=int(lost > 0))
    assert lost
