"""Real servers switch their machine off: once, and never while a job waits, runs or is due soon."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from examples.running import GUNICORN, RunningBus, a_bus
from tests.conftest import Effort, Evidence

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]

#: What the switch leaves: a line for each time it is run, with the records of jobs that have not ended.
SWITCH = """#!/bin/sh
find {queues}/inbound {queues}/scheduled {queues}/running -name '*.json' | wc -l >> {off}
"""
SETTINGS = {
    "AAFAI_IDLE_TIMEOUT": "0.3 seconds",
    "AAFAI_BOOT_GRACE": "1 second",
    "AAFAI_MIN_SLEEP": "5 seconds",
    "AAFAI_PAID_MINUTE": "off",
    "AAFAI_RESULT_LINGER": "0.3 seconds",
    "AAFAI_MIN_FREE": "1 MiB",
}
_PATIENCE = 60.0  # seconds


def stopped(folder: Path, seed: int, *, command: Sequence[str] = GUNICORN) -> Counter[str]:
    """Run a server with some work until its switch has been run; return what was found then."""
    folder.mkdir()
    switch, off = folder / "switch", folder / "off"
    switch.write_text(SWITCH.format(queues=folder / "queues", off=off))
    switch.chmod(0o755)
    with a_bus(folder, command=command, AAFAI_POWER_SWITCH=f"command:{switch}", **SETTINGS) as bus:
        accepted = work_for(bus, random.Random(seed))
        until_written(off)
        bus.stop()
    left = [int(line) for line in off.read_text().split()]
    ended = len(list((folder / "queues" / "outbound").glob("*/*.json")))
    return Counter(jobs=accepted, early=sum(left), duplicated=len(left) - 1, stuck=accepted - ended, stops=1)


def work_for(bus: RunningBus, chance: random.Random) -> int:
    """Submit some jobs, now and then and for later; return how many were accepted."""
    accepted = 0
    for _ in range(chance.randint(1, 4)):
        job = {"action": "fakejob", "params": {"delay_seconds": chance.choice([0, 1, 2])}}
        if chance.random() < 0.3:
            job["run_after"] = "1 second"
        accepted += requests.post(f"{bus.url}/inbound", json=job, timeout=10).ok
        threading.Event().wait(chance.uniform(0, 0.4))
    return accepted


def until_written(path: Path) -> None:
    waited = threading.Event()
    for _ in range(int(_PATIENCE / 0.05)):
        if path.exists() and path.read_text().endswith("\n"):
            return
        waited.wait(0.05)
    raise TimeoutError("the machine was not switched off")


def test_a_machine_is_switched_off_once_and_over_no_job(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    figures: Counter[str] = Counter(early=0, duplicated=0, stuck=0)
    for number in range(effort(2, 20)):
        figures.update(stopped(tmp_path / str(number), number))

    evidence("P15", "real servers that switched their machine off", trials=figures.pop("stops"), **figures)
    assert (figures["early"], figures["duplicated"], figures["stuck"]) == (0, 0, 0)
    assert figures["jobs"] > 0


def test_a_server_that_overlooks_running_jobs_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    careless = (*GUNICORN, "tests.faults.careless_power:application()")

    tries = (stopped(tmp_path / str(seed), seed, command=careless)["early"] for seed in range(5))
    caught = any(tries)

    evidence("P15", "a server that overlooks running jobs", trials=1, mutants=1, caught=int(caught))
    assert caught
