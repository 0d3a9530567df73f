"""The machine we stand on, as core.power sees it: what switches it off, what starts it, how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.idle import Hold, Reason


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

    def arm(self, when: float | None) -> None:
        """Have the machine started at a time in Unix seconds, or not at all. Raises AlarmFailed."""
        ...


class NoAlarm:
    """Leave it to clients to start the machine: deferred jobs wait until somebody does."""

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
    #: For submissions that were under way when the gate closed.
    patience: float = 10.0
