"""A whole bus on the memory engine for tests of HTTP: nothing runs unless a test makes it run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from api.doorkeeper import Doorkeeper
from api.server import build_app
from core import lifecycle
from core.addresses import checked_spelling
from core.admission import Admission
from core.bus import Bus
from core.deliveries import Deliveries
from core.event_bus import KERNEL, EventBus, LocalTransport, job_payload
from core.functions import Functions
from core.gate import Gate
from core.idle import Facts, Policy
from core.janitor import Janitor
from core.jobs import Job, JobError, Progress
from core.kernel import Kernel
from core.metrics import Metrics
from core.pool import Pool
from core.power import Power
from core.registry import Registry
from core.schedule_store import MemorySchedules
from core.schedules import Schedules
from queues.memory import MemoryEngine
from tests.fakes import FakeClock

ACTIONS = {
    "fakejob.py": 'def run(delay_seconds: int = 5) -> dict:\n    """Wait.\n\n    Longer."""\n    return {}\n',
    "download_website.py": 'def run(url: str) -> dict:\n    """Fetch a page."""\n    return {}\n',
    "broken.py": "import no_such_module\n",
}

#: Which of a stage's settings are the doorkeeper's.
DOOR = ("token", "keyring", "allowed_hosts", "rate_limit", "token_rate_limit")


class StillClock(FakeClock):
    """A clock that stands still, and really waits for events, at most a minute."""

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        return event.wait(60)


class Idler:
    """A runner whom nobody gives anything to do."""

    def stop(self, grace: float) -> None: ...


@dataclass
class Stage:
    """A kernel and what a test does to it."""

    kernel: Kernel
    engine: MemoryEngine
    clock: FakeClock
    folder: Path

    def client(self, **settings: Any) -> FlaskClient:
        """Return a client of the bus, under those settings of the doorkeeper and of `build_app`."""
        door = {name: settings.pop(name) for name in DOOR if name in settings}
        return build_app(self.kernel, Doorkeeper(self.kernel.clock, **door), **settings).test_client()

    def claimed(self, job_id: str) -> Job:
        job = self.engine.claim_one(job_id, "worker-1", now=self.clock.now(), lease=60.0)
        assert job is not None
        return job

    def progressed(self, job_id: str, fraction: float, message: str) -> Job:
        claimed = self.claimed(job_id)
        progress = Progress(fraction=fraction, message=message, at=self.clock.now())
        return self._swapped(claimed, lifecycle.progressed(claimed, progress), "progress")

    def succeeded(self, job_id: str, result: Any) -> Job:
        claimed = self.claimed(job_id)
        ended = lifecycle.succeeded(claimed, result=result, now=self.clock.now())
        return self._swapped(claimed, ended, "completed")

    def failed(self, job_id: str, code: str, message: str) -> Job:
        claimed = self.claimed(job_id)
        error = JobError(code=code, message=message)
        ended = lifecycle.failed(claimed, error=error, now=self.clock.now(), final=True)
        return self._swapped(claimed, ended, "failed")

    def _swapped(self, old: Job, new: Job, event: str) -> Job:
        self.engine.swap(old, new)
        self.kernel.bus.events.publish(f"task.{event}", KERNEL, job_payload(new))
        return new


def a_stage(folder: Path, *, clock: FakeClock | None = None, engine: Any = None, **power: Any) -> Stage:
    """Return a bus whose actions are ACTIONS and whose store is the memory engine; `power` goes to Power."""
    clock, engine = clock or StillClock(), engine or MemoryEngine()
    actions = folder / "actions"
    actions.mkdir()
    for name, text in ACTIONS.items():
        (actions / name).write_text(text)
    registry = Registry(actions)
    registry.load()
    events, gate = EventBus(LocalTransport()), Gate()
    admission = Admission(engine, registry, clock, default_timeout=600.0, check_callback=checked_spelling)
    bus = Bus(engine, admission, events, clock, gate)
    kernel = Kernel(
        bus=bus,
        registry=registry,
        # Workers that a test asks for find no work: they look for it elsewhere.
        pool=Pool(MemoryEngine(), Idler(), events, clock, slots={}),  # type: ignore[arg-type]
        janitor=_janitor(engine, events, clock, folder),
        power=_power(bus, clock, folder, power),
        deliveries=Deliveries(events, clock, linger=600.0),
        metrics=Metrics(events, lambda: kernel.readings()),  # noqa: PLW0108  The kernel is not there yet.
        clock=clock,
        schedules=Schedules(MemorySchedules(), admission, Functions(), clock),
        version="1.2.3",
        boot_id="boot-1",
    )
    return Stage(kernel=kernel, engine=engine, clock=clock, folder=folder)


def _power(bus: Bus, clock: FakeClock, folder: Path, more: dict[str, Any]) -> Power:
    usual = {"facts": Facts, "policy": Policy(), "runtime_dir": folder, "record": folder / "stopped.json"}
    return Power(gate=bus.gate, clock=clock, events=bus.events, **(usual | more))


def _janitor(engine: Any, events: EventBus, clock: FakeClock, folder: Path) -> Janitor:
    """Return a janitor that makes a round when a test tells it to."""
    return Janitor(
        engine,
        events,
        clock,
        wake_all=lambda: None,
        sweep=lambda job_id: None,
        backoff=lambda attempt: 8.0,
        downloads=folder / "downloads",
        result_ttl=86_400.0,
    )
