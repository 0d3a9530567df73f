"""Whether the bus may switch the machine off, and have it started again."""

from __future__ import annotations

from collections.abc import Iterator

from cloud.alarms import open_alarm
from cloud.switches import open_switches
from core.errors import ConfigError
from core.machine import NoAlarm
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_BAD = Kind(
    code="power_switch_wrong",
    mark=Mark.PROBLEM,
    one="The power switch is wrongly set",
    why="The bus refuses to start.",
    remedy="Set AAFAI_POWER_SWITCH to none, systemd, gcp, gcp:suspend or command:/path/to/program",
)
_REFUSED = Kind(
    code="power_switch_refused",
    mark=Mark.PROBLEM,
    one="A power switch will not work",
    many="{n} power switches will not work",
    why="The machine stays on when nothing is left to do, and goes on costing money.",
)
_NONE = Kind(
    code="power_switch_none",
    mark=Mark.NOTE,
    one="There is no power switch, although this is production",
    why="The machine is never switched off by the bus.",
    remedy="Set AAFAI_POWER_SWITCH=systemd",
)
_ALARM_BAD = Kind(
    code="wake_alarm_wrong",
    mark=Mark.PROBLEM,
    one="The wake alarm is wrongly set",
    why="The bus refuses to start.",
    remedy="Set AAFAI_WAKE_ALARM to none, gcp-scheduler:JOB, gcp-schedule:POLICY, rtcwake or command:…",
)
_ALARM_REFUSED = Kind(
    code="wake_alarm_refused",
    mark=Mark.PROBLEM,
    one="The wake alarm will not work",
    why="The machine stays on while something is due later, and goes on costing money.",
)


def check_power(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what keeps the bus from switching the machine off."""
    try:
        switches = open_switches(patient.config.power_switch, google=patient.config.google_url)
    except ConfigError as error:
        yield Flaw(_BAD, detail=error.message)
        return
    if not switches:
        yield "no switch: the machine stays on"
        if patient.config.production:
            yield Flaw(_NONE)
    for switch in switches:
        problem = switch.check()
        if problem is None:
            yield f"the switch {switch.name} may be used"
        else:
            yield Flaw(_REFUSED, detail=problem)


def check_alarm(patient: Patient) -> Iterator[Flaw | str]:
    """Yield what keeps the machine from being started again in time."""
    config = patient.config
    try:
        alarm = open_alarm(
            config.wake_alarm, google=config.google_url, resumes="gcp:suspend" in config.power_switch
        )
    except ConfigError as error:
        yield Flaw(_ALARM_BAD, detail=error.message)
        return
    problem = alarm.check()
    if problem is not None:
        yield Flaw(_ALARM_REFUSED, detail=problem)
    elif isinstance(alarm, NoAlarm):
        yield "no wake alarm: what is due later waits until somebody starts the machine"
    else:
        yield f"the wake alarm {alarm.name} may be set"
