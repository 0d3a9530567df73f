"""Switching the machine off: accepting → draining → stopping, and back to accepting when the stop failed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AlarmFailed, BusError
from core.event_bus import KERNEL, EventBus
from core.idle import Facts, Hold, Policy, Verdict, judge
from core.machine import Alarm, NoAlarm, PowerState, PowerStatus, Switch, SwitchRun, SwitchStatus, Timings
from core.timing import format_duration
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock
    from core.gate import Gate

#: Seconds that a client refused by the closed gate is asked to wait: about what a machine needs to start.
_RETRY_AFTER = 30.0


@dataclass(kw_only=True, eq=False)
class Power:
    """Decide every second or so whether the machine may stop, and stop it without losing a submission.

    `facts` counts the work; moment, start and hold are filled in here. A file `heartbeat` in `runtime_dir`
    holds the boot-time seconds of the last look; the file `record` tells the next start of a clean stop.
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
    timings: Timings = field(default_factory=Timings)

    def __post_init__(self) -> None:
        self._state = PowerState.ACCEPTING
        self._started = self.clock.boottime()
        self._slept = self._sleep()
        self._busy: float | None = None
        self._hold: Hold | None = None
        self._last_run: SwitchRun | None = None
        self._turn = 0
        self._not_before = self._deadline = self._started
        self._problems: tuple[str | None, ...] | None = None
        self._told: set[tuple[str, str]] = set()
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def start(self) -> None:
        """Look at the facts in a thread of its own from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, waiting for it 5 s at most: a switch may be hanging. The gate stays as it is."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def step(self) -> float:
        """Look at the facts once and do what they call for; return the seconds until the next look is due."""
        self._beat()
        self._notice_sleep()
        if self._state is PowerState.STOPPING:
            self._verify()
            return self.timings.interval
        facts = self._look()
        verdict = judge(facts, self.policy)
        if not verdict.stop:
            # What is told once in each idle time may be told again in the next one.
            self._told = {told for told in self._told if told[0] == "system.warning"}
        elif not self.switches:
            self._tell_once("system.would_stop", verdict.message)
            return self.timings.rest
        elif self.clock.boottime() >= self._not_before:
            self._switch_off(verdict)
        left = 0.0 if verdict.until is None else verdict.until - facts.now
        return max(self.timings.interval, min(left, self.timings.rest))

    def hold(self, seconds: float, *, by: str, why: str) -> Hold:
        """Keep the machine on for that long, in place of an earlier hold.

        It goes through the gate, so that it is either seen before the switch is run or refused: ShuttingDown.
        """
        with self.gate.entered():
            hold = self._hold = Hold(until=self.clock.boottime() + seconds, by=by, why=why)
        self._say("system.power_hold", f"{by} holds the machine for {format_duration(seconds)} ({why})")
        return hold

    def release_hold(self) -> None:
        """End the hold, if there is one."""
        if self._hold is not None:
            self._hold = None
            self._say("system.power_released", "the hold was released")

    def status(self) -> PowerStatus:
        """Return why the machine is on, judged by the facts of this moment."""
        facts = self._look()
        verdict = judge(facts, self.policy)
        hold = facts.hold and replace(facts.hold, until=facts.now + facts.hold.until - facts.boottime)
        checked = zip(self.switches, self._checked(), strict=True)
        return PowerStatus(
            state=self._state,
            message=self._in_words(verdict),
            reasons=verdict.reasons,
            switches=tuple(SwitchStatus(switch.name, problem) for switch, problem in checked),
            last_run=self._last_run,
            uptime=facts.uptime,
            hold=hold,
        )

    def _run(self) -> None:
        for problem in filter(None, self._checked()):
            self._tell_once("system.warning", problem)
        pause = 0.0
        while not self.clock.wait(self._halt, pause):
            try:
                pause = self.step()
            except Exception as error:  # noqa: BLE001  Whatever it was, the machine must still be switched off.
                self._tell_once("system.power_failed", f"{type(error).__name__}: {error}")
                pause = self.timings.interval

    def _beat(self) -> None:
        try:
            write_whole(self.runtime_dir / "heartbeat", f"{self.clock.boottime():.3f}\n")
        except OSError as error:
            self._tell_once("system.warning", f"the heartbeat cannot be written: {error}")

    def _notice_sleep(self) -> None:
        """Begin anew when the machine slept: who woke it had a reason, and is given time to say it."""
        slept = self._sleep()
        if slept - self._slept > 1.0:
            self._started = self.clock.boottime()
            if self._state is PowerState.STOPPING:
                self._reopen("the machine was asleep and woke up")
        self._slept = slept

    def _sleep(self) -> float:
        """Return the seconds that the machine has slept since it booted."""
        return self.clock.boottime() - self.clock.monotonic()

    def _look(self) -> Facts:
        now, boottime = self.clock.now(), self.clock.boottime()
        try:
            facts = self.facts()
        except BusError as error:
            facts = Facts(unknown=error.message)
        if facts.queued or facts.running:
            self._busy = boottime
        hold = self._hold
        seen = [moment for moment in (facts.last_activity, self._busy) if moment is not None]
        return replace(
            facts,
            last_activity=max(seen, default=None),
            hold=hold if hold and hold.until > boottime else None,
            now=now,
            boottime=boottime,
            started=self._started,
        )

    def _switch_off(self, verdict: Verdict) -> None:
        """Close the gate, look once more, and run the switch unless a job slipped in."""
        self._state = PowerState.DRAINING
        self._say("system.draining", verdict.message)
        empty = self.gate.close(retry_after=_RETRY_AFTER, patience=self.timings.patience)
        facts = self._look()
        verdict = judge(facts, self.policy)
        if not verdict.stop:
            self._reopen(verdict.message)
        elif not (empty or verdict.forced):
            self._not_before = self.clock.boottime() + self.timings.retry
            self._reopen("a submission is still being stored")
        else:
            self._run_switch(facts, verdict)

    def _run_switch(self, facts: Facts, verdict: Verdict) -> None:
        switch = self._next_switch()
        self._last_run = SwitchRun(facts.now, switch.name)
        try:
            self._arm(facts.next_due, verdict)
            self._leave_record(facts, verdict)
            self._say("system.shutdown", f"{verdict.message} Switch: {switch.name}.")
            switch.off()
        except BusError as error:
            self._fail(f"{error.message} {error.hint}".strip())
        else:
            self._state = PowerState.STOPPING
            self._deadline = self.clock.boottime() + self.timings.verify

    def _arm(self, when: float | None, verdict: Verdict) -> None:
        try:
            self.alarm.arm(when)
        except AlarmFailed as error:
            if not verdict.forced:
                raise
            self._tell_once("system.power_failed", f"The wake alarm is not set: {error.message}")

    def _leave_record(self, facts: Facts, verdict: Verdict) -> None:
        left = {"stopped_at": facts.now, "message": verdict.message, "next_due": facts.next_due}
        try:
            write_whole(self.record, json.dumps(left, indent=1) + "\n", durable=True)
        except OSError as error:
            self._tell_once("system.warning", f"the record of the clean stop cannot be written: {error}")

    def _verify(self) -> None:
        if self.clock.boottime() >= self._deadline:
            patience = format_duration(self.timings.verify)
            self._fail(f"The switch was run, and {patience} later the machine is still on.")

    def _fail(self, error: str) -> None:
        """Remember what went wrong, accept jobs again, and try the next switch after a while."""
        name = self._next_switch().name
        self._last_run = SwitchRun(self.clock.now(), name, error)
        self._turn += 1
        self._not_before = self.clock.boottime() + self.timings.retry
        self._problems = None
        self._tell_once("system.power_failed", f"{name}: {error}")
        self._reopen("the machine is still on")

    def _next_switch(self) -> Switch:
        return self.switches[self._turn % len(self.switches)]

    def _reopen(self, message: str) -> None:
        self.gate.open()
        self._state = PowerState.ACCEPTING
        self._say("system.reopened", message)

    def _checked(self) -> tuple[str | None, ...]:
        """Return what is wrong with each switch; asking takes time, so only a failure has them asked anew."""
        if self._problems is None:
            self._problems = tuple(switch.check() for switch in self.switches)
        return self._problems

    def _in_words(self, verdict: Verdict) -> str:
        if not verdict.stop:
            return verdict.message
        if not self.switches:
            return "On because no power switch is set, although nothing is left to do."
        if self._last_run and self._last_run.error:
            return f"On because switching off failed: {self._last_run.error}"
        return verdict.message

    def _tell_once(self, event_type: str, message: str) -> None:
        """Publish an event unless it was published before; `step` says when it may be published again."""
        if (event_type, message) not in self._told:
            self._told.add((event_type, message))
            self._say(event_type, message)

    def _say(self, event_type: str, message: str) -> None:
        self.events.publish(event_type, KERNEL, {"message": message})
