"""Wake alarms: what starts the machine again at the next due moment. Every one gets a time limit."""

from __future__ import annotations

import math
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

from cloud.moments import as_iso
from core.clock import Clock, SystemClock
from core.errors import AlarmFailed, ConfigError
from core.machine import Alarm, NoAlarm
from core.programs import run_program

#: How far ahead, in seconds, the alarm of a real-time clock is tried to be set: any time, 27 days, 23 hours.
_REACHES = (math.inf, 27 * 86_400.0, 23 * 3_600.0)


@dataclass(frozen=True, slots=True)
class CommandAlarm:
    """Set the alarm by a program, called with `arm 2026-11-22T12:00:00Z 1795348800` or with `disarm`."""

    argv: tuple[str, ...]
    name: str = "command"
    #: Seconds that the program may take.
    limit: float = 30.0

    def check(self) -> str | None:
        """Return a sentence when there is no such program."""
        return _no_program(self.name, self.argv[0])

    def arm(self, when: float | None) -> None:
        """Run the program. Raises AlarmFailed when it cannot be run, fails, or takes too long."""
        told = ("disarm",) if when is None else ("arm", as_iso(when), str(int(when)))
        _run((*self.argv, *told), self.limit)


@dataclass(frozen=True, slots=True)
class RtcwakeAlarm:
    """Set the alarm of the machine's own real-time clock, by the program rtcwake of util-linux.

    Many such clocks keep no moment that is more than a month, or a day, away. Then the machine is started
    before its time, finds nothing to do, and sets the alarm anew when it stops.
    """

    name: str = "rtcwake"
    #: Seconds that the program may take.
    limit: float = 10.0
    clock: Clock = field(default_factory=SystemClock, compare=False)

    def check(self) -> str | None:
        """Return a sentence when there is no rtcwake, or no clock that this user may set."""
        if problem := _no_program(self.name, "rtcwake"):
            return problem
        try:
            _run(("rtcwake", "--mode", "show"), self.limit)
        except AlarmFailed as error:
            remedy = "It takes a /dev/rtc0 that this user may read and write: docs/power.md says how."
            return f"rtcwake: {error.message} {remedy}"
        return None

    def arm(self, when: float | None) -> None:
        """Set the clock's alarm, for an earlier moment if need be, or switch it off. Raises AlarmFailed."""
        if when is None:
            _run(("rtcwake", "--mode", "disable"), self.limit)
            return
        failures = []
        for moment in dict.fromkeys(min(when, self.clock.now() + reach) for reach in _REACHES):
            try:
                _run(("rtcwake", "--mode", "no", "--time", str(int(moment))), self.limit)
            except AlarmFailed as error:
                failures.append(error)
            else:
                return
        raise failures[0]


def open_alarm(spec: str, *, google: str = "", resumes: bool = False) -> Alarm:
    """Return the wake alarm of AAFAI_WAKE_ALARM. Raises ConfigError.

    `google` is where Google's services are asked instead of at their own addresses; `resumes` says that the
    machine is suspended rather than stopped.
    """
    kind, _, rest = spec.partition(":")
    if spec == "none":
        return NoAlarm()
    if spec == "rtcwake":
        return RtcwakeAlarm()
    if kind == "command" and (argv := _words(rest)):
        return CommandAlarm(argv)
    if kind in {"gcp-scheduler", "gcp-schedule"} and rest:
        return _google_alarm(kind, rest, google, resumes=resumes)
    raise ConfigError(
        f"AAFAI_WAKE_ALARM: {spec!r} is no wake alarm; write none, rtcwake, command:/path/to/it,"
        " gcp-scheduler:job or gcp-schedule:policy."
    )


def _google_alarm(kind: str, rest: str, address: str, *, resumes: bool) -> Alarm:
    from cloud.google_api import Google  # noqa: PLC0415  Few machines are Google's.
    from cloud.instance_schedule import InstanceSchedule  # noqa: PLC0415
    from cloud.scheduler_alarm import SchedulerAlarm  # noqa: PLC0415

    location, _, job = rest.rpartition("/")
    if kind == "gcp-scheduler":
        return SchedulerAlarm(Google.at(address), job, location, resumes)
    return InstanceSchedule(Google.at(address), rest)


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"AAFAI_WAKE_ALARM: {text!r} cannot be read: {error}; mend its quotes.") from None


def _no_program(name: str, program: str) -> str | None:
    if shutil.which(program) is not None:
        return None
    return f"{name}: there is no program {program!r} to run; install it or give its full path."


def _run(argv: Sequence[str], limit: float) -> None:
    try:
        status, output = run_program(argv, limit)
    except OSError as error:
        raise AlarmFailed(str(error)) from None
    if status != 0:
        said = f", saying: {output}" if output else ""
        raise AlarmFailed(f"`{shlex.join(argv)}` ended with status {status}{said}.")
