"""The ledger while the machine sleeps, months turn and clocks jump: every second is kept, and kept once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sessions import LEAST_BILLED
from tests.core.machine_of_time import BOOT, MachineOfTime
from tests.factories import NOW

DAY = 86_400.0


@pytest.fixture(autouse=True, scope="module")
def no_wait_for_the_disk() -> Iterator[None]:
    """Let days of savings pass in a second: no power is cut in here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def machine(tmp_path: Path) -> MachineOfTime:
    return MachineOfTime(tmp_path)


def test_sleep_ends_a_part_and_the_next_one_is_billed_as_a_start(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(300)
    machine.say_stop("Stopping: nothing is left to do. Switch: gcp:suspend.")
    machine.suspend(DAY)
    machine.clock.advance(5)
    machine.events.publish("system.reopened", "aafai-bus", {"message": "the machine was asleep and woke up"})
    machine.run_job(10)
    machine.ledger.beat()

    first, second = machine.ledger.sessions()
    assert (first.name, first.seconds, first.clean) == ("boot-1/1", BOOT + 300, True)
    assert first.why == "Stopping: nothing is left to do. Switch: gcp:suspend."
    assert (second.name, second.seconds, second.billed, second.clean) == ("boot-1/2", 15.0, 60, None)
    assert [(burst.start, burst.end) for burst in second.work.bursts] == [(5.0, 15.0)]
    assert second.start == NOW + BOOT + 300 + DAY


def test_work_that_comes_between_waking_up_and_the_next_saving_is_the_new_part_s(
    machine: MachineOfTime,
) -> None:
    machine.start()
    machine.run_job(10, name="before")
    machine.pass_time(120)
    machine.suspend(DAY)
    machine.run_job(30, name="after")
    machine.ledger.beat()

    first, second = machine.ledger.sessions()
    assert (first.jobs, first.run_seconds, first.working) == (1, 10.0, 10.0)
    assert (second.jobs, second.run_seconds, second.working) == (1, 30.0, 30.0)


def test_the_time_that_a_job_sleeps_with_its_machine_is_nobody_s(machine: MachineOfTime) -> None:
    machine.start()
    machine.publish("started")
    machine.pass_time(60)
    machine.suspend(DAY)
    machine.clock.advance(30)
    machine.publish("completed")
    machine.ledger.beat()

    first, second = machine.ledger.sessions()
    assert (first.seconds, first.working, first.run_seconds) == (BOOT + 60, 60, 0)
    assert (second.seconds, second.working, second.run_seconds) == (30, 30, 90)


def test_a_long_session_is_cut_at_the_turn_of_the_month_and_goes_on_without_another_minute(
    machine: MachineOfTime,
) -> None:
    machine.clock.wall = 1_701_388_800.0 - BOOT - 10  # when December begins
    machine.start()
    machine.publish("started")
    machine.pass_time(30, beat=10)
    machine.publish("completed")

    first, second = machine.ledger.sessions()
    assert (first.seconds, first.billed, first.starts, first.ends, first.clean) == (30, 60, True, False, True)
    assert (second.seconds, second.billed, second.starts, second.ends) == (20, 20, False, True)
    assert (first.working + second.working, second.run_seconds) == (30, 30)
    assert first.stop == second.start


def test_a_machine_that_is_never_off_has_a_line_for_each_day(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(3 * DAY, beat=600)

    sessions = machine.ledger.sessions()
    assert [one.part for one in sessions] == [1, 2, 3, 4]
    assert sum(one.seconds for one in sessions) == BOOT + 3 * DAY


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_wall_clock_that_jumps_by_a_day_changes_dates_and_no_durations(
    machine: MachineOfTime, jump: float
) -> None:
    machine.start()
    machine.publish("started")
    machine.pass_time(300)
    machine.clock.jump(jump)
    machine.pass_time(300)
    machine.publish("completed")
    machine.ledger.beat()
    machine.start(after=100)

    (line,) = machine.lines()
    assert (line["seconds"], line["billed_seconds"], line["run_seconds"]) == (620, 620, 600)
    assert line["bursts"] == [[20, 620, 0]]


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0, 4_000)),
    st.tuples(st.just("jump"), st.sampled_from([-DAY, DAY, -40 * DAY, 40 * DAY])),
    st.tuples(st.just("job"), st.floats(0, 500)),
    st.tuples(st.just("suspend"), st.floats(2, 3 * DAY)),
    st.tuples(st.just("restart"), st.floats(0, 300)),
    st.tuples(st.just("boot"), st.floats(0, 3 * DAY)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_whatever_happens_the_seconds_are_those_for_which_the_machine_was_on(
    steps: list[tuple[str, float]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine = MachineOfTime(Path(folder))
        machine.start()
        on, jobs = BOOT, 0
        for step, amount in steps:
            on, jobs = on + take(machine, step, amount), jobs + (step == "job")
            machine.ledger.beat()

        sessions = machine.ledger.sessions()

    assert sum(one.seconds for one in sessions) == pytest.approx(on, abs=0.01)
    assert sum(one.jobs for one in sessions) == jobs
    for one in sessions:
        assert 0 <= one.seconds <= one.billed <= max(LEAST_BILLED, one.seconds + 1)
        assert 0 <= one.working <= one.seconds + 0.01
        assert all(0 <= burst.start <= burst.end <= one.seconds + 0.01 for burst in one.work.bursts)


def take(machine: MachineOfTime, step: str, amount: float) -> float:
    """Take a step; return for how many seconds the machine was on meanwhile."""
    if step == "pass":
        machine.pass_time(amount, beat=600)
    elif step == "job":
        machine.run_job(amount)
    elif step == "restart":
        machine.clock.advance(amount)
        machine.start_service()
    elif step == "boot":
        machine.start(after=amount)
        return BOOT
    else:
        getattr(machine.clock if step == "jump" else machine, step)(amount)
        return 0.0
    return amount
