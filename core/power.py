"""The power logic: why the machine is on, whether it may go, and what people may ask of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.announcer import Announcer
from core.holds import Holds
from core.hooks import Preparations
from core.idle import Facts, Hold, Policy, Verdict, judge, wake_at
from core.last_stop import LastStop, StopRecord
from core.lookout import Lookout
from core.machine import Alarm, NoAlarm, PowerState, PowerStatus, Switch, Timings
from core.power_off import PowerOff
from core.switching import Switching
from core.timing import format_duration
from core.waking import Waking
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock
    from core.event_bus import EventBus
    from core.gate import Gate
    from core.hooks import Hook

_TOLD = "Stopping: the service was told to."
_TAKEN = "Stopping: the cloud takes the machine away."


@dataclass(kw_only=True, eq=False)
class Power:
    """Decide every second or so whether the machine may stop, and stop it without losing a submission.

    `facts` counts the work; moments, `lead` and hold are filled in here. A file `heartbeat` in `runtime_dir`
    holds the boot-time seconds of the last look; the file `record` tells the next start how this run ended.
    """

    facts: Callable[[], Facts]
    gate: Gate
    clock: Clock
    events: EventBus
    policy: Policy
    runtime_dir: Path
    record: Path
    switches: Sequence[Switch] = ()
    alarm: Alarm = field(default_factory=NoAlarm)
    #: What is run in each idle time before the machine may stop.
    hooks: Sequence[Hook] = ()
    #: Returns the seconds from the machine's start until jobs are accepted.
    lead: Callable[[], float] = lambda: 0.0
    #: Where the hold is kept; None for only in memory.
    hold_file: Path | None = None
    #: The kernel's name for this boot of the machine.
    boot: str = ""
    timings: Timings = field(default_factory=Timings)

    def __post_init__(self) -> None:
        #: How the run before this one ended; None when that is not known, and before the start.
        self.last_stop: LastStop | None = None
        self.switching = Switching(self.switches)
        self._announcer = Announcer(self.events)
        self._waking = Waking(self.alarm, self._announcer, shortest_sleep=self.policy.min_sleep)
        warn = self._announcer.warn
        self._record = StopRecord(self.record, self.boot, self.clock, warn=warn)
        self._holds = Holds(self.hold_file, self.clock, boot=self.boot, warn=warn)
        self._lookout = Lookout(
            lambda: self.facts(),  # noqa: PLW0108  Tests change the facts later.
            self.clock,
            held=self._holds.current,
            lead=self.lead,
        )
        #: The way from accepting to off, and back.
        self.power_off = self._a_power_off()
        self._check_at = self.clock.boottime()
        #: Why the process is about to end; empty while it is not.
        self._ending, self._preempted = "", False
        self._bell, self._halted = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def start(self) -> None:
        """Tell how the last run ended; look at the facts in a thread of its own from now on."""
        self.take_up()
        self._thread.start()

    def take_up(self) -> None:
        """Tell how the last run ended, and what to expect of the next; refuse jobs if it is not over yet."""
        self.last_stop = self._record.read()
        if self.last_stop is not None:
            clean = "" if self.last_stop.clean else "not "
            self._say("system.last_stop", f"the last stop was {clean}clean: {self.last_stop.message}")
        if self.switching and self._waking.unheard:
            self._announcer.warn(f"the wake alarm {self.alarm.name}: {self._waking.unheard}")
        self._join()

    def prepare_to_end(self, *, preempted: bool = False) -> None:
        """Decide nothing more; have the machine started again for what is left, for it may be about to go."""
        self._preempted |= preempted
        self._ending = _TAKEN if self._preempted else _TOLD
        self._bell.set()

    def stop(self) -> None:
        """End the thread, waiting for it 5 s at most: a switch may be hanging. The gate stays as it is."""
        self._halted = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def step(self) -> float:
        """Look at the facts once and do what they call for; return the seconds until the next look is due."""
        self._beat()
        if self._lookout.woke_up() and self.power_off.state is PowerState.STOPPING:
            self.power_off.return_from_sleep()
        if self._ending:
            self._keep_armed()
            return self.timings.interval
        if self.power_off.state is PowerState.STOPPING or self._join():
            self.power_off.verify()
            return self.timings.interval
        self._recheck()
        return self._decide()

    @property
    def held(self) -> Hold | None:
        """The hold, while it lasts; on the boot-time clock."""
        return self._holds.current()

    def hold(self, seconds: float, *, by: str, why: str) -> Hold:
        """Keep the machine on for that long, a day at most, in place of an earlier hold.

        It goes through the gate, so that it is either seen before the switch is run or refused: ShuttingDown.
        """
        with self.gate.entered():
            hold = self._holds.place(seconds, by=by, why=why)
        left = format_duration(hold.until - self.clock.boottime())
        self._say("system.power_hold", f"{by} holds the machine for {left} ({why})")
        return hold

    def release_hold(self) -> None:
        """End the hold, if there is one."""
        if self._holds.release():
            self._say("system.power_released", "the hold was released")

    def status(self) -> PowerStatus:
        """Return why the machine is on, judged by the facts of this moment."""
        facts, verdict = self._judged()
        return PowerStatus(
            state=PowerState.STOPPING if self._ending else self.power_off.state,
            message=self._in_words(verdict),
            reasons=verdict.reasons,
            switches=self.switching.statuses(),
            last_run=self.switching.last_run,
            uptime=facts.uptime,
            hold=facts.hold and replace(facts.hold, until=facts.now + facts.hold.until - facts.boottime),
            wake=self._waking.status(facts.next_moment, stops=bool(self.switching)),
            preempted=self._preempted,
            last_stop=self.last_stop,
        )

    def _a_power_off(self) -> PowerOff:
        return PowerOff(
            judged=self._judged,
            timings=lambda: self.timings,
            policy=self.policy,
            gate=self.gate,
            clock=self.clock,
            announcer=self._announcer,
            switching=self.switching,
            waking=self._waking,
            record=self._record,
            preparations=Preparations(self.hooks, warn=lambda problem: self._say("system.warning", problem)),
        )

    def _run(self) -> None:
        if self.power_off.state is not PowerState.STOPPING:
            self._record.note_start()
        pause = 0.0
        while not self._halted:
            self.clock.wait(self._bell, pause)
            self._bell.clear()
            pause = self._survive(self.step)
        if self.power_off.state is not PowerState.STOPPING:
            self._record.note_stop(self._ending or _TOLD, self._lookout.look().next_moment)

    def _join(self) -> bool:
        """Refuse jobs if another process, before us or beside us, switches the machine off; return if so."""
        stop = self._record.under_way(self.timings.verify)
        if stop is not None:
            self.power_off.resume(stop)
        return stop is not None

    def _survive(self, step: Callable[[], float]) -> float:
        """Take the step; whatever goes wrong in it, the machine must still be switched off some day."""
        try:
            return step()
        except Exception as error:  # noqa: BLE001  It may be a fault of an engine, an alarm, a check.
            self._announcer.say_once("system.power_failed", f"{type(error).__name__}: {error}")
            return self.timings.interval

    def _beat(self) -> None:
        heartbeat, line = self.runtime_dir / "heartbeat", f"{self.clock.boottime():.3f}\n"
        try:
            write_whole(heartbeat, line)
        except OSError as error:
            self._announcer.warn(f"the heartbeat cannot be written anew: {error}")
            # A full disk still lets the old file be written over, and the watchdog would take us for dead.
            with suppress(OSError), heartbeat.open("r+", encoding="ascii") as file:
                file.write(line)

    def _recheck(self) -> None:
        """Ask switches and alarm whether they will work: at the start, after a failure, until they will."""
        if self.clock.boottime() < self._check_at and not self.switching.doubtful:
            return
        self._check_at = self.clock.boottime() + self.timings.recheck
        problems = [*self.switching.check(), *self._waking.check()]
        for problem in problems:
            self._announcer.warn(problem)
        if not problems:
            self._check_at = float("inf")

    def _decide(self) -> float:
        facts, verdict = self._judged()
        if not verdict.stop:
            self._announcer.forget()
            self.power_off.forget()
            self.power_off.keep_armed(facts)
        elif not self.switching:
            self._announcer.say_once("system.would_stop", verdict.message)
            return self.timings.rest
        else:
            self.power_off.attempt(verdict)
        left = 0.0 if verdict.until is None else verdict.until - facts.now
        return max(self.timings.interval, min(left, self.timings.rest))

    def _judged(self) -> tuple[Facts, Verdict]:
        facts = self._lookout.look()
        return facts, judge(facts, self.policy)

    def _keep_armed(self) -> None:
        """Have the machine started for what is left, as long as this process lives to see it."""
        facts = self._lookout.look()
        if not facts.unknown:
            self._waking.keep_armed_for(wake_at(facts, self.policy))

    def _in_words(self, verdict: Verdict) -> str:
        if self._ending or self.power_off.state is PowerState.STOPPING:
            return self._ending or self.power_off.cause
        if not verdict.stop:
            return verdict.message
        if not self.switching:
            return "On because no power switch is set, although nothing is left to do."
        return f"On because {self.power_off.trouble}" if self.power_off.trouble else verdict.message

    def _say(self, event_type: str, message: str) -> None:
        self._announcer.say(event_type, message)
