"""A runner over a folder of actions that a test writes, and an engine that lives in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from core.clock import SystemClock
from core.engine import Engine
from core.event_bus import EventBus, EventMessage, LocalTransport
from core.jobs import Job
from core.registry import Registry
from core.runner import Runner
from queues.memory import MemoryEngine
from tests.factories import a_job

BACKOFF = 7.0


class Workbench:
    """Write actions, submit jobs for them, and perform their attempts."""

    def __init__(self, folder: Path, *, clock: Any = None, engine: Any = None, **options: Any) -> None:
        self.actions = folder / "actions"
        self.actions.mkdir(exist_ok=True)
        self.downloads = folder / "downloads"
        self.clock = clock or SystemClock()
        self.engine: Engine = engine or MemoryEngine()
        self.registry = Registry(self.actions)
        self.submitted: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = []
        self.heard: list[EventMessage] = []
        self.started = threading.Event()
        self.events = EventBus(LocalTransport())
        self.events.subscribe("test", None, self._hear)
        settings = {
            "downloads": self.downloads,
            "submit": self._submit,
            "backoff": lambda attempt: BACKOFF,
            "grace": 0.3,
        }
        self.runner = Runner(self.engine, self.registry, self.clock, self.events, **(settings | options))

    def write(self, name: str, source: str) -> None:
        """Write an action file and load the folder."""
        (self.actions / f"{name}.py").write_text(dedent(source))
        self.registry.load()

    def claim(self, action: str, params: Mapping[str, Any] | None = None, **fields: Any) -> Job:
        """Submit a job and claim it."""
        job = self.engine.add(
            a_job(action=action, params=params or {}, submitted_at=self.clock.now(), **fields)
        )
        claimed = self.engine.claim_one(job.id, "worker-1", now=self.clock.now(), lease=60.0)
        assert claimed is not None
        return claimed

    def perform(self, source: str, params: Mapping[str, Any] | None = None, **fields: Any) -> Job:
        """Write an action, run one attempt of a job for it, and return the job as it is stored then."""
        self.write("act", source)
        job = self.claim("act", params, **fields)
        self.runner.perform(job)
        return self.engine.get(job.id)

    def begin(self, job: Job) -> threading.Thread:
        """Run an attempt in a thread of its own."""
        thread = threading.Thread(target=self.runner.perform, args=[job])
        thread.start()
        return thread

    def told(self) -> list[str]:
        """Return the types of the events so far."""
        return [message.event_type for message in self.heard]

    def log(self, job: Job) -> list[tuple[str, str]]:
        """Return source and message of the job's log entries."""
        return [(entry.source, entry.message) for entry in self.engine.logs(job.id, limit=100_000)]

    def _submit(self, action: str, params: Mapping[str, Any], **options: Any) -> str:
        self.submitted.append((action, params, options))
        return f"job-{len(self.submitted)}"

    def _hear(self, message: EventMessage) -> None:
        self.heard.append(message)
        if message.event_type == "task.started":
            self.started.set()
