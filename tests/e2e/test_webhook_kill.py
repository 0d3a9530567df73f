"""kill -9 at random moments: whoever was promised to be told of a job's end is told, by his own books."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from examples.running import RunningBus, a_bus
from tests.core.receiver import Receiver, a_receiver

pytestmark = pytest.mark.alone

ACTION = '''
from core import action

@action(isolation="thread", max_attempts=50)
def run(number: int) -> int:
    """Double a number."""
    return 2 * number
'''
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


class Crowd:
    """Clients that submit jobs with a callback until told to stop, and note what was accepted."""

    def __init__(self, bus: RunningBus, receiver: Receiver) -> None:
        self.accepted: list[str] = []
        #: Set when the first job was accepted.
        self.busy = threading.Event()
        self._bus, self._receiver = bus, receiver
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(SUBMITTERS)]

    def _submit(self) -> None:
        body = {"action": "double", "params": {"number": 4}, "callback_url": self._receiver.url}
        with requests.Session() as session:
            while not self._over.is_set():
                with contextlib.suppress(requests.RequestException):
                    answer = session.post(f"{self._bus.url}/inbound", json=body, timeout=10)
                    if answer.ok:
                        self.accepted.append(answer.json()["job_id"])
                        self.busy.set()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


def kill(bus: RunningBus) -> None:
    """End the worker and its master without a word, as the kernel does when memory runs out."""
    children = Path(f"/proc/{bus.process.pid}/task/{bus.process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    bus.process.kill()
    bus.process.wait(10)


def test_whatever_dies_when_every_callback_of_an_accepted_job_is_called(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    accepted: list[str] = []
    with a_receiver() as receiver:
        for _ in range(LIVES):
            # Some of the answers that come back are refusals, so that letters wait when the bus dies.
            receiver.statuses = [random.choice((204, 500)) for _ in range(60)]
            with a_bus(tmp_path, **settings) as bus:
                crowd = Crowd(bus, receiver)
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
