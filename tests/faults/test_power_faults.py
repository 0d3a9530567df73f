"""Faults around switching off that must not matter: nothing is lost, and in the end the machine is off."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from cloud.alarms import CommandAlarm, open_alarm
from cloud.switches import CommandSwitch
from cloud.watchdog import decide, read_heartbeat
from core.errors import ShuttingDown
from core.idle import Facts
from core.machine import Alarm, PowerState
from examples.running import free_port
from tests.conftest import Evidence
from tests.core.power_bench import POLICY, AnAlarm, ASwitch, Machine
from tests.faults.images import an_image
from tests.faults.test_small_disk import SMALL, take_all_bytes

DAY = 86_400.0
#: How a power-off goes wrong, as the program that an operator named.
BROKEN_SWITCHES = {
    "fails": ("sh", "-c", "echo 'no such unit'; exit 1"),
    "is refused": ("sh", "-c", "echo 'Access denied'; exit 4"),
    "hangs": ("sleep", "60"),
    "is not there": ("/no/such/program",),
    "says it worked": ("true",),
}
#: A machine is off well within this time after its work, whatever fails on the way; in seconds.
LONGEST = 2_000.0


def takes_a_submission(machine: Machine) -> bool:
    """Return whether the gate lets a submission in, as the bus does before it stores one."""
    try:
        with machine.gate.entered():
            return True
    except ShuttingDown:
        return False


def off_after(machine: Machine, switch: ASwitch, *, limit: float = LONGEST) -> float | None:
    """Return after how many seconds a machine that is left alone runs that switch; None if it never does."""
    began = machine.clock.boottime()
    while machine.clock.boottime() - began < limit:
        pause = machine.power.step()
        if switch.runs:
            return machine.clock.boottime() - began
        machine.clock.advance(pause)
    return None


@pytest.mark.parametrize("how", BROKEN_SWITCHES)
def test_a_power_off_that_goes_wrong_in_any_way_is_followed_by_the_next_switch(
    how: str, tmp_path: Path, evidence: Evidence
) -> None:
    broken = CommandSwitch(BROKEN_SWITCHES[how], name="broken", limit=0.2)
    sound = ASwitch("sound")
    machine = Machine(tmp_path, broken, sound)
    machine.clock.advance(1_000)

    machine.power.step()
    stopping = machine.power.status().state is PowerState.STOPPING
    machine.step_after(60 if stopping else 0)
    reopened = takes_a_submission(machine)
    told = machine.heard("system.power_failed")
    off = off_after(machine, sound)

    evidence("P15", f"a power-off that {how}, then the next switch", trials=1, stuck=int(off is None))
    assert stopping == (how == "says it worked")
    assert reopened
    assert len(told) == 1
    assert told[0].startswith("broken: ")
    assert off == 60
    assert not takes_a_submission(machine)


def test_a_job_that_comes_after_a_power_off_that_failed_runs_first(tmp_path: Path) -> None:
    switch = ASwitch(refusal="not today.")
    machine = Machine(tmp_path, switch)
    machine.step_after(1_000)

    machine.work = Facts(running=1)
    states = [machine.step_after(60) for _ in range(100)]
    machine.work, switch.refusal, switch.runs = Facts(), "", 0

    assert set(states) == {PowerState.ACCEPTING}
    assert off_after(machine, switch) == POLICY.idle_timeout


def alarms_that_are_down(folder: Path) -> dict[str, Alarm]:
    """Return alarms whose services do not answer, or not as they should."""
    nobody = f"http://127.0.0.1:{free_port()}"
    return {
        "refuses": AnAlarm(broken=True),
        "fails": CommandAlarm(("sh", "-c", "exit 7"), limit=0.2),
        "hangs": CommandAlarm(("sleep", "60"), limit=0.2),
        "is not there": CommandAlarm(("/no/such/program",)),
        "cannot be reached": open_alarm("gcp-scheduler:europe-west1/wake", google=nobody),
        "has no schedule": open_alarm("gcp-schedule:wake", google=nobody),
    }


class Mendable:
    """An alarm that is one until it is another."""

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm

    @property
    def name(self) -> str:
        return self.alarm.name

    def check(self) -> str | None:
        return self.alarm.check()

    def arm(self, when: float | None) -> None:
        self.alarm.arm(when)


@pytest.mark.parametrize("how", alarms_that_are_down(Path()))
def test_an_alarm_that_is_down_keeps_the_machine_on_until_it_is_back(
    how: str, tmp_path: Path, evidence: Evidence
) -> None:
    switch, sound = ASwitch(), AnAlarm()
    alarm = Mendable(alarms_that_are_down(tmp_path)[how])
    machine = Machine(tmp_path, switch, alarm=alarm)
    machine.clock.advance(1_000)
    due = machine.clock.now() + 20_000
    machine.work = Facts(next_due=due)

    while_down = off_after(machine, switch, limit=100)
    said = machine.power.status().message
    accepted = takes_a_submission(machine)
    alarm.alarm = sound
    once_it_is_back = off_after(machine, switch)

    evidence(
        "P15",
        f"a wake alarm that {how}, with a job due later",
        trials=1,
        early=int(while_down is not None),
        stuck=int(once_it_is_back is None),
    )
    assert while_down is None
    assert said.startswith("On because the wake alarm could not be set: ")
    assert machine.heard("system.alarm_failed")
    assert accepted
    assert once_it_is_back is not None
    assert sound.armed == [due]


def test_an_alarm_that_is_down_is_no_reason_to_stay_on_when_nothing_is_due(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, alarm=AnAlarm(broken=True))

    machine.step_after(1_000)

    assert switch.runs == 1


#: When in the life of a machine its wall clock jumps: the seconds after the start.
MOMENTS = {"at boot": 0.0, "in its grace": 100.0, "as it idles": 1_200.0, "just before the end": 1_899.0}


@pytest.mark.parametrize("jump", [DAY, -DAY])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_wall_clock_that_jumps_by_a_day_changes_nothing_about_the_stop(
    moment: str, jump: float, tmp_path: Path, evidence: Evidence
) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    began = machine.clock.boottime()

    def facts() -> Facts:
        age = machine.clock.boottime() - began
        if age >= MOMENTS[moment] and not jumps:
            jumps.append(jump)
            machine.clock.jump(jump)
        return Facts(running=int(age < 1_000), last_activity=began + min(age, 1_000))

    jumps: list[float] = []
    machine.power.facts = facts

    off = off_after(machine, switch)

    expected = 1_000 + POLICY.idle_timeout
    evidence(
        "P8",
        "a day's jump of the wall clock in the life of a machine, at boot too",
        trials=1,
        stopped_early=int(off is not None and off < expected),
        stuck=int(off is None),
    )
    assert jumps == [jump]
    assert off is not None
    assert 0 <= off - expected <= 1


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_wall_clock_that_jumps_after_the_switch_was_run_changes_nothing_about_what_follows(
    jump: float, tmp_path: Path
) -> None:
    first, second = ASwitch("first"), ASwitch("second")
    machine = Machine(tmp_path, first, second)
    machine.step_after(1_000)

    machine.clock.jump(jump)
    states = [machine.step_after(59), machine.step_after(1)]

    assert states == [PowerState.STOPPING, PowerState.ACCEPTING]
    assert off_after(machine, second) == 60


def test_a_job_is_waited_for_when_the_jumped_clock_says_that_it_is_due(tmp_path: Path) -> None:
    switch, alarm = ASwitch(), AnAlarm()
    machine = Machine(tmp_path, switch, alarm=alarm)
    machine.clock.advance(1_000)
    machine.work = Facts(next_due=machine.clock.now() + DAY / 2)

    machine.clock.jump(DAY)
    machine.power.step()

    assert switch.runs == 0
    assert [reason.code for reason in machine.power.status().reasons] == ["due_soon"]


def test_a_disk_that_is_full_at_the_clean_stop_does_not_keep_the_machine_on(
    ext4: str, tmp_path: Path, evidence: Evidence
) -> None:
    switch = ASwitch()
    with an_image(ext4, mebibytes=16, options=SMALL[ext4]) as image:
        machine = Machine(image.folder, switch)
        record = machine.power.record
        machine.power._record.note_start()
        take_all_bytes(image.folder)

        off = off_after(machine, switch)
        left = json.loads(record.read_text()) if record.exists() else None
        parts = list(image.folder.rglob("*.part"))

    evidence("P15", "a disk without a free block at the clean stop", trials=1, stuck=int(off is None))
    assert off is not None
    assert machine.heard("system.warning")
    assert left is None or left["state"] == "running"
    assert parts == []


@pytest.mark.parametrize("number", [2, 5])
def test_several_processes_on_one_folder_see_the_same_work_and_the_same_stop(
    number: int, tmp_path: Path
) -> None:
    shared = Facts(running=1)
    switches = [ASwitch(str(index)) for index in range(number)]
    machines = [Machine(tmp_path, switch, facts=lambda: shared) for switch in switches]

    for machine in machines:
        machine.step_after(5_000)
    at_work = sum(switch.runs for switch in switches)
    shared = Facts()
    for machine in machines:
        machine.step_after(POLICY.idle_timeout)

    assert at_work == 0
    assert [switch.runs for switch in switches] == [1] + [0] * (number - 1)
    assert {machine.power.status().state for machine in machines} == {PowerState.STOPPING}


def test_a_full_disk_does_not_still_the_heart(ext4: str, tmp_path: Path) -> None:
    with an_image(ext4, mebibytes=16, options=SMALL[ext4]) as image:
        machine = Machine(image.folder, ASwitch())
        machine.work = Facts(running=1)
        machine.power.step()
        take_all_bytes(image.folder)

        machine.step_after(3_600)
        heartbeat = read_heartbeat(image.folder / "run" / "heartbeat")

    assert heartbeat == machine.clock.boottime()
    assert machine.heard("system.warning")


def test_no_drain_however_long_and_no_hook_makes_the_watchdog_take_the_bus_for_dead(tmp_path: Path) -> None:
    hook = AHangingHook()
    machine = Machine(tmp_path, ASwitch(), hooks=[hook])

    verdicts = [verdict_after(machine, seconds) for seconds in (1_000, *[5] * 400)]
    machine.work = Facts(running=1)
    machine.power.prepare_to_end()
    verdicts += [verdict_after(machine, 5) for _ in range(400)]
    hook.end.set()

    assert set(verdicts) == {None}


def verdict_after(machine: Machine, seconds: float) -> str | None:
    """Return what the watchdog finds wrong after a look of the power logic."""
    machine.step_after(seconds)
    heartbeat = read_heartbeat(machine.power.runtime_dir / "heartbeat")
    return decide(machine.clock.boottime(), heartbeat, stale_after=600, max_uptime=46_800)


class AHangingHook:
    """A hook that goes on until it is told to end."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def run(self) -> str | None:
        self.end.wait(60)
        return None
