"""The mirror of a real server: complete whatever was killed, its mail taken in once, read while it is off."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from examples.running import a_bus
from tests.conftest import Effort, Evidence
from tests.e2e.crowd import Crowd, kill
from tests.e2e.test_google_machine import HASTY, GoogleMachine

pytestmark = pytest.mark.alone

ACTION = '''
from core import JobContext, action

@action(isolation="thread", max_attempts=50)
def run(number: int, *, job: JobContext) -> int:
    """Double a number, and write it into a file."""
    (job.files / "number.txt").write_text(str(2 * number))
    return 2 * number
'''
BODY = {"action": "double", "params": {"number": 4}}
BUCKET = "quiet-results"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    actions, mirror = tmp_path / "actions", tmp_path / "mirror"
    actions.mkdir()
    (mirror / "inbox").mkdir(parents=True)
    (actions / "double.py").write_text(ACTION)
    return {
        "AAFAI_ACTIONS_DIR": str(actions),
        "AAFAI_MIRROR": f"folder:{mirror}",
        "AAFAI_LOG_LEVEL": "ERROR",
    }


class Leaver:
    """Somebody who leaves files in the mailbox, whose names nobody else gives."""

    def __init__(self, inbox: Path, life: int) -> None:
        self.left: list[str] = []
        self._inbox, self._life = inbox, life

    def work(self, over: threading.Event) -> None:
        """Leave one file after the other until it is over."""
        while not over.wait(0.02):
            name = f"{self._life}-{len(self.left)}.json"
            leave(self._inbox, name, {**BODY, "batch": f"mail-{name}"})
            self.left.append(name)


def leave(inbox: Path, name: str, document: Any) -> None:
    (inbox / f".{name}").write_text(json.dumps(document))
    (inbox / f".{name}").rename(inbox / name)


def stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.json")}


@pytest.mark.timeout(600)
def test_whatever_dies_when_every_job_is_published_and_every_file_taken_in_once(
    tmp_path: Path, settings: dict[str, str], effort: Effort, evidence: Evidence
) -> None:
    mirror = tmp_path / "mirror"
    accepted: set[str] = set()
    left: list[str] = []
    lives = effort(4, 20)
    for life in range(lives):
        with a_bus(tmp_path, **settings) as bus:
            leaver = Leaver(mirror / "inbox", life)
            crowd = Crowd(bus, BODY, pause=0.01, others=[leaver.work])
            with crowd.at_work():
                assert crowd.busy.wait(30), "no job was taken, so the end would prove nothing"
                time.sleep(random.uniform(0.5, 4.0))
                kill(bus)
            accepted |= set(crowd.accepted)
            left += leaver.left

    with a_bus(tmp_path, **settings) as bus:
        while {Path(name).stem for name in left} - stems(mirror / "receipts"):
            time.sleep(0.1)
        receipts = [json.loads((mirror / "receipts" / name).read_text()) for name in left]
        accepted |= {receipt["job_id"] for receipt in receipts}
        while accepted - stems(mirror / "statuses"):
            time.sleep(0.1)
        assert bus.stop() == 0
    records = [json.loads(path.read_text()) for path in (tmp_path / "queues" / "outbound").rglob("*.json")]
    batches = Counter(record.get("batch") for record in records)
    copies = {name: batches[f"mail-{name}"] for name in left}

    evidence(
        "P22",
        "kill -9 of a real server amid mail and jobs that end",
        trials=lives,
        lost=len(accepted - stems(mirror / "statuses")),
        duplicated=sum(number > 1 for number in copies.values()),
        left=len(stems(mirror / "inbox")),
        files=len(left),
        jobs=len(accepted),
    )
    assert accepted - stems(mirror / "statuses") == set()
    assert {receipt["status"] for receipt in receipts} == {"received"}
    assert set(copies.values()) == {1}
    assert stems(mirror / "inbox") == set()
    for job_id in accepted:
        assert json.loads((mirror / "results" / f"{job_id}.json").read_text())["result"] == 8
        assert (mirror / "files" / job_id / "number.txt").read_text() == "8"


def test_a_job_left_while_the_machine_is_off_is_read_when_it_is_off_again(tmp_path: Path) -> None:
    more = {"AAFAI_MIRROR": f"gs://{BUCKET}/bus", "AAFAI_RESULT_LINGER": "off"}
    with GoogleMachine(tmp_path, **{**HASTY, **more, "AAFAI_BOOT_GRACE": "15 seconds"}) as machine:
        storage = machine.google.storage
        storage.put(BUCKET, "bus/inbox/row-1.json", b'{"action": "fakejob", "params": {"delay_seconds": 0}}')
        storage.put(BUCKET, "bus/inbox/row-2.json", b'{"action": "fakejobs"}')

        machine.start()
        assert machine.is_off.wait(90)
        machine.google.compute.settle()

        good, bad = (storage.read(BUCKET, f"bus/receipts/row-{row}.json") for row in (1, 2))
        result = storage.read(BUCKET, f"bus/results/{good['job_id']}.json")
        status = storage.read(BUCKET, f"bus/statuses/{good['job_id']}.json")
        assert machine.google.compute.instance()["status"] == "TERMINATED"
        assert result == {"job_id": good["job_id"], "status": "complete", "result": {"waited": 0}}
        assert (status["state"], status["action"]) == ("succeeded", "fakejob")
        assert (bad["status"], bad["code"]) == ("error", "unknown_action")
        assert "bus/refused/row-2.json" in storage.buckets[BUCKET]
        assert not [name for name in storage.buckets[BUCKET] if "/inbox/" in name]


def test_a_bucket_that_cannot_be_reached_keeps_no_job_from_being_run(tmp_path: Path) -> None:
    with GoogleMachine(tmp_path, AAFAI_MIRROR="gs://no-such-bucket/bus") as machine:
        machine.start()
        body = {"action": "fakejob", "params": {"delay_seconds": 0}}
        job_id = requests.post(f"{machine.bus.url}/inbound", json=body, timeout=10).json()["job_id"]

        answer = requests.get(f"{machine.bus.url}/outbound?job_id={job_id}&wait=20", timeout=30).json()

        assert answer["status"] == "complete"
        reasons: set[str] = set()
        deadline = time.monotonic() + 30
        while "unpublished" not in reasons and time.monotonic() < deadline:
            told = requests.get(f"{machine.bus.url}/api/power", timeout=10).json()
            reasons = {reason["code"] for reason in told["reasons"]}
        assert "unpublished" in reasons
