"""The real power logic and the real gate, taken through the steps of the model: at each seam others act."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import AlarmFailed, SwitchFailed
from core.event_bus import EventBus, LocalTransport
from core.gate import Gate
from core.idle import Facts, Policy
from core.last_stop import StopRecord, StopUnderWay
from core.machine import PowerState, Timings
from core.power import Power
from tests.factories import NOW
from tests.fakes import FakeClock
from tests.faults.power_model import MIN_SLEEP, SOUND, Stage, Taken, World, stays_on

#: Seconds in a unit of the model's time, next to which the pauses of the power logic are nothing. A switch
#: that was given up works no more, so no alarm is kept set for that.
UNIT = 1e6
PAUSE = 60.0

_STATES = (PowerState.ACCEPTING, *[PowerState.DRAINING] * (len(SOUND.program) - 1), PowerState.STOPPING)
#: The ends of a stop that did not come true.
_FAILURES = frozenset({"overdue", "unswitched"})
_OF_POWER = frozenset({*SOUND.program, "give up", "arm fails", "switch fails", *_FAILURES})
_NOWHERE = Path("/nonexistent")
_POLICY = Policy(
    idle_timeout=0, min_sleep=(MIN_SLEEP + 0.5) * UNIT, boot_grace=0, paid_minute=0, max_uptime=1e12
)


class Differs(BaseException):
    """The real thing does not do as the model does. No fault that the power logic could survive."""


class Over(BaseException):
    """The way ends, or the process dies, in the middle of what the power logic does."""


class SeamGate(Gate):
    """A gate where others act before it closes, and again before it is known who is still inside."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay

    def close(self, *, retry_after: float = 30.0, patience: float = 10.0) -> bool:
        self._replay.come_to("close")
        return super().close(retry_after=retry_after, patience=patience)

    def is_left(self, patience: float) -> bool:
        waited = self._replay.come_to("wait", "give up") == "wait"
        must(super().is_left(0.0) == waited, "somebody is inside, or nobody")
        if waited:  # The time of a look is taken before the look.
            self._replay.let_others_act()
        return waited


@dataclass
class SeamAlarm:
    """An alarm that must be armed for the model's moment, and fails where the model's does."""

    replay: Replay
    name: str = "seam"

    def check(self) -> str | None:
        return None

    def arm(self, when: float | None) -> None:
        seen = self.replay.world.seen
        fails = self.replay.come_to("arm", "arm fails") == "arm fails"
        must(when == self.replay.moment(seen), f"the alarm is armed for {when}")
        if fails:
            raise AlarmFailed("the alarm is broken.")


@dataclass
class SeamSwitch:
    """A switch that fails where the model's does."""

    replay: Replay
    name: str = "seam"

    def check(self) -> str | None:
        return None

    def off(self) -> None:
        if self.replay.come_to("switch", "switch fails") == "switch fails":
            raise SwitchFailed("the switch is broken.")


class SeamRecord(StopRecord):
    """A record that outlives its process, and no boot of the machine; how old it is does not count here."""

    def __init__(self, replay: Replay, clock: FakeClock) -> None:
        super().__init__(_NOWHERE, "this boot", clock, warn=print)
        self._replay = replay
        self._stop: StopUnderWay | None = None

    def read(self) -> None:
        return None

    def under_way(self, patience: float) -> StopUnderWay | None:
        return self._stop

    def note_start(self) -> None:
        self._stop = None

    def note_stop(self, message: str, next_due: float | None, *, switch: str = "") -> None:
        self._replay.come_to("record")
        self._stop = StopUnderWay(switch, NOW, self._clock.boottime(), message)


