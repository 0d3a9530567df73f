"""A kernel without HTTP, on the memory engine, with a clock that tests move."""

import json
import os
from pathlib import Path

import pytest

from cloud.folder_mirror import FolderMirror
from core import lifecycle
from core.admission import Admission
from core.bus import Bus
from core.event_bus import KERNEL, EventBus, LocalTransport, job_payload
from core.gate import Gate
from core.jobs import Job, JobError
from core.mailbox import Mailbox
from core.registry import Registry
from core.submission import Submission
from queues.memory import MemoryEngine
from tests.fakes import FakeClock

ACTIONS = {
    "double": '''
"""Double a number."""
from core import action

@action(isolation="thread", max_attempts=2)
def run(number: int) -> int:
    """Double a number."""
    return 2 * number
''',
    "slow": '''
from core import action

@action(isolation="thread", queue="slow", timeout="5m")
def run() -> None:
    """Wait for nothing."""
''',
    "broken": "import no_such_module\n",
}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def events():
    return EventBus(LocalTransport())


@pytest.fixture
def heard(events):
    """The types and job ids of all events so far."""
    messages = []
    events.subscribe(
        "test", None, lambda event: messages.append((event.event_type, event.payload.get("job_id")))
    )
    return messages


@pytest.fixture
def engine():
    engine = MemoryEngine()
    yield engine
    engine.close()


@pytest.fixture
def registry(tmp_path: Path):
    folder = tmp_path / "actions"
    folder.mkdir()
    for name, text in ACTIONS.items():
        (folder / f"{name}.py").write_text(text)
    registry = Registry(folder)
    registry.load()
    return registry


@pytest.fixture
def bus(engine, registry, events, clock):
    return Bus(engine, Admission(engine, registry, clock, default_timeout=1800), events, clock, Gate())


@pytest.fixture
def mirror_folder(tmp_path: Path):
    folder = tmp_path / "mirror"
    (folder / "inbox").mkdir(parents=True)
    return folder


@pytest.fixture
def mirror(mirror_folder):
    return FolderMirror(mirror_folder)


@pytest.fixture
def mailbox(mirror, bus, clock, events):
    return Mailbox(mirror, bus.submit_document, clock, events)


@pytest.fixture
def leave(mirror_folder):
    """Leave a file in the mailbox, as of long ago unless told otherwise."""

    def leave(content: object, name: str = "mine.json", *, at: float | None = None) -> Path:
        path = mirror_folder / "inbox" / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        if at is not None:
            os.utime(path, (at, at))
        return path

    return leave


@pytest.fixture
def ended(bus, engine, events, clock):
    """Submit a job and end it; tell of it unless the process died just then."""

    def ended(*, tell: bool = True, error: JobError | None = None, **fields: object) -> Job:
        job = bus.submit(Submission(action="double", params={"number": 21}, **fields))
        claimed = engine.claim_one(job.id, "worker-1", now=clock.now(), lease=60)
        after = (
            lifecycle.failed(claimed, error=error, now=clock.now(), final=True)
            if error
            else lifecycle.succeeded(claimed, result=42, now=clock.now())
        )
        engine.swap(claimed, after)
        if tell:
            events.publish(f"task.{'failed' if error else 'completed'}", KERNEL, job_payload(after))
        return engine.get(job.id)

    return ended
