"""Events and webhooks of a whole bus: what its kernel and its actions tell reaches others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import Config
from core import ambient
from core.event_bus import EventBus
from core.jobs import State
from core.kernel import Kernel
from core.submission import Submission
from queues import open_transport
from tests.core.receiver import Receiver, a_receiver
from tests.house.sources import ROOT
from wiring import assemble

TELLING = '''
from core import EventBus, action

@action(isolation="{isolation}")
def run(name: str) -> str:
    """Tell that something was done."""
    EventBus().publish("mail.done", "mail-agent", {{"name": name}}, target_agent="support-bot")
    return name
'''
LISTENING = '''
from core import EventBus, action

@action()
def run() -> str:
    """Try to listen."""
    EventBus().subscribe("mail-agent", "task.*")
    return "heard"
'''


@pytest.fixture
def a_kernel(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    folder = tmp_path / "actions"
    folder.mkdir()
    for isolation in ("thread", "process"):
        (folder / f"tell_from_{isolation}.py").write_text(TELLING.format(isolation=isolation))
    (folder / "listen.py").write_text(LISTENING)
    kernels: list[Kernel] = []

    def make(**more: str) -> Kernel:
        settings = {
            "AAFAI_ACTIONS_DIR": str(folder),
            "QUEUE_BASE_PATH": str(tmp_path / "queues"),
            "DOWNLOAD_DIR": str(tmp_path / "downloads"),
            "AAFAI_LOG_LEVEL": "ERROR",
        }
        kernels.append(assemble(Config.load({**settings, **more})))
        kernels[-1].start()
        return kernels[-1]

    yield make
    for kernel in kernels:
        kernel.drain()
    ambient.provide(None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as receiver:
        yield receiver


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[EventBus]:
    """A program beside the bus that reads the same journal, and is nobody of the bus's."""
    transport = open_transport(f"journal:{tmp_path}/queues/events")
    bus = EventBus(transport)
    yield bus
    bus.close()
    transport.close()


def heard_all(bus: EventBus, event_types: set[str]) -> dict[str, dict[str, object]]:
    """Wait for the next event of each type, in whatever order, and return their payloads."""
    told: dict[str, dict[str, object]] = {}
    while not event_types <= told.keys():
        event = bus.listen(timeout=20)
        assert event, f"only {sorted(told)} were heard"
        told.setdefault(event.event_type, dict(event.payload))
    return told


def heard(bus: EventBus, event_type: str) -> dict[str, object]:
    """Wait for the next event of a type and return its payload."""
    while event := bus.listen(timeout=20):
        if event.event_type == event_type:
            return dict(event.payload)
    raise AssertionError(f"{event_type} was not heard")


def test_a_program_beside_the_bus_hears_what_the_kernel_tells(
    a_kernel: Callable[..., Kernel], beside: EventBus
) -> None:
    beside.subscribe("reporter")
    kernel = a_kernel()

    job = kernel.bus.submit(Submission(action="tell_from_thread", params={"name": "x"}))

    # A job may have ended before every action is imported, which is when the start is told.
    told = heard_all(beside, {"system.startup", "task.completed"})
    assert told["task.completed"]["job_id"] == job.id
    kernel.drain()
    heard(beside, "system.shutdown")


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_what_an_action_tells_is_heard_by_the_agent_that_it_is_for(
    a_kernel: Callable[..., Kernel], beside: EventBus, isolation: str
) -> None:
    beside.subscribe("support-bot", "mail.*")
    kernel = a_kernel()

    kernel.bus.submit(Submission(action=f"tell_from_{isolation}", params={"name": "Ann"}))

    assert heard(beside, "mail.done") == {"name": "Ann"}


def test_an_action_in_a_process_that_wants_to_listen_is_told_why_it_cannot(
    a_kernel: Callable[..., Kernel],
) -> None:
    kernel = a_kernel()

    job = kernel.bus.submit(Submission(action="listen", max_attempts=1))

    assert kernel.bus.wait(job.id, 30).state is State.FAILED
    assert "tells of events and hears of none" in str(kernel.bus.get(job.id).error)


def test_nobody_outside_can_make_the_kernel_believe_that_a_job_has_ended(
    a_kernel: Callable[..., Kernel], beside: EventBus, tmp_path: Path
) -> None:
    beside.subscribe("reporter", "task.completed")
    kernel = a_kernel(AUTO_START_WORKERS="false")
    believed: list[object] = []
    kernel.bus.events.subscribe("test", "task.completed", believed.append)
    program = "from core import EventBus; EventBus().publish('task.completed', 'aafai-bus', {'job_id': 'x'})"
    environment = {**os.environ, "QUEUE_BASE_PATH": str(tmp_path / "queues")}

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=60)

    heard(beside, "task.completed")
    assert believed == []


def test_a_callback_is_called_when_its_job_has_ended(
    a_kernel: Callable[..., Kernel], receiver: Receiver, beside: EventBus, tmp_path: Path
) -> None:
    beside.subscribe("reporter", "webhook.*")
    kernel = a_kernel(AAFAI_ALLOW_PRIVATE_ADDRESSES="1")

    asked = Submission(action="tell_from_thread", params={"name": "x"}, callback_url=receiver.url)
    job = kernel.bus.submit(asked)

    assert heard(beside, "webhook.delivered")["job_id"] == job.id
    (told,) = receiver.told
    assert told.document["data"]["result"] == "x"
    assert told.verifies((tmp_path / "queues" / "webhooks" / "secret").read_text().strip())


def test_a_job_that_was_dropped_into_the_folder_has_its_callback_called_too(
    a_kernel: Callable[..., Kernel], receiver: Receiver, beside: EventBus, tmp_path: Path
) -> None:
    beside.subscribe("reporter", "webhook.*")
    a_kernel(AAFAI_ALLOW_PRIVATE_ADDRESSES="1")
    text = f'{{"action": "tell_from_thread", "params": {{"name": "y"}}, "callback_url": "{receiver.url}"}}'

    (tmp_path / "queues" / "inbound" / "by_hand.json").write_text(text)

    heard(beside, "webhook.delivered")
    assert [told.document["data"]["result"] for told in receiver.told] == ["y"]


def test_a_standing_subscription_is_told_of_what_the_kernel_and_programs_tell(
    a_kernel: Callable[..., Kernel], receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "webhooks.json"
    file.write_text(f'[{{"url": "{receiver.url}", "events": ["task.completed", "mail.*"]}}]')
    kernel = a_kernel(AAFAI_ALLOW_PRIVATE_ADDRESSES="1", AAFAI_WEBHOOKS=str(file))
    other = EventBus()
    other.subscribe("test", "webhook.delivered")

    other.publish("mail.sent", "mail-agent", {"n": 1})
    kernel.bus.submit(Submission(action="tell_from_process", params={"name": "z"}))
    for _ in range(2):
        heard(other, "webhook.delivered")
    other.close()

    assert {told.document["type"] for told in receiver.told} == {"task.completed", "mail.sent"}
