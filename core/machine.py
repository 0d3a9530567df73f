"""The machine we stand on, as core.power sees it: what switches it off, what starts it, how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from core.idle import Hold, Reason
from core.last_stop import LastStop


class Switch(Protocol):
    """One way to switch the machine off."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def check(self) -> str | None:
        """Return what will keep the switch from working, and the remedy, in a sentence; else None."""
        ...

    def off(self) -> None:
        """Ask the machine to switch off; it may go at any moment from now on. Raises SwitchFailed."""
        ...


class Alarm(Protocol):
    """What starts the machine again."""

    @property
    def name(self) -> str:
        """What people call it; `none` for NoAlarm alone."""
        ...

    def check(self) -> str | None:
        """Return what will keep the alarm from being set, and the remedy, in a sentence; else None."""
        ...

    def arm(self, when: float | None) -> None:
        """Have the machine started at a time in Unix seconds, or not at all. Raises AlarmFailed."""
        ...


class NoAlarm:
    """Leave it to clients to start the machine: deferred jobs wait until somebody does."""

    name = "none"

    def check(self) -> str | None:
        """Return None: nothing is ever asked of it."""
        return None

    def arm(self, when: float | None) -> None:
        """Do nothing."""


class PowerState(StrEnum):
    """Where the machine stands on its way to being off."""

    ACCEPTING = "accepting"
    #: The gate is closed, and the queue is looked at once more.
    DRAINING = "draining"
    #: A switch was run.
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class SwitchRun:
    """A power switch that was run, or was to be."""

    #: Unix seconds.
    at: float
    switch: str
    #: What went wrong, in one sentence; empty while it is not known.
    error: str = ""


@dataclass(frozen=True, slots=True)
class SwitchStatus:
    """A power switch and what is wrong with it."""

    name: str
    #: One sentence with the remedy; None when nothing is known to be wrong.
    problem: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WakeStatus:
    """What starts the machine again, and when. Times are Unix seconds."""

    alarm: str
    #: Why the machine may not be started in time, one sentence with the remedy; None when nothing is wrong.
    problem: str | None
    #: When the next job, run of a schedule or webhook is due; None when nothing is.
    next_due: float | None
    #: When the machine is to be started, as the alarm was last set; None when it is not set.
    armed_for: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerStatus:
    """Why the machine is on, and until when. Times are Unix seconds."""

    state: PowerState
    #: The verdict in one sentence.
    message: str
    reasons: tuple[Reason, ...]
    #: In the order in which they are tried; none of them means that the machine stays on.
    switches: tuple[SwitchStatus, ...]
    last_run: SwitchRun | None
    #: Seconds since the service started, or since the machine last woke up.
    uptime: float
    hold: Hold | None
    wake: WakeStatus
    #: Whether the cloud is taking the machine away.
    preempted: bool = False
    #: How the stop before this start went; None when that is not known.
    last_stop: LastStop | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """How patient the power logic is; in seconds."""

    #: Between two looks at the facts.
    interval: float = 1.0
    #: The same at most, while nothing but time can end the reasons to stay on.
    rest: float = 5.0
    #: From running a switch until the machine counts as not switched off.
    verify: float = 60.0
    #: From a failed attempt to the next.
    retry: float = 60.0
    #: In which a switch that was given up may still switch the machine off.
    late: float = 600.0
    #: For submissions that were under way when the gate closed.
    patience: float = 10.0
    #: Between two looks whether a switch or an alarm that will not work has been put right.
    recheck: float = 300.0


def problem_of(one: Switch | Alarm) -> str | None:
    """Return what keeps a switch or an alarm from working, which may take seconds, or its check."""
    try:
        return one.check()
    except Exception as error:  # noqa: BLE001  It must neither end the power logic nor break /health.
        return f"{one.name}: whether it will work could not be found out: {type(error).__name__}: {error}"


def this_boot() -> str:
    """Return the kernel's name of this boot of the machine; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
