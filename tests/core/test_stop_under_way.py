"""A stop of the machine outlives the bus that began it: who starts before its end refuses jobs as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import ShuttingDown
from core.idle import Facts
from core.last_stop import StopRecord
from core.machine import PowerState, SwitchRun
from tests.core.power_bench import POLICY, AnAlarm, ASwitch, Machine


def a_start_after(first: Machine, seconds: float, *switches: ASwitch, boot: str = "this boot") -> Machine:
    """Return the machine of a process that takes the place of one that was killed so many seconds before."""
    second = Machine(first.power.record.parent, *switches, clock=first.clock, boot=boot)
    second.clock.advance(seconds)
    second.power.take_up()
    return second


def test_a_bus_that_is_started_again_while_the_machine_goes_off_refuses_jobs_as_the_one_before(
    tmp_path: Path,
) -> None:
    first, switch = Machine(tmp_path, ASwitch("first")), ASwitch("first")
    first.step_after(300)
    at = first.clock.now()

    machine = a_start_after(first, 59, switch)
    status = machine.power.status()

    with pytest.raises(ShuttingDown), machine.gate.entered():
        pytest.fail("The gate was open.")
    assert (status.state, status.message) == (PowerState.STOPPING, "Stopping: nothing is left to do.")
    assert status.last_run == SwitchRun(at, "first")
    assert switch.runs == 0
    assert machine.heard("system.draining") == ["another process has run the switch first 59 seconds ago"]


def test_a_stop_that_outlived_its_bus_and_fails_is_followed_by_the_next_switch(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch("second"))
    first.step_after(300)
    switches = ASwitch("first"), ASwitch("second"), ASwitch("third")
    machine = a_start_after(first, 30, *switches)

    states = [machine.step_after(29), machine.step_after(1)]
    machine.step_after(300)

    assert states == [PowerState.STOPPING, PowerState.ACCEPTING]
    assert [switch.runs for switch in switches] == [0, 0, 1]
    assert machine.heard("system.power_failed") == [
        "second: The switch was run, and 1 minute later the machine is still on."
    ]


def test_a_bus_that_was_killed_between_the_record_and_the_switch_accepts_again_in_a_minute(
    tmp_path: Path,
) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    StopRecord(machine.power.record, "this boot", machine.clock, warn=print).note_stop(
        "Stopping.", None, switch="one that is set no more"
    )
    machine.power.take_up()

    states = [machine.step_after(0), machine.step_after(60)]

    assert states == [PowerState.STOPPING, PowerState.ACCEPTING]
    assert machine.heard("system.power_failed")[0].startswith("one that is set no more: The switch was run")
    assert json.loads(machine.power.record.read_text())["state"] == "running"


def test_a_stop_that_outlived_its_bus_is_waited_for_by_a_bus_without_a_switch_too(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch())
    first.step_after(300)
    machine = a_start_after(first, 1)

    states = [machine.step_after(0), machine.step_after(59), machine.step_after(300)]

    assert states == [PowerState.STOPPING, PowerState.ACCEPTING, PowerState.ACCEPTING]


@pytest.mark.parametrize(
    ("boot", "seconds"),
    [("this boot", 60), ("another boot", 1), ("", 1)],
    ids=["late", "rebooted", "unknown"],
)
def test_a_start_that_comes_after_the_stop_or_in_another_boot_accepts_jobs(
    tmp_path: Path, boot: str, seconds: float
) -> None:
    first = Machine(tmp_path, ASwitch(), boot=boot and "this boot")
    first.step_after(300)

    machine = a_start_after(first, seconds, ASwitch(), boot=boot)

    assert not machine.gate.closed
    assert machine.power.status().state is PowerState.ACCEPTING


def test_a_service_that_was_only_told_to_end_accepts_jobs_when_it_starts_again(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch())
    first.power.start()
    first.power.prepare_to_end()
    first.power.stop()

    machine = a_start_after(first, 1, ASwitch())

    assert not machine.gate.closed


def test_a_bus_that_goes_on_with_a_stop_leaves_the_record_to_the_next_one(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch())
    first.step_after(300)
    before = first.power.record.read_text()

    for _ in range(2):
        machine = a_start_after(first, 1, ASwitch())
        machine.power.start()
        machine.power.prepare_to_end()
        machine.power.stop()

    assert machine.power.status().state is PowerState.STOPPING
    assert machine.power.record.read_text() == before


def test_a_machine_that_was_asleep_accepts_jobs_though_its_bus_died_before_it_slept(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch())
    first.step_after(300)
    machine = a_start_after(first, 1, ASwitch())

    machine.clock.boot += 10
    state = machine.step_after(0)

    assert state is PowerState.ACCEPTING
    assert not machine.gate.closed


@pytest.mark.parametrize("preempted", [False, True])
def test_a_bus_that_is_told_to_end_while_the_machine_goes_off_runs_no_further_switch(
    tmp_path: Path, preempted: bool
) -> None:
    first, second, alarm = ASwitch("first"), ASwitch("second"), AnAlarm()
    machine = Machine(tmp_path, first, second, alarm=alarm)
    machine.step_after(300)

    machine.work = Facts(queued=1)
    machine.power.prepare_to_end(preempted=preempted)
    states = [machine.step_after(1), machine.step_after(600)]

    assert states == [PowerState.STOPPING] * 2
    assert (first.runs, second.runs) == (1, 0)
    assert machine.gate.closed
    assert alarm.armed[:2] == [None, machine.clock.now() - 600 + POLICY.min_sleep]


def test_a_hold_comes_too_late_for_a_stop_that_outlived_its_bus(tmp_path: Path) -> None:
    first = Machine(tmp_path, ASwitch())
    first.step_after(300)
    machine = a_start_after(first, 1, ASwitch())

    with pytest.raises(ShuttingDown):
        machine.power.hold(3_600, by="ann", why="a demonstration")

    assert machine.power.held is None


@pytest.mark.parametrize("starts", [True, False], ids=["it starts", "it runs"])
def test_of_two_buses_on_a_folder_each_refuses_jobs_while_the_other_stops_the_machine(
    tmp_path: Path, starts: bool
) -> None:
    one, switch = Machine(tmp_path, ASwitch("one")), ASwitch("other")
    other = Machine(tmp_path, switch, clock=one.clock)
    one.step_after(300)

    other.power.take_up() if starts else other.power.step()
    while_stopping = other.gate.closed
    one.clock.advance(60)
    for machine in (other, one):
        machine.power.step()

    assert while_stopping
    assert switch.runs == 0
    assert not other.gate.closed
    assert not one.gate.closed
