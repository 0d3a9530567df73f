"""A machine that is started, works, sleeps and dies as tests tell it to, and the ledger that it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.boots import Boots, Moments
from core.event_bus import KERNEL, EventBus, LocalTransport
from core.ledger import Ledger
from tests.fakes import FakeClock

#: From the start of the machine to the moment at which jobs are accepted.
BOOT = 20.0


class MachineOfTime:
    """One machine, boot after boot; its files are in `folder`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder / "power"
        self.clock = FakeClock()
        self.options = options
        self.told: list[str] = []
        self.boots = 0
        self.ledger: Ledger

    def start(self, *, after: float = 0.0, boot: float = BOOT) -> Ledger:
        """Start the machine when it was off for that long; jobs are accepted after `boot` seconds."""
        self.boots += 1
        self.clock.advance(after)
        self.clock.steady = self.clock.boot = 0.0
        self.clock.advance(boot)
        return self.start_service()

    def start_service(self) -> Ledger:
        """Start the service, and the ledger with it."""
        self.events = EventBus(LocalTransport())
        self.events.subscribe(
            "test", "system.warning", lambda event: self.told.append(event.payload["message"])
        )
        boots = Boots(self.folder / "boots.jsonl", self.events, self.clock)
        self.ledger = Ledger(
            self.folder, self.events, self.clock, boots=boots, moments=self.moments, **self.options
        )
        self.ledger.begin(self.clock.boottime())
        return self.ledger

    def moments(self) -> Moments:
        started = max(0.0, self.clock.boottime() - 1.0)
        return Moments(boot_id=f"boot-{self.boots}", kernel=None, service=started, process=started)

    def pass_time(self, seconds: float, *, beat: float = 60.0) -> None:
        """Let the machine be on for so long, its ledger beating."""
        while seconds > 0:
            self.clock.advance(min(seconds, beat))
            self.ledger.beat()
            seconds -= beat

    def run_job(self, seconds: float, *, name: str = "a", action: str = "fakejob") -> None:
        self.publish("queued", name, action)
        self.publish("started", name, action)
        self.clock.advance(seconds)
        self.publish("completed", name, action)

    def publish(self, status: str, name: str = "a", action: str = "fakejob", by: str = KERNEL) -> None:
        self.events.publish(f"task.{status}", by, {"job_id": name, "action": action})

    def say_stop(self, message: str = "Stopping: nothing is left to do.") -> None:
        self.events.publish("system.shutdown", KERNEL, {"message": message})

    def suspend(self, seconds: float) -> None:
        """Let the machine be suspended: its steady clock stands still."""
        self.clock.wall += seconds
        self.clock.boot += seconds

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the sessions that are over."""
        path = self.folder / "sessions.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
