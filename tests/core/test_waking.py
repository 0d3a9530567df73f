"""The machine is started again in time: the alarm is set before every stop, for what is due or left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EngineUnavailable
from core.idle import Facts
from core.machine import PowerState
from tests.core.power_bench import POLICY, AnAlarm, ASwitch, Machine

DAY = 86_400.0


def test_the_alarm_is_set_to_the_next_job_that_is_due_less_what_a_start_takes(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, ASwitch(), alarm=alarm, lead=lambda: 40.0)
    due = machine.clock.now() + DAY
    machine.work = Facts(next_due=due)

    state = machine.step_after(300)

    assert state is PowerState.STOPPING
    assert alarm.armed == [due - 40]
    wake = machine.power.status().wake
    assert (wake.alarm, wake.problem, wake.next_due, wake.armed_for) == ("fake", None, due, due - 40)
    assert machine.heard("system.alarm_set") == ["the machine is to be started at 2023-11-15T22:12:40+00:00"]


def test_an_alarm_of_which_nothing_is_left_to_be_wanted_is_taken_back(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, ASwitch(), alarm=alarm)

    machine.step_after(300)

    assert alarm.armed == [None]
    assert machine.power.status().wake.armed_for is None


def test_the_next_attempt_at_a_webhook_starts_the_machine_too_but_not_within_the_hour(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, ASwitch(), alarm=alarm)
    machine.clock.advance(300)
    now = machine.clock.now()
    machine.work = Facts(next_webhook=now + 20, next_due=now + DAY)

    machine.step_after(0)

    assert alarm.armed == [now + POLICY.webhook_sleep]
    assert machine.power.status().wake.next_due == now + 20


def test_a_machine_whose_alarm_cannot_be_set_stays_on_says_so_and_tries_again_each_minute(
    tmp_path: Path,
) -> None:
    switch, alarm = ASwitch(), AnAlarm(broken=True)
    machine = Machine(tmp_path, switch, alarm=alarm)
    machine.work = Facts(next_due=machine.clock.now() + DAY)

    state = machine.step_after(300)
    status = machine.power.status()
    machine.step_after(59)
    alarm.broken = False
    machine.step_after(0)
    too_early = switch.runs
    machine.step_after(1)

    assert state is PowerState.ACCEPTING
    assert not status.switches[0].problem
    assert status.message == "On because the wake alarm could not be set: the cloud does not answer."
    assert status.wake.problem == "the cloud does not answer."
    assert machine.heard("system.alarm_failed") == ["fake: the cloud does not answer."]
    assert (too_early, switch.runs) == (0, 1)
    assert machine.power.status().wake.problem is None


def test_jobs_are_accepted_while_the_alarm_cannot_be_set(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch(), alarm=AnAlarm(broken=True))
    machine.work = Facts(next_due=machine.clock.now() + DAY)

    machine.step_after(300)

    assert not machine.gate.closed


def test_an_alarm_that_breaks_is_one_that_cannot_be_set(tmp_path: Path) -> None:
    alarm = AnAlarm()
    alarm.arm = lambda when: 1 / 0  # type: ignore[method-assign, assignment]
    switch = ASwitch()
    machine = Machine(tmp_path, switch, alarm=alarm)
    machine.work = Facts(next_due=machine.clock.now() + DAY)

    machine.step_after(300)

    assert switch.runs == 0
    assert machine.heard("system.alarm_failed") == ["fake: ZeroDivisionError: division by zero"]


def test_an_alarm_that_is_not_needed_keeps_no_machine_on_by_being_broken(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, alarm=AnAlarm(broken=True))

    machine.step_after(300)

    assert switch.runs == 1


def test_a_job_that_is_due_before_the_machine_could_be_back_keeps_it_on(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, alarm=AnAlarm(), lead=lambda: 40.0)
    machine.clock.advance(300)
    machine.work = Facts(next_due=machine.clock.now() + POLICY.min_sleep + 40)

    machine.step_after(0)
    before = switch.runs
    machine.work = replace(machine.work, next_due=machine.clock.now() + POLICY.min_sleep + 41)
    machine.step_after(0)

    assert (before, switch.runs) == (0, 1)


def test_without_an_alarm_the_machine_stops_and_says_that_nothing_will_start_it(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    machine.work = Facts(next_due=machine.clock.now() + DAY)

    before = machine.power.status().wake.problem
    machine.step_after(300)

    told = "nothing starts the machine for what is due later; set AAFAI_WAKE_ALARM."
    assert before == told
    assert machine.heard("system.warning") == [told]
    assert switch.runs == 1
    assert machine.power.status().wake.armed_for is None


def test_a_machine_that_never_stops_needs_no_alarm(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.work = Facts(next_due=machine.clock.now() + DAY)

    machine.step_after(300)

    assert machine.power.status().wake.problem is None


def test_a_forced_stop_has_the_machine_started_again_for_the_jobs_that_it_cuts_off(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, ASwitch(), alarm=alarm)
    machine.work = Facts(running=1)

    state = machine.step_after(36_000)

    assert state is PowerState.STOPPING
    assert alarm.armed == [machine.clock.now() + POLICY.min_sleep]


def test_a_forced_stop_leaves_the_alarm_alone_when_the_jobs_cannot_be_counted(tmp_path: Path) -> None:
    def facts() -> Facts:
        raise EngineUnavailable("the disk is gone")

    alarm, switch = AnAlarm(), ASwitch()
    machine = Machine(tmp_path, switch, alarm=alarm, facts=facts)

    machine.step_after(36_000)

    assert (alarm.armed, switch.runs) == ([], 1)


@pytest.mark.parametrize("preempted", [False, True])
def test_a_process_that_is_told_to_end_has_the_machine_started_again_for_what_is_left(
    tmp_path: Path, preempted: bool
) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, alarm=alarm)
    machine.work = Facts(running=1)
    machine.power.prepare_to_end(preempted=preempted)

    machine.step_after(1)
    machine.step_after(1)
    first = list(alarm.armed)
    machine.work = Facts()
    machine.step_after(1)

    assert first == [machine.clock.now() - 2 + POLICY.min_sleep]
    assert alarm.armed == [*first, None]


def test_an_alarm_that_could_not_be_set_at_the_end_is_tried_until_it_is(tmp_path: Path) -> None:
    alarm = AnAlarm(broken=True)
    machine = Machine(tmp_path, alarm=alarm)
    due = machine.clock.now() + DAY
    machine.work = Facts(next_due=due)
    machine.power.prepare_to_end()
    machine.step_after(1)

    alarm.broken = False
    machine.step_after(1)
    machine.step_after(1)

    assert alarm.armed == [due]


def test_what_the_check_of_an_alarm_finds_is_told_at_the_start(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch(), alarm=AnAlarm(problem="the role is missing."))

    machine.step_after(1)

    assert machine.heard("system.warning") == ["the role is missing."]
    assert machine.power.status().wake.problem == "the role is missing."


@pytest.mark.parametrize(
    ("switches", "seconds", "warned"), [(1, 179, True), (1, 180, False), (0, 60, False)], ids=str
)
def test_a_sleep_that_is_shorter_than_a_stop_is_warned_of_where_the_machine_stops(
    tmp_path: Path, switches: int, seconds: float, warned: bool
) -> None:
    policy = replace(POLICY, min_sleep=seconds)
    machine = Machine(tmp_path, *[ASwitch()] * switches, alarm=AnAlarm(), policy=policy)

    machine.power.take_up()

    told = (
        "AAFAI_MIN_SLEEP is 2 minutes 59 seconds, and an alarm that rings before the machine is off is not"
        " heard; set it to 3 minutes or more."
    )
    assert machine.heard("system.warning") == [f"the wake alarm fake: {told}"] * warned
    assert machine.power.status().wake.problem == (told if warned else None)


def test_a_short_sleep_is_no_matter_without_an_alarm(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch(), policy=replace(POLICY, min_sleep=60))

    machine.power.take_up()

    assert machine.heard("system.warning") == []
    assert machine.power.status().wake.problem is None


def a_machine_that_is_still_on(folder: Path, alarm: AnAlarm) -> Machine:
    """Return a machine that gave up a switch just now, and has work again."""
    machine = Machine(folder, ASwitch(), alarm=alarm)
    machine.step_after(300)
    machine.step_after(60)
    machine.work = Facts(running=1)
    return machine


def test_what_is_left_after_a_switch_was_given_up_is_woken_for_should_it_work_late(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = a_machine_that_is_still_on(tmp_path, alarm)

    machine.step_after(1)
    machine.step_after(1)
    at_work = list(alarm.armed)
    machine.work = Facts()
    machine.step_after(1)

    assert at_work == [None, machine.clock.now() - 2 + POLICY.min_sleep]
    assert alarm.armed == [*at_work, None]


def test_a_switch_that_was_given_up_long_ago_sets_no_alarm_any_more(tmp_path: Path) -> None:
    alarm = AnAlarm()
    machine = a_machine_that_is_still_on(tmp_path, alarm)

    machine.step_after(600)

    assert alarm.armed == [None]


def test_an_alarm_that_fails_while_jobs_run_is_asked_once_a_minute(tmp_path: Path) -> None:
    alarm = AnAlarm(broken=True)
    machine = a_machine_that_is_still_on(tmp_path, alarm)
    machine.step_after(1)

    alarm.broken = False
    machine.step_after(59)
    too_early = list(alarm.armed)
    machine.step_after(1)

    assert too_early == []
    assert len(alarm.armed) == 1
