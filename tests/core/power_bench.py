"""A machine for tests to switch off: its switches, its alarm, its work and its clock are in their hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import AlarmFailed, SwitchFailed
from core.event_bus import EventBus, EventMessage, LocalTransport
from core.gate import Gate
from core.idle import Facts, Policy
from core.machine import Alarm, NoAlarm, PowerState, Switch, Timings
from core.power import Power
from tests.fakes import FakeClock
from tests.faults.crew import waited_for

POLICY = Policy(idle_timeout=900, min_sleep=600, boot_grace=300, paid_minute=60, max_uptime=36_000)


@dataclass
class ASwitch:
    """A switch that remembers when it was run, and refuses when told to."""

    name: str = "fake"
    refusal: str = ""
    runs: int = 0
    then: Callable[[], object] = lambda: None

    def check(self) -> str | None:
        return self.refusal or None

    def off(self) -> None:
        self.runs += 1
        self.then()
        if self.refusal:
            raise SwitchFailed(self.refusal)


@dataclass
class AnAlarm:
    """A wake alarm that remembers what it was set to, and breaks when told to."""

    name: str = "fake"
    armed: list[float | None] = field(default_factory=list)
    broken: bool = False
    problem: str | None = None

    def check(self) -> str | None:
        return self.problem

    def arm(self, when: float | None) -> None:
        if self.broken:
            raise AlarmFailed("the cloud does not answer.")
        self.armed.append(when)


class Machine:
    """A power logic with all that it stands on; `work` is what its facts are made of."""

    def __init__(
        self, folder: Path, *switches: Switch, alarm: Alarm | None = None, facts: Any = None, **more: Any
    ) -> None:
        self.work = Facts()
        self.clock = more.pop("clock", None) or FakeClock()
        self.gate = Gate()
        self.said: list[tuple[str, str]] = []
        events = EventBus(LocalTransport())
        events.subscribe("test", "system.*", self._listen)
        self.power = Power(
            facts=facts or (lambda: self.work),
            gate=self.gate,
            clock=self.clock,
            events=events,
            policy=more.pop("policy", POLICY),
            runtime_dir=folder / "run",
            record=folder / "last-stop.json",
            switches=switches,
            alarm=alarm or NoAlarm(),
            timings=Timings(interval=1, verify=60, retry=60, patience=0.01),
            boot=more.pop("boot", "this boot"),
            **more,
        )

    def _listen(self, message: EventMessage) -> None:
        self.said.append((message.event_type, message.payload["message"]))

    def prepare(self) -> None:
        """Look, and wait until what is to be done before a stop is done."""
        self.power.step()
        assert waited_for(lambda: not self.power.power_off.preparations.under_way)

    def heard(self, event_type: str) -> list[str]:
        return [words for said, words in self.said if said == event_type]

    def step_after(self, seconds: float) -> PowerState:
        self.clock.advance(seconds)
        self.power.step()
        return self.power.status().state
