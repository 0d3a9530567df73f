"""Every boot of the machine, from its start to the first claim; and how early to wake it, going by them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage
from core.jobs import Json
from core.json_lines import DAMAGE, append_line, read_lines

if TYPE_CHECKING:
    from core.clock import Clock

#: How long a boot is taken to last, in seconds, before any was seen.
DEFAULT_LEAD = 60.0
#: Of how many boots, the newest, the lead is learnt.
REMEMBERED = 100
#: Whoever starts the service later than this, in seconds after the machine's start, does it by hand.
LONGEST = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """What is known of the machine's start from outside; in seconds on the boot-time clock."""

    #: The kernel's own name of this boot.
    boot_id: str
    #: How long firmware and boot loader took before the clock began; 0 where nobody tells.
    firmware: float = 0.0
    #: When the first program ran; None where nobody tells.
    kernel: float | None = None
    #: When the first process of the service was started, and when this one was.
    service: float
    process: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """One start of the service, and of the machine unless it is a restart; durations in seconds."""

    boot_id: str
    #: When the machine started, or the service when it is a restart: ISO 8601.
    at: str
    #: The machine had been up before: no boot, and nothing is learnt of it.
    restart: bool = False
    #: From the start of the machine to the first program; None where nobody tells.
    kernel: float | None = None
    #: From there, or from the start, to the first process of the service.
    system: float = 0.0
    #: From there to the moment at which jobs are accepted.
    service: float = 0.0
    #: From there to the first claim; None when there was none.
    first_claim: float | None = None

    @property
    def accepting(self) -> float:
        """Seconds from the start to the moment at which jobs are accepted."""
        return (self.kernel or 0.0) + self.system + self.service

    @property
    def counts(self) -> bool:
        """Whether something may be learnt of it."""
        return not self.restart and self.accepting <= LONGEST

    @property
    def phases(self) -> dict[str, float]:
        """Seconds by phase, in the order of the phases; those that are not known are left out."""
        known = {
            "kernel": self.kernel,
            "system": self.system,
            "service": self.service,
            "first_claim": self.first_claim,
        }
        return {name: seconds for name, seconds in known.items() if seconds is not None}


class Boots:
    """Keep a line for each boot, a second one for its first claim, in a file that nobody else writes."""

    def __init__(self, path: Path, events: EventBus, clock: Clock) -> None:
        self._path = path
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._known: list[Boot] | None = None
        #: Since when jobs are accepted, in boot-time seconds; None until that is recorded.
        self._accepting: float | None = None
        self._first_claim: float | None = None
        events.subscribe("boots", "task.started", self._note)

    def record(self, moments: Moments, accepting: float) -> None:
        """Keep that jobs are accepted since that moment, in boot-time seconds. Raises OSError."""
        zero = self._clock.now() - self._clock.boottime()
        restart = any(boot.boot_id == moments.boot_id for boot in self.known())
        boot = boot_from(moments, accepting, zero=zero, restart=restart)
        append_line(self._path, _line(boot))
        with self._lock:
            self._known = [*(self._known or ()), boot]
        self._accepting = accepting

    def keep_first_claim(self) -> None:
        """Keep when the first job of this boot was claimed, once it has been. Raises OSError."""
        known = self.known()
        if self._first_claim is None or self._accepting is None or known[-1].first_claim is not None:
            return
        claimed = replace(known[-1], first_claim=max(0.0, self._first_claim - self._accepting))
        append_line(self._path, _line_of_claim(claimed))
        with self._lock:
            self._known = [*known[:-1], claimed]

    def known(self) -> Sequence[Boot]:
        """Return all boots and restarts that are kept, in the order in which they happened."""
        with self._lock:
            if self._known is None:
                self._known = read_boots(self._path, self._warn)
            return self._known

    def lead(self) -> float:
        """Return how many seconds before a moment the machine must be started, to accept jobs by then."""
        return self.accepting_within(95)

    def accepting_within(self, percent: int) -> float:
        """Return the seconds from the start to accepting that so many of a hundred boots do not exceed."""
        newest = islice((boot for boot in reversed(self.known()) if boot.counts), REMEMBERED)
        counted = [boot.accepting for boot in newest]
        return nearest_rank(counted, percent) if counted else DEFAULT_LEAD

    def _note(self, message: EventMessage) -> None:
        if message.source_agent == KERNEL:
            self._first_claim = self._clock.boottime()
            self._events.unsubscribe("boots")

    def _warn(self, sentence: str) -> None:
        self._events.publish("system.warning", KERNEL, {"message": sentence})


def boot_from(moments: Moments, accepting: float, *, zero: float, restart: bool) -> Boot:
    """Return the boot that those moments make; `zero` is the Unix time at which the boot-time clock began."""
    began = moments.process if restart else -moments.firmware
    service = moments.process if restart else moments.service
    kernel = None if restart or moments.kernel is None else max(0.0, moments.kernel - began)
    return Boot(
        boot_id=moments.boot_id,
        at=datetime.fromtimestamp(zero + began, UTC).isoformat(timespec="seconds"),
        restart=restart,
        kernel=kernel,
        system=max(0.0, service - began - (kernel or 0.0)),
        service=max(0.0, accepting - service),
    )


def nearest_rank(numbers: Sequence[float], percent: int) -> float:
    """Return the least of the numbers that `percent` of them do not exceed. Raises IndexError for none.

    This is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50 (1996): always one of the numbers, and never too early.
    """
    return sorted(numbers)[max(1, -(-percent * len(numbers) // 100)) - 1]


def read_boots(path: Path, tell: Callable[[str], object]) -> list[Boot]:
    """Return the boots that the file keeps; `tell` of each line that cannot be read, or of the whole file."""
    boots: list[Boot] = []
    try:
        for number, line in read_lines(path, tell):
            try:
                _add(boots, line)
            except DAMAGE as error:
                tell(f"{path}:{number} is damaged and left out: {error!r}")
    except OSError as error:
        tell(f"The boots cannot be read: {error}")
    return boots


def _add(boots: list[Boot], line: Json) -> None:
    if "at" not in line:
        claimed = _seconds(line["first_claim"])
        if boots and boots[-1].boot_id == line["boot_id"]:
            boots[-1] = replace(boots[-1], first_claim=claimed)
        return
    boots.append(
        Boot(
            boot_id=str(line["boot_id"]),
            at=str(line["at"]),
            restart=bool(line["restart"]),
            kernel=None if line["kernel"] is None else _seconds(line["kernel"]),
            system=_seconds(line["system"]),
            service=_seconds(line["service"]),
        )
    )


def _seconds(given: Json) -> float:
    seconds = float(given)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{given!r} is no duration")
    return seconds


def _line(boot: Boot) -> dict[str, Json]:
    phases = {name: boot.phases.get(name) for name in ("kernel", "system", "service")}
    rounded = {name: None if value is None else round(value, 3) for name, value in phases.items()}
    told = {"boot_id": boot.boot_id, "at": boot.at, "restart": boot.restart}
    return {**told, **rounded, "accepting": round(boot.accepting, 3)}


def _line_of_claim(boot: Boot) -> dict[str, Json]:
    return {"boot_id": boot.boot_id, "first_claim": round(boot.first_claim or 0.0, 3)}
