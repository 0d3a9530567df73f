"""Polls, an open dashboard and health checks cost nothing: the machine goes off when its idle time is up."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from api.doorkeeper import Doorkeeper
from api.server import build_app
from core.activity import Activity
from core.idle import Policy
from core.survey import Survey
from examples.running import RunningBus, a_bus
from tests.api.stage import Stage, a_stage
from tests.conftest import Evidence
from tests.core.power_bench import ASwitch
from tests.faults.crew import waited_for

HOUR = 3600.0
#: A few more than a thousand in an hour, of which the last may not fall due in time.
POLLS = 1010
#: What programs, people and load balancers ask a bus that has nothing to do. `{id}` is the job that ended.
QUESTIONS = (
    "/outbound?job_id={id}",
    "/outbound?job_id=no-such-job",
    "/api/jobs/{id}",
    "/api/worker/jobs/{id}",
    "/health",
    "/metrics",
    "/queues",
    "/api/power",
    "/no/such/page",
)
#: Seconds after the last job in which a real machine is to go off.
IDLE = 5.0


class Idling:
    """A bus of real parts on a clock that is moved; it runs one job, and an hour later it is off."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.switch = ASwitch()
        self.stage: Stage = a_stage(folder, switches=[self.switch], policy=Policy(idle_timeout=HOUR))
        self.clock = self.stage.clock
        kernel = self.stage.kernel
        self.activity = Activity(kernel.bus.events, self.clock)
        self.power = kernel.power
        self.power.facts = Survey(self.stage.engine, kernel.deliveries, self.activity).facts
        self.app: Flask = build_app(kernel, Doorkeeper(self.clock))
        self.client = self.app.test_client()

    def run_a_job(self) -> tuple[str, float]:
        """Submit a job, run it, read its result; return its id and when it ended, in seconds since boot."""
        self.clock.advance(600)
        submitted = self.client.post("/inbound", json={"action": "fakejob"}).json
        assert submitted is not None
        job_id = submitted["job_id"]
        self.clock.advance(30)
        self.stage.succeeded(job_id, {"waited": 1})
        self.client.get(f"/outbound?job_id={job_id}")
        return job_id, self.clock.boottime()

    def note_activity(self) -> None:
        """Take whatever happens for work."""
        self.activity.last = self.clock.boottime()

    def seconds_on(self, ended: float, *, ask: Callable[[float], object]) -> float:
        """Return how long after that moment the switch is run, two hours at most; power sets the pace."""
        while self.clock.boottime() - ended < 2 * HOUR:
            pause = self.power.step()
            if self.switch.runs:
                break
            ask(pause)
            self.clock.advance(pause)
        return self.clock.boottime() - ended


class Askers:
    """Those who ask so often that POLLS questions fill an hour, with a dashboard open all along."""

    def __init__(self, idling: Idling, job_id: str) -> None:
        self._client = idling.client
        self._job_id = job_id
        self._chance = random.Random(6)
        self._dashboard = iter(idling.client.get("/api/events").response)
        assert b"listening" in next(self._dashboard)
        self._owed = 0.0
        self.asked = 0

    def ask(self, seconds: float) -> None:
        """Ask what is asked in so many seconds."""
        self._owed += seconds * POLLS / HOUR
        while self._owed >= 1:
            self._owed -= 1
            self._client.get(self._chance.choice(QUESTIONS).format(id=self._job_id))
            self.asked += 1


def hours_of(folder: Path, *, counts_requests: bool = False) -> tuple[float, float, int]:
    """Return how many seconds a bus stays on that nobody asks, and one that is asked, and how often."""
    quiet, busy = Idling(folder / "quiet"), Idling(folder / "busy")
    if counts_requests:
        busy.app.before_request(busy.note_activity)
    _, quiet_since = quiet.run_a_job()
    job_id, busy_since = busy.run_a_job()
    askers = Askers(busy, job_id)
    unasked = quiet.seconds_on(quiet_since, ask=lambda seconds: None)
    return unasked, busy.seconds_on(busy_since, ask=askers.ask), askers.asked


def test_an_hour_of_polls_keeps_the_machine_on_not_a_second_longer(
    tmp_path: Path, evidence: Evidence
) -> None:
    quiet, busy, asked = hours_of(tmp_path)

    evidence(
        "P15",
        "polls, health checks and an open dashboard for an idle hour, on a fake clock",
        trials=asked,
        seconds_longer=f"{busy - quiet:g}",
        seconds_after_the_idle_time=f"{busy - HOUR:g}",
    )
    assert asked >= 1000
    assert busy == quiet
    assert 0 <= busy - HOUR <= 1


def test_a_bus_that_counts_requests_as_work_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    quiet, busy, asked = hours_of(tmp_path, counts_requests=True)

    evidence("P15", "requests count as work", trials=asked, mutants=1, caught=int(busy > quiet))
    assert busy > quiet


@contextmanager
def pestered(bus: RunningBus, job_id: str) -> Iterator[list[int]]:
    """Ask a real bus as fast as it answers, with a dashboard open; yield the statuses of the answers."""
    over, statuses = threading.Event(), [0]

    def ask() -> None:
        with requests.Session() as session:
            for question in itertools.cycle(QUESTIONS):
                if over.is_set():
                    return
                statuses.append(session.get(bus.url + question.format(id=job_id), timeout=30).status_code)

    with requests.get(f"{bus.url}/api/events", stream=True, timeout=60):
        asker = threading.Thread(target=ask)
        asker.start()
        try:
            yield statuses
        finally:
            over.set()
            asker.join()


@pytest.mark.alone
def test_a_real_bus_that_is_asked_all_the_time_goes_off_when_its_idle_time_is_over(
    tmp_path: Path, evidence: Evidence
) -> None:
    off = tmp_path / "off"
    switch = tmp_path / "switch"
    switch.write_text(f"#!/bin/sh\ndate +%s.%N >> {off}\n")
    switch.chmod(0o755)
    settings = {
        "AAFAI_POWER_SWITCH": f"command:{switch}",
        "AAFAI_IDLE_TIMEOUT": f"{IDLE} seconds",
        "AAFAI_BOOT_GRACE": f"{IDLE} seconds",
        "AAFAI_PAID_MINUTE": "off",
        "AAFAI_RESULT_LINGER": "off",
        "AAFAI_MIN_FREE": "1 MiB",
    }

    with a_bus(tmp_path, **settings) as bus:
        job = {"action": "fakejob", "params": {"delay_seconds": 1}}
        job_id = requests.post(f"{bus.url}/inbound", json=job, timeout=10).json()["job_id"]
        with pestered(bus, job_id) as statuses:
            assert waited_for(lambda: off.exists() and off.read_text().endswith("\n"))
        record = json.loads(next((bus.queues / "outbound").glob(f"*/{job_id}.json")).read_text())
        bus.stop()

    late = float(off.read_text().split()[0]) - record["ended_at"] - IDLE
    evidence(
        "P15",
        f"a real bus asked all the time, off {IDLE:g} s after its last job",
        trials=len(statuses) - 1,
        early=int(late < 0),
        seconds_after_the_idle_time=f"{late:.2f}",
    )
    assert len(statuses) > 100
    assert late >= 0
