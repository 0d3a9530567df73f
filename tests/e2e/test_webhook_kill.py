"""kill -9 at random moments: whoever was promised to be told of a job's end is told, by his own books."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from examples.running import a_bus
from tests.core.receiver import a_receiver
from tests.e2e.crowd import Crowd, kill

pytestmark = pytest.mark.alone

ACTION = '''
from core import action

@action(isolation="thread", max_attempts=50)
def run(number: int) -> int:
    """Double a number."""
    return 2 * number
'''
BODY = {"action": "double", "params": {"number": 4}}
LIVES = 5
SUBMITTERS = 3


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "actions"
    folder.mkdir()
    (folder / "double.py").write_text(ACTION)
    return {
        "AAFAI_ACTIONS_DIR": str(folder),
        "AAFAI_ALLOW_PRIVATE_ADDRESSES": "1",
        "AAFAI_BACKOFF_BASE": "0.2",
        "AAFAI_LOG_LEVEL": "ERROR",
    }


def test_whatever_dies_when_every_callback_of_an_accepted_job_is_called(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    accepted: list[str] = []
    with a_receiver() as receiver:
        for _ in range(LIVES):
            # Some of the answers that come back are refusals, so that letters wait when the bus dies.
            receiver.statuses = [random.choice((204, 500)) for _ in range(60)]
            with a_bus(tmp_path, **settings) as bus:
                crowd = Crowd(bus, {**BODY, "callback_url": receiver.url}, submitters=SUBMITTERS)
                with crowd.at_work():
                    assert crowd.busy.wait(30), "no job was taken, so the end would prove nothing"
                    time.sleep(random.uniform(0.0, 0.8))
                    kill(bus)
                accepted += crowd.accepted
        receiver.statuses = []

        with a_bus(tmp_path, **settings) as bus:
            missing = set(accepted)
            deadline = time.monotonic() + 90
            while missing and time.monotonic() < deadline:
                time.sleep(0.1)
                missing = set(accepted) - {told.document["data"]["job_id"] for told in list(receiver.told)}
            still_promised = list((bus.queues / "webhooks" / "promised").iterdir())
            assert bus.stop() == 0

    assert not missing, f"{len(missing)} of {len(accepted)} were never told of"
    assert len(still_promised) <= SUBMITTERS * LIVES, "what was never acknowledged may be promised a while"
    results = {told.document["data"]["result"] for told in receiver.told}
    assert results == {8}
    secret = (bus.queues / "webhooks" / "secret").read_text().strip()
    assert all(told.verifies(secret) for told in receiver.told)
    ids: dict[str, set[str]] = {}
    for told in receiver.told:
        ids.setdefault(told.document["data"]["job_id"], set()).add(told.id)
    assert all(len(known) == 1 for known in ids.values()), "one job, one id, however often it is told"
