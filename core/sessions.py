"""A boot session: from one start of the machine until it is off again; and the file line that tells of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.bursts import Burst, RunTime, Work
from core.jobs import Json

#: Seconds for which the cloud charges at least, whenever it starts a machine.
LEAST_BILLED = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One session, or a part of it: a long one is cut at the turn of the month, and after a day at most.

    Durations are in seconds, moments within the session in seconds since its start, all of them by the
    boot-time clock. Only `start` is a date, for people and for the sums of a month.
    """

    #: The kernel's name of this boot.
    boot_id: str
    #: Counted from 1; another one begins too when the machine wakes up from sleep.
    part: int = 1
    #: The machine had been off, or asleep, before; and it is, or was, after it.
    starts: bool = True
    ends: bool = True
    #: Unix seconds.
    start: float
    #: How long the machine was on, as far as is known.
    seconds: float
    #: When jobs were first accepted; None while they were not.
    ready: float | None = None
    work: Work = field(default_factory=Work)
    #: How often the service was started again while the machine was on.
    restarts: int = 0
    #: Whether the bus said that it would stop: a switch was run, or it had drained. None while it goes on.
    clean: bool | None = None
    #: The same in a sentence.
    why: str = ""
    #: When it began, and how long the machine had been asleep when it was last looked at: boot-time seconds.
    began: float = 0.0
    slept: float = 0.0

    @property
    def name(self) -> str:
        """What no other part of a session is called."""
        return f"{self.boot_id}/{self.part}"

    @property
    def stop(self) -> float:
        """When it was over, in Unix seconds."""
        return self.start + self.seconds

    @property
    def billed(self) -> int:
        """Whole seconds for which the cloud charges: one minute at least for each start."""
        return max(math.ceil(self.seconds), LEAST_BILLED if self.starts else 0)

    @property
    def jobs(self) -> int:
        """How many jobs ended in it."""
        return sum(action.jobs for action in self.work.actions.values())

    @property
    def run_seconds(self) -> float:
        """How long attempts ran in it, those side by side added up."""
        return sum(action.seconds for action in self.work.actions.values())

    @property
    def working(self) -> float:
        """How long there was work in it, pauses of less than a minute included."""
        return sum(burst.end - burst.start for burst in self.work.bursts)


def line_of(session: Session) -> dict[str, Json]:
    """Return what is kept of a session, in the order in which people read it."""
    bursts = session.work.bursts
    return {
        "boot_id": session.boot_id,
        "part": session.part,
        "start": _iso(session.start),
        "stop": _iso(session.stop),
        "seconds": _round(session.seconds),
        "billed_seconds": session.billed,
        "ready": None if session.ready is None else _round(session.ready),
        "first_job": _round(bursts[0].start) if bursts else None,
        "last_job": _round(bursts[-1].end) if bursts else None,
        "jobs": session.jobs,
        "run_seconds": _round(session.run_seconds),
        "clean": session.clean,
        "why": session.why,
        "restarts": session.restarts,
        "starts": session.starts,
        "ends": session.ends,
        "actions": {name: [one.jobs, _round(one.seconds)] for name, one in session.work.actions.items()},
        "bursts": [[_round(one.start), _round(one.end), one.jobs] for one in bursts],
        "began": _round(session.began),
        "slept": _round(session.slept),
    }


def session_from(line: Mapping[str, Json]) -> Session:
    """Return the session that a line tells of. Raises what core.json_lines calls DAMAGE for a damaged one."""
    return Session(
        boot_id=_text(line["boot_id"]),
        part=int(_number(line["part"])),
        starts=bool(line["starts"]),
        ends=bool(line["ends"]),
        start=_number(datetime.fromisoformat(line["start"]).timestamp(), least=-math.inf),
        seconds=_number(line["seconds"]),
        ready=None if line["ready"] is None else _number(line["ready"]),
        work=Work(
            bursts=tuple(_burst(*one) for one in line["bursts"]),
            actions={_text(name): _run_time(*one) for name, one in line["actions"].items()},
        ),
        restarts=int(_number(line["restarts"])),
        clean=None if line["clean"] is None else bool(line["clean"]),
        why=_text(line["why"]),
        began=_number(line["began"], least=-math.inf),
        slept=_number(line["slept"]),
    )


def _burst(start: Json, end: Json, jobs: Json) -> Burst:
    return Burst(_number(start), max(_number(start), _number(end)), int(_number(jobs)))


def _run_time(jobs: Json, seconds: Json) -> RunTime:
    return RunTime(int(_number(jobs)), _number(seconds))


def _number(given: Json, least: float = 0.0) -> float:
    number = float(given)
    if not max(least, -_BEYOND) <= number <= _BEYOND:
        raise ValueError(f"{given!r} is out of range")
    return number


def _text(given: Json) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{given!r} is no text")
    return given


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _round(seconds: float) -> float:
    return round(seconds, 3)


_BEYOND = 1e10  # seconds: some three centuries
