"""The real server on a machine of the fake Google's: it stops it, is started by its alarm, is preempted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from examples.running import RunningBus, a_bus
from tests.boots import boot_anew
from tests.cloud.fake_google import FakeGoogle

pytestmark = pytest.mark.alone

ALARM = {"AAFAI_POWER_SWITCH": "gcp", "AAFAI_WAKE_ALARM": "gcp-scheduler:wake"}
HASTY = {"AAFAI_IDLE_TIMEOUT": "1 second", "AAFAI_BOOT_GRACE": "1 second", "AAFAI_PAID_MINUTE": "off"}


class GoogleMachine:
    """A machine on which the bus is started at boot, and which ends it when it stops."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.google = FakeGoogle(on_start=self._boot, on_stop=self._power_off)
        self.booted = threading.Event()
        self.is_off = threading.Event()
        self._folder = folder
        self._settings = settings
        self._running = ExitStack()
        self.bus: RunningBus

    def __enter__(self) -> Self:
        self.google.__enter__()
        self.google.compute.instance()["status"] = "TERMINATED"
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self.google.__exit__()

    def start(self) -> None:
        """Start the machine as a client does, and wait for its bus."""
        self.google.compute.change("start")
        assert self.booted.wait(60)

    def _boot(self, _: str) -> None:
        self.is_off.clear()
        boot_anew(self._folder / "queues")
        settings = {"AAFAI_GOOGLE_URL": self.google.url, **ALARM, **self._settings}
        self.bus = self._running.enter_context(a_bus(self._folder, **settings))
        self.booted.set()

    def _power_off(self, _: str) -> None:
        self.booted.clear()
        self.bus.stop(timeout=40)
        self.is_off.set()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[GoogleMachine]:
    """A machine that is off, and hasty to be off again."""
    with GoogleMachine(tmp_path, **HASTY) as made:
        yield made


def submitted(machine: GoogleMachine, **body: Any) -> str:
    """Submit a job and return its id."""
    answer = requests.post(f"{machine.bus.url}/inbound", json=body, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["job_id"])


def test_a_machine_stops_itself_and_is_started_in_the_minute_that_its_job_needs(
    machine: GoogleMachine,
) -> None:
    due = time.time() + 3600
    machine.start()
    first = machine.bus.url
    submitted(machine, action="fakejob", run_after=datetime.fromtimestamp(due, UTC).isoformat())

    assert machine.is_off.wait(60)
    machine.google.compute.settle()
    status_when_off = machine.google.compute.instance()["status"]
    rings = machine.google.scheduler.next_ring("wake", time.time())
    machine.google.scheduler.ring("wake")
    assert machine.booted.wait(60)

    assert status_when_off == "TERMINATED"
    assert rings is not None
    assert due - 300 < rings <= due
    assert machine.bus.url != first
    assert machine.google.scheduler.job("wake")["status"] == {}


def test_a_machine_that_may_not_stop_itself_says_so_and_accepts_jobs(machine: GoogleMachine) -> None:
    machine.google.forbidden = {"compute.instances.stop"}
    machine.start()

    while not (
        problem := requests.get(f"{machine.bus.url}/api/power", timeout=10).json()["switches"][0]["problem"]
    ):
        time.sleep(0.05)

    assert "lacks compute.instances.stop. Grant it: gcloud iam roles create" in problem
    submitted(machine, action="fakejob")
    assert machine.google.compute.instance()["status"] == "RUNNING"


def test_a_preempted_machine_puts_back_what_runs_and_has_itself_started_again(tmp_path: Path) -> None:
    with GoogleMachine(tmp_path, AAFAI_KILL_GRACE="1 second") as machine:
        machine.start()
        machine.google.metadata.wait_until_waited_for()
        job_id = submitted(machine, action="fakejob", params={"delay_seconds": 3600}, max_attempts=1)
        poll = {"job_id": job_id}
        while (
            requests.get(f"{machine.bus.url}/outbound", params=poll, timeout=10).json()["state"] != "running"
        ):
            time.sleep(0.02)

        told = time.monotonic()
        machine.google.metadata.set("instance/preempted", "TRUE")
        while not list(machine.bus.queues.glob(f"inbound/p5/*/{job_id}.json")):
            time.sleep(0.05)
        took = time.monotonic() - told
        refused = requests.post(f"{machine.bus.url}/inbound", json={"action": "fakejob"}, timeout=10)
        machine.google.compute.change("stop")
        assert machine.is_off.wait(60)

        rings = machine.google.scheduler.next_ring("wake", time.time())
        assert refused.status_code == 503
        assert took < 25
        assert rings is not None
        assert rings - time.time() < 300
