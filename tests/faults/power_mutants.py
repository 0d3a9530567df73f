"""Power logic that is broken in one place each: a proof that does not catch these proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.gate import Gate
from core.idle import Verdict
from core.power import Power


def look_once(power: Power) -> None:
    """Go by what is seen before the gate closes."""
    power_off = power.power_off
    attempt, judged = power_off.attempt, power_off.judged

    def attempted(verdict: Verdict) -> None:
        seen = judged()
        power_off.judged = lambda: seen
        attempt(verdict)

    power_off.attempt = attempted  # type: ignore[method-assign]


def leave_the_gate_open(power: Power) -> None:
    """Close a gate through which nobody goes."""
    power.power_off.gate = Gate()


def wait_for_nobody(power: Power) -> None:
    """Look again although submissions are still inside."""
    power.gate.is_left = lambda patience: True  # type: ignore[method-assign]


def stay_shut(power: Power) -> None:
    """Open the gate no more."""
    power.gate.open = lambda: None  # type: ignore[method-assign]


def overlook_what_is_due(power: Power) -> None:
    """Set no alarm, and never stay on for what is due soon."""
    look = power.facts
    power.facts = lambda: replace(look(), next_due=None)


def overlook_what_runs(power: Power) -> None:
    """Count only the jobs that wait."""
    look = power.facts
    power.facts = lambda: replace(look(), running=0, last_activity=None)


def forget_the_stop(power: Power) -> None:
    """Accept jobs after a start, although the switch was run just before."""
    power.power_off.resume = lambda stop: None  # type: ignore[method-assign]


#: What is broken, by what it does wrong.
MUTANTS: dict[str, Callable[[Power], None]] = {
    "looks once": look_once,
    "leaves the gate open": leave_the_gate_open,
    "waits for nobody": wait_for_nobody,
    "stays shut": stay_shut,
    "overlooks what is due": overlook_what_is_due,
    "overlooks what runs": overlook_what_runs,
    "forgets the stop": forget_the_stop,
}
