"""Runs shipped actions as jobs, and remembers what they said on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clock import Clock
from core.context import JobContext
from core.jobs import Job
from core.runner import Runner
from queues.memory import MemoryEngine
from tests.factories import a_job


@dataclass(frozen=True)
class Visitor:
    """A runner of the shipped actions."""

    engine: MemoryEngine
    runner: Runner
    clock: Clock
    downloads: Path

    def claim(self, action: str, params: Mapping[str, Any], **fields: Any) -> Job:
        job = self.engine.add(a_job(action=action, params=params, submitted_at=self.clock.now(), **fields))
        claimed = self.engine.claim_one(job.id, "worker-1", now=self.clock.now(), lease=60.0)
        assert claimed is not None
        return claimed

    def run(self, action: str, params: Mapping[str, Any], **fields: Any) -> Job:
        """Run one attempt and return the job as it is stored then."""
        job = self.claim(action, params, **{"max_attempts": 1} | fields)
        self.runner.perform(job)
        return self.engine.get(job.id)


class Silent:
    """A channel to nobody."""

    def log(self, level: str, message: str) -> None: ...

    def progress(self, fraction: float | None, message: str) -> None: ...

    def stop_wished(self) -> str | None: ...

    def submit(self, action: str, params: Mapping[str, Any], options: Mapping[str, Any]) -> str:
        return ""


def a_context(folder: Path, clock: Clock) -> JobContext:
    """Return what an action needs to be called directly."""
    return JobContext(job_id="j", attempt=1, params={}, folder=folder, channel=Silent(), clock=clock)
