"""A real bus at work: the doctor finds it, finds nothing wrong, holds nothing up, and may mend beside it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from examples.running import RunningBus, a_bus
from tests.house.sources import ROOT

pytestmark = pytest.mark.alone

ACTION = '''"""Do nothing, quickly."""

from core import action


@action(isolation="thread")
def run() -> str:
    """Answer at once."""
    return "done"
'''


def consulted(bus: RunningBus, *options: str) -> dict[str, Any]:
    """Return what the doctor says of the bus's folder, called from a shell without settings."""
    ran = subprocess.run(
        [ROOT / "bus", "doctor", "--json", *options, bus.queues],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


class Client(threading.Thread):
    """Submit jobs, some of them deferred by a second, until told to stop."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.halt = threading.Event()
        self.job_ids: list[str] = []

    def run(self) -> None:
        with requests.Session() as session:
            for number in itertools.takewhile(lambda _: not self.halt.is_set(), itertools.count()):
                body = {"action": "quick", "idempotency_key": f"k{number}", "run_after": int(number % 5 == 0)}
                answer = session.post(f"{self.url}/inbound", json=body, timeout=30)
                self.job_ids.append(answer.json()["job_id"])


def test_a_bus_at_work_is_found_well_and_every_job_of_it_ends(tmp_path: Path) -> None:
    actions = tmp_path / "actions"
    actions.mkdir()
    (actions / "quick.py").write_text(ACTION)

    with a_bus(tmp_path, AAFAI_ACTIONS_DIR=str(actions), AAFAI_MIN_FREE="1") as bus:
        client = Client(bus.url)
        client.start()
        beside = [consulted(bus, *options) for options in ([], ["--fix"], [], ["--fix"])]
        client.halt.set()
        client.join()
        answers = [
            requests.get(f"{bus.url}/outbound", params={"job_id": job_id, "wait": 20}, timeout=60).json()
            for job_id in client.job_ids
        ]
        assert bus.stop() == 0
        after = consulted(bus)

    for document in beside:
        (process,) = document["buses"]
        marks = [found["mark"] for group in document["groups"] for found in group["findings"]]
        assert document["settings"] == f"the running bus (process {process})"
        assert (document["ok"], set(marks) - {"note"}) == (True, set())
    assert {answer["status"] for answer in answers} == {"complete"}
    assert len(set(client.job_ids)) == len(answers) > 100
    assert (after["buses"], after["ok"]) == ([], True)