class Replay:
    """The real thing, and what the model says of it."""

    def __init__(self, world: World, *, spoil: Callable[[Power], object] = lambda power: None) -> None:
        """Begin where the machine is on and nobody is inside; `spoil` each power logic, to see it caught."""
        self.world = world
        self._spoil = spoil
        self._clock = FakeClock()
        self._record = SeamRecord(self, self._clock)
        self._ahead: list[Taken] = []
        #: What the power logic is to look for; nothing where its look is to change nothing.
        self._looks: list[str] = []
        self._boot()

    def play(self, way: Iterable[Taken]) -> None:
        """Take the steps. Raises Differs where the real thing does not do as the model does."""
        self._ahead = list(way)[::-1]
        while self._ahead:
            if self._ahead[-1][0].name == "decide":
                self._step("decide", "look")
            elif self._ahead[-1][0].name in _FAILURES:
                self.come_to(*_FAILURES)
                self._step()
            else:
                self._act()
        if not self._looking:
            self._compare()

    def come_to(self, *names: str) -> str:
        """Let others act until the power logic's next step; return its name, which is to be one of these."""
        must(not self._resting, f"{names} is done where there is a reason to stay on")
        self.let_others_act()
        self._compare()
        step, self.world = self._ahead.pop()
        must(step.name in names, f"{names} is done instead of {step.name}")
        if step.name == "give up":
            self._looks = []
        return step.name

    def let_others_act(self) -> None:
        """Take the steps of others. Raises Over when they are the last ones."""
        while self._ahead and self._ahead[-1][0].name not in _OF_POWER:
            self._act()
        if not self._ahead:
            self._compare()
            raise Over

    def moment(self, time: int | None) -> float | None:
        """Return a time of the model in Unix seconds."""
        return None if time is None else NOW + time * UNIT

    def _step(self, *looks: str) -> None:
        self._clock.advance(PAUSE)
        self._looks, self._looking = [*looks], True
        with suppress(Over):
            self._power.step()
            self._looks, self._looking = [], False

    def _act(self) -> None:
        """Take a step that is not the power logic's."""
        self._compare()
        step, self.world = self._ahead.pop()
        if step.name == "enter":
            self._inside[step.job] = ExitStack()
            self._inside[step.job].enter_context(self._gate.entered())
        elif step.name == "store":
            self._inside[step.job].close()
        elif step.name == "tick":
            self._clock.advance(UNIT)
        elif step.name == "kill":
            self._die()
        elif step.name == "off":
            self._record.note_start()  # Of another boot, it would mean nothing.
            self._die()

    def _die(self) -> None:
        """Go on with a new process, which knows nothing of the old one."""
        in_the_middle = self._looking
        self._boot()
        if in_the_middle:
            raise Over

    def _compare(self) -> None:
        if not self.world.on:
            return
        looks, self._looks = self._looks, []
        if self.world.at == 0 and stays_on(self.world) and not self._looking:
            self._resting = True
            self._power.step()
            self._resting = False
        found = self._power.status().state, self._gate.closed
        must(found == (_STATES[self.world.at], not self.world.gate_open), f"{found}")
        self._looks = looks

    def _facts(self) -> Facts:
        if self._looks:
            self.come_to(self._looks.pop(0))
        jobs = self.world.jobs
        return Facts(
            queued=sum(map(self.world.could_run, jobs)),
            running=sum(job.stage is Stage.RUNNING for job in jobs),
            next_due=self.moment(self.world.next_due),
        )

    def _boot(self) -> None:
        self._inside: dict[int, ExitStack] = {}
        self._looks, self._looking, self._resting = [], False, False
        self._gate = SeamGate(self)
        self._power = Power(
            facts=self._facts,
            gate=self._gate,
            clock=self._clock,
            events=EventBus(LocalTransport()),
            policy=_POLICY,
            runtime_dir=_NOWHERE,
            record=_NOWHERE / "record",
            switches=[SeamSwitch(self)],
            alarm=SeamAlarm(self),
            timings=Timings(verify=PAUSE, retry=PAUSE, late=0),
        )
        self._power._record = self._power.power_off.record = self._record
        self._spoil(self._power)
        self._power.take_up()


def must(truth: bool, sentence: str) -> None:
    """Raise Differs unless something is true."""
    if not truth:
        raise Differs(sentence)
