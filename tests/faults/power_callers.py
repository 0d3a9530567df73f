"""Clients of a machine that is off at times: they start it, and submit when it is about to go off again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from tests.faults.crew import waited_for
from tests.faults.crew_clients import Clients
from tests.faults.power_machine import Machine

#: Seconds that a job takes, which part of the jobs is for later, and how many seconds later.
SECONDS = (0, 0, 0.1, 0.3)
DEFERRED, LATER = 0.008, (1.0, 6.0)

_IDLE = {"idle_timeout", "boot_grace"}
_STEP = 0.006  # seconds by which an aim is mended
_PAUSE = 0.02  # seconds before a submission is repeated


@dataclass(kw_only=True)
class Callers(Clients):
    """Clients who start the machine when nobody answers, and repeat what they submit until it is accepted."""

    machine: Machine
    #: The tags of submissions that were refused because the machine was about to go off.
    refused: set[str] = field(default_factory=set)

    def submit(self, **fields: Any) -> str:
        tag = f"job-{next(self._tags)}"
        while not self._stopped.is_set():
            answer = self.submit_once(tag, **fields)
            if answer == "received":
                return self.kept[tag]
            if answer == "shutting_down":
                self.refused.add(tag)
            elif answer == "no_connection":
                self.machine.start()
            self._stopped.wait(_PAUSE)
        return ""

    def submit_at(self, moment: float, job: dict[str, Any]) -> None:
        """Submit a job at a time in Unix seconds."""
        wait_until(moment)
        if later := job.pop("later", None):
            job["run_after"] = datetime.fromtimestamp(time.time() + later, UTC).isoformat()
        self.submit(**job)


@dataclass
class Aim:
    """When the machine will decide, by what it announces and by what became of the last shots."""

    chance: random.Random
    #: Seconds after the decision at which shots are to come, each as often as the others.
    delays: Sequence[float]
    #: Seconds from the announced end of the last reason to stay on until the gate closes.
    offset: float = 0.03
    _delay: float = 0.0

    def moment(self, machine: Machine) -> float:
        """Wait for its work to end, and return when to shoot, in Unix seconds; 0 when it went off."""
        self._delay = self.chance.choice(self.delays)
        end = 0.0

        def is_known() -> bool:
            nonlocal end
            end = announced(machine)
            return end > 0 or (machine.is_off and machine.armed is None)  # Else the alarm is to ring.

        waited_for(is_known, seconds=10)
        return end + self.offset + self._delay if end else 0.0

    def mend(self, *, early: bool) -> None:
        """Aim later after shots that came before the decision, and earlier after others."""
        if not self._delay:
            self.offset += _STEP if early else -_STEP


def a_job(chance: random.Random) -> dict[str, Any]:
    """Return the fields of a submission, `later` being the seconds after which it is due."""
    job: dict[str, Any] = {"action": "chore", "seconds": chance.choice(SECONDS)}
    if chance.random() < DEFERRED:
        job["later"] = chance.uniform(*LATER)
    return job


def a_long_job(chance: random.Random) -> dict[str, Any]:
    """Return the fields of a submission over which no machine can go off unseen: it takes long enough."""
    return {"action": "chore", "seconds": 0.6}


def announced(machine: Machine) -> float:
    """Return when the machine may go off if nothing happens, in Unix seconds; 0 when there is work left."""
    with suppress(OSError, ValueError):
        reasons = requests.get(f"{machine.url}/api/power", timeout=5).json()["reasons"]
        ends = [reason["until"] for reason in reasons if reason["code"] in _IDLE]
        return max(ends) if ends and len(ends) == len(reasons) else 0.0
    return 0.0


def wait_until(moment: float) -> None:
    """Wait until a time in Unix seconds."""
    threading.Event().wait(max(0.0, moment - time.time()))
