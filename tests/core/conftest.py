"""A kernel without HTTP, on the memory engine, with a clock that tests move."""

from pathlib import Path

import pytest

from core.admission import Admission
from core.bus import Bus
from core.event_bus import EventBus, LocalTransport
from core.gate import Gate
from core.registry import Registry
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
