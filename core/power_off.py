"""The way to being off: hooks, gate, last look, alarm, record, switch; and back when that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import SwitchFailed
from core.idle import Facts, Policy, Verdict, wake_at
from core.machine import PowerState, SwitchRun, Timings
from core.timing import format_duration

if TYPE_CHECKING:
    from core.announcer import Announcer
    from core.clock import Clock
    from core.gate import Gate
    from core.hooks import Preparations
    from core.last_stop import StopRecord, StopUnderWay
    from core.switching import Switching
    from core.waking import Waking

#: Seconds that a client refused by the closed gate is asked to wait: about what a machine needs to start.
_RETRY_AFTER = 30.0


@dataclass(kw_only=True, eq=False)
class PowerOff:
    """Go from accepting by draining to stopping, step by step; whatever fails leads back to accepting."""

    #: Looks at the facts, and judges them.
    judged: Callable[[], tuple[Facts, Verdict]]
    timings: Callable[[], Timings]
    policy: Policy
    gate: Gate
    clock: Clock
    announcer: Announcer
    switching: Switching
    waking: Waking
    record: StopRecord
    preparations: Preparations

    def __post_init__(self) -> None:
        self.state = PowerState.ACCEPTING
        #: Why the machine is on although it might stop; empty while nothing went wrong.
        self.trouble = ""
        #: Why it goes off, while it is stopping.
        self.cause = ""
        self._not_before = self._deadline = self._rearm_at = self._late_until = self.clock.boottime()

    def forget(self) -> None:
        """Begin anew: there is a reason to stay on, so the next stop is another one."""
        self.trouble = ""
        self.preparations.forget()

    def resume(self, stop: StopUnderWay) -> None:
        """Wait for the end of the machine that another process has brought about."""
        self.gate.refuse(retry_after=_RETRY_AFTER)
        self.state, self.cause = PowerState.STOPPING, stop.message
        self.switching.resume(SwitchRun(stop.at, stop.switch))
        self._deadline = stop.began + self.timings().verify
        ago = format_duration(self.clock.boottime() - stop.began)
        told = f"another process has run the switch {stop.switch} {ago} ago"
        self.announcer.say("system.draining", told)

    def attempt(self, verdict: Verdict) -> None:
        """Close the gate, and stop unless a job slipped in; not so soon after an attempt that failed."""
        if self.clock.boottime() < self._not_before:
            return
        if not self.preparations.make():
            self.trouble = "the commands of AAFAI_BEFORE_STOP are being run."
            return
        self.trouble, self.state = "", PowerState.DRAINING
        self.announcer.say("system.draining", verdict.message)
        try:
            self._go_on(self.gate.close(retry_after=_RETRY_AFTER, patience=self.timings().patience))
        except Exception:
            self.record.note_start()  # For the fault may have come after the record.
            self._put_off("a fault is in the way")
            raise

    def verify(self) -> None:
        """Count the switch as failed when the machine is still on after a while."""
        if self.clock.boottime() >= self._deadline:
            patience = format_duration(self.timings().verify)
            self._fail(f"The switch was run, and {patience} later the machine is still on.")

    def return_from_sleep(self) -> None:
        """Accept again: what the switch did was to send the machine to sleep."""
        self.record.note_start()
        self._reopen("the machine was asleep and woke up")

    def keep_armed(self, facts: Facts) -> None:
        """Have the machine started for what is left, as long as a switch that was given up may yet work."""
        now = self.clock.boottime()
        if facts.unknown or not self._rearm_at <= now < self._late_until:
            return
        self.waking.keep_armed_for(wake_at(facts, self.policy))
        if self.waking.failure:
            self._rearm_at = now + self.timings().retry

    def _go_on(self, empty: bool) -> None:
        """Look once more behind the closed gate."""
        facts, verdict = self.judged()
        if not verdict.stop:
            self._reopen(verdict.message)
        elif not (empty or verdict.forced):
            self._put_off("a submission is still being stored")
        elif self._will_wake(facts, verdict):
            self._switch(facts, verdict)
        else:
            self.trouble = f"the wake alarm could not be set: {self.waking.failure}"
            self._put_off(self.trouble)

    def _will_wake(self, facts: Facts, verdict: Verdict) -> bool:
        """Set the alarm; return whether the machine may go, which a needed alarm that is not set forbids."""
        if facts.unknown:  # That is no reason to take back what the alarm was set to before.
            return True
        when = wake_at(facts, self.policy)
        return self.waking.arm(when) or when is None or verdict.forced

    def _switch(self, facts: Facts, verdict: Verdict) -> None:
        if missed := self.waking.missed(facts.next_moment):
            self.announcer.warn(missed)
        self.record.note_stop(verdict.message, facts.next_moment, switch=self.switching.next.name)
        self.announcer.say("system.shutdown", f"{verdict.message} Switch: {self.switching.next.name}.")
        try:
            self.switching.run(facts.now)
        except SwitchFailed as error:
            self._fail(error.message)
        else:
            self.state, self.cause = PowerState.STOPPING, verdict.message
            self._deadline = self.clock.boottime() + self.timings().verify

    def _fail(self, error: str) -> None:
        """Remember what went wrong, accept jobs again, and try the next switch after a while."""
        self.announcer.say_once("system.power_failed", self.switching.give_up(error))
        self.trouble = f"switching off failed: {error}"
        self._late_until = self.clock.boottime() + self.timings().late
        self.record.note_start()
        self._put_off("the machine is still on")

    def _put_off(self, message: str) -> None:
        self._not_before = self.clock.boottime() + self.timings().retry
        self._reopen(message)

    def _reopen(self, message: str) -> None:
        self.gate.open()
        self.state = PowerState.ACCEPTING
        self.announcer.say("system.reopened", message)
