"""The cloud takes the machine away: what runs is put back unpunished, and the machine is to come back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import core.kernel
from config import Config
from core.event_bus import EventMessage
from core.jobs import State
from core.last_stop import StopRecord
from core.submission import Submission
from wiring import assemble


def a_kernel(folder: Path) -> Any:
    """Return the kernel of a server whose wake alarm writes down what it is told."""
    alarm = folder / "alarm"
    alarm.write_text(f'#!/bin/sh\necho "$@" >> {folder}/alarms\n')
    alarm.chmod(0o755)
    settings = {
        "AAFAI_WAKE_ALARM": f"command:{alarm}",
        "QUEUE_BASE_PATH": str(folder / "queues"),
        "DOWNLOAD_DIR": str(folder / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
        "AAFAI_MIN_FREE": "1 MiB",
    }
    return assemble(Config.load(settings))


def test_a_preempted_machine_gives_attempts_back_and_is_to_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.kernel, "_PREEMPTED", 0.1)
    kernel = a_kernel(tmp_path)
    started, over = threading.Event(), threading.Event()
    told: list[EventMessage] = []
    kernel.bus.events.subscribe("test", "task.started", lambda message: started.set())
    kernel.bus.events.subscribe("test", "system.*", told.append)
    kernel.bus.events.subscribe("test", "system.shutdown", lambda message: over.set())
    kernel.start()
    running = kernel.bus.submit(Submission(action="fakejob", params={"delay_seconds": 600}))
    assert started.wait(60)
    before = kernel.clock.now()

    kernel.preempted()
    status = kernel.power.status()
    assert over.wait(60)
    kernel.drain()

    assert (status.preempted, status.message) == (True, "Stopping: the cloud takes the machine away.")
    word, _, moment = (tmp_path / "alarms").read_text().splitlines()[-1].split()
    assert word == "arm"
    assert int(moment) >= int(before + kernel.power.policy.min_sleep)
    assert "system.preempted" in [message.event_type for message in told]
    again = a_kernel(tmp_path)
    back = again.bus.get(running.id)
    again.bus.engine.close()
    assert (back.state, back.attempt) == (State.QUEUED, 0)
    found = StopRecord(kernel.power.record, kernel.power.boot, kernel.clock, warn=print).read()
    assert found is not None
    assert (found.clean, found.message) == (True, "Stopping: the cloud takes the machine away.")
