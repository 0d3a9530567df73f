from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actions import _addresses, _media
from core import addresses
from core.clock import SystemClock
from core.event_bus import EventBus, LocalTransport
from core.registry import Registry
from core.runner import Runner
from queues.memory import MemoryEngine
from tests.actions.site import Site, a_site
from tests.actions.visitor import Visitor

ACTIONS = Path(__file__).parents[2] / "actions"


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as site:
        yield site


@pytest.fixture
def inner_site() -> Iterator[Site]:
    """Stands in for what only machines inside a network may reach, such as a metadata server."""
    with a_site("127.0.0.2") as site:
        yield site


@pytest.fixture
def public_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.1 pass for a public address, on every port, and nothing else on the loopback network."""
    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1")
    monkeypatch.setattr(addresses, "_ALLOWED_PORTS", range(65_536))


@pytest.fixture(scope="session")
def registry() -> Registry:
    registry = Registry(ACTIONS)
    registry.load()
    return registry


@pytest.fixture
def visitor(tmp_path: Path, registry: Registry) -> Visitor:
    """Runs the shipped actions as the bus does, with the loopback network and the folder `media` allowed."""
    engine, clock, events = MemoryEngine(), SystemClock(), EventBus(LocalTransport())
    runner = Runner(
        engine,
        registry,
        clock,
        events,
        downloads=tmp_path / "downloads",
        submit=lambda *_, **__: "",
        backoff=lambda attempt: 1.0,
        environment={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            _addresses.ALLOW_PRIVATE: "1",
            _media.MEDIA_DIRS: str(tmp_path / "media"),
        },
    )
    return Visitor(engine, runner, clock, tmp_path / "downloads")
