"""A line for each boot session, whatever becomes of the machine and of its clocks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bursts import PAUSE
from core.clock import SystemClock
from core.event_bus import EventBus, LocalTransport
from core.ledger import BEAT, Ledger
from core.sessions import LEAST_BILLED
from tests.core.machine_of_time import BOOT, MachineOfTime
from tests.factories import NOW

DAY = 86_400.0


@pytest.fixture
def machine(tmp_path: Path) -> MachineOfTime:
    return MachineOfTime(tmp_path)


def test_the_line_of_a_session_tells_all_there_is_to_tell(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(10)
    machine.run_job(30)
    machine.pass_time(840)
    machine.say_stop("Stopping: nothing is left to do. Switch: systemd.")
    machine.start(after=3_600)

    assert machine.lines() == [
        {
            "boot_id": "boot-1",
            "part": 1,
            "start": "2023-11-14T22:13:20.000+00:00",
            "stop": "2023-11-14T22:28:20.000+00:00",
            "seconds": 900.0,
            "billed_seconds": 900,
            "ready": 20.0,
            "first_job": 30.0,
            "last_job": 60.0,
            "jobs": 1,
            "run_seconds": 30.0,
            "clean": True,
            "why": "Stopping: nothing is left to do. Switch: systemd.",
            "restarts": 0,
            "starts": True,
            "ends": True,
            "actions": {"fakejob": [1, 30.0]},
            "bursts": [[30.0, 60.0, 1]],
            "began": 0.0,
            "slept": 0.0,
        }
    ]


def test_the_session_that_goes_on_lies_in_a_file_with_a_line_for_each_field(machine: MachineOfTime) -> None:
    machine.start()

    text = (machine.folder / "session.json").read_text()

    assert '\n "boot_id": "boot-1",\n' in text
    assert json.loads(text)["clean"] is None
    assert [one.name for one in machine.ledger.sessions()] == ["boot-1/1"]


def test_a_minute_is_billed_at_least_for_each_start(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(5)
    machine.start(after=100)

    assert machine.lines()[0]["seconds"] == BOOT + 5
    assert machine.lines()[0]["billed_seconds"] == LEAST_BILLED


def test_a_session_that_ended_without_a_word_is_closed_with_its_last_known_moment(
    machine: MachineOfTime,
) -> None:
    machine.start()
    machine.pass_time(600)
    machine.clock.advance(BEAT - 1)  # and the power is cut
    machine.start(after=DAY)

    (line,) = machine.lines()
    assert (line["seconds"], line["clean"]) == (BOOT + 600, False)
    assert line["why"] == "It ended without a word; the last known moment is taken."


def test_a_stop_that_failed_is_no_word(machine: MachineOfTime) -> None:
    machine.start()
    machine.say_stop()
    machine.events.publish("system.reopened", "aafai-bus", {"message": "the machine is still on"})
    machine.start(after=DAY)

    assert machine.lines()[0]["clean"] is False


def test_the_first_word_is_kept_when_the_drain_says_its_own(machine: MachineOfTime) -> None:
    machine.start()
    machine.say_stop("Stopping: nothing is left to do.")
    machine.say_stop("Stopped; all jobs ended.")

    assert machine.ledger.sessions()[0].why == "Stopping: nothing is left to do."


def test_nobody_but_the_kernel_has_a_word_or_work(machine: MachineOfTime) -> None:
    machine.start()
    machine.events.publish("system.shutdown", "somebody", {"message": "Stop!"})
    machine.publish("queued", by="somebody")

    (session,) = machine.ledger.sessions()
    assert (session.clean, session.work.bursts) == (None, ())


def test_a_restart_of_the_service_goes_on_with_the_session(machine: MachineOfTime) -> None:
    machine.start()
    machine.run_job(30)
    machine.say_stop("Stopped; all jobs ended.")
    machine.clock.advance(100)
    machine.start_service()
    machine.run_job(40)
    machine.pass_time(60)

    (session,) = machine.ledger.sessions()
    assert machine.lines() == []
    assert (session.restarts, session.clean, session.jobs, session.run_seconds) == (1, None, 2, 70.0)
    assert session.seconds == BOOT + 30 + 100 + 40 + 60
    assert [(burst.start, burst.end) for burst in session.work.bursts] == [(20, 50), (150, 190)]


def test_jobs_that_come_before_the_ledger_is_open_are_counted(tmp_path: Path) -> None:
    machine = MachineOfTime(tmp_path)
    machine.start()
    machine.run_job(30)
    machine.ledger.beat()
    boots, folder, clock = machine.ledger.boots, machine.folder, machine.clock
    machine.ledger = Ledger(folder, machine.events, clock, boots=boots, moments=machine.moments)

    machine.run_job(10)
    machine.ledger.begin(clock.boottime())

    assert machine.ledger.sessions()[0].run_seconds == 40.0


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


def test_a_day_of_jobs_without_a_pause_is_one_burst(machine: MachineOfTime) -> None:
    machine.start()
    for number in range(1_000):
        machine.run_job(PAUSE - 1, name=str(number))

    (burst,) = machine.ledger.sessions()[0].work.bursts
    assert (burst.jobs, burst.end - burst.start) == (1_000, 1_000 * (PAUSE - 1))


def test_the_busiest_day_there_can_be_takes_little_room(machine: MachineOfTime) -> None:
    machine.start()
    for number in range(1_400):
        machine.clock.advance(PAUSE)
        machine.publish("queued", str(number))

    machine.ledger.beat()

    assert len(machine.ledger.sessions()[0].work.bursts) == 1_400
    assert (machine.folder / "session.json").stat().st_size < 40_000


def test_jobs_side_by_side_are_one_burst_and_all_their_seconds_count(machine: MachineOfTime) -> None:
    machine.start()
    machine.publish("started", "long", "crawl")
    machine.run_job(400, name="short")
    machine.publish("completed", "long", "crawl")

    (session,) = machine.ledger.sessions()
    assert (session.working, session.run_seconds, session.jobs) == (400, 800, 2)
    assert {name: taken.seconds for name, taken in session.work.actions.items()} == {
        "fakejob": 400,
        "crawl": 400,
    }


@pytest.mark.parametrize("leaving", ["retrying", "given_back"])
def test_an_attempt_that_does_not_end_its_job_takes_time_and_is_no_job(
    machine: MachineOfTime, leaving: str
) -> None:
    machine.start()
    machine.publish("started")
    machine.clock.advance(10)
    machine.publish(leaving)

    (session,) = machine.ledger.sessions()
    assert (session.jobs, session.run_seconds) == (0, 10.0)


def test_work_that_no_event_tells_of_is_a_burst_too(tmp_path: Path) -> None:
    machine = MachineOfTime(tmp_path, has_work=lambda: True)
    machine.start()
    machine.pass_time(600, beat=BEAT / 2)

    assert [burst.jobs for burst in machine.ledger.sessions()[0].work.bursts] == [0]
    assert machine.ledger.sessions()[0].working == 600


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


def test_a_service_that_starts_long_after_the_machine_counts_from_its_own_start(
    machine: MachineOfTime,
) -> None:
    machine.start(boot=5_000)

    (session,) = machine.ledger.sessions()
    assert (session.seconds, session.ready) == (1.0, 1.0)


def test_a_line_that_was_written_twice_counts_once(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(600)
    kept = (machine.folder / "session.json").read_text()
    machine.start(after=100)
    (machine.folder / "session.json").write_text(kept)  # as a crash right after the line was added leaves it
    machine.start(after=100)

    assert len(machine.lines()) == 2
    assert [one.name for one in machine.ledger.sessions()] == ["boot-1/1", "boot-3/1"]


def test_a_part_that_was_closed_right_before_a_crash_is_not_counted_beside_itself(
    machine: MachineOfTime,
) -> None:
    machine.start()
    machine.pass_time(DAY - BOOT - 60, beat=600)
    kept = (machine.folder / "session.json").read_text()
    machine.pass_time(60)
    (machine.folder / "session.json").write_text(kept)

    machine.start_service()

    assert sum(one.seconds for one in machine.ledger.sessions()) == DAY


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"boot_id": "boot-1"}', '{"seconds": 1e999}'])
def test_a_damaged_session_is_told_of_and_the_next_one_is_kept(machine: MachineOfTime, damage: str) -> None:
    machine.start()
    (machine.folder / "session.json").write_text(damage)

    machine.start(after=100)

    assert [one.name for one in machine.ledger.sessions()] == ["boot-2/1"]
    assert "is damaged, so a session is missing from the ledger" in machine.told[0]


def test_damaged_lines_are_told_of_once_and_left_out(machine: MachineOfTime) -> None:
    machine.start()
    machine.start(after=100)
    with (machine.folder / "sessions.jsonl").open("a") as file:
        file.write('{"boot_id": \n{"boot_id": "x"}\n17\n')

    names = [[one.name for one in machine.ledger.sessions()] for _ in range(2)]

    assert names == [["boot-1/1", "boot-2/1"]] * 2
    assert [sentence.partition(" is damaged")[0] for sentence in machine.told] == [
        f"{machine.folder}/sessions.jsonl:{number}" for number in (2, 3, 4)
    ]


def test_a_file_that_cannot_be_written_is_told_of_once_and_tried_again(machine: MachineOfTime) -> None:
    machine.start()
    kept = machine.folder.rename(machine.folder.with_name("elsewhere"))
    machine.folder.write_text("in the way")
    machine.say_stop()
    machine.events.publish("system.reopened", "aafai-bus", {"message": "still on"})
    machine.folder.unlink()
    kept.rename(machine.folder)
    machine.pass_time(60)

    assert len(machine.told) == 1
    assert machine.told[0].startswith("The ledger cannot be kept: ")
    assert machine.ledger.sessions()[0].seconds == BOOT + 60


def test_the_thread_keeps_the_books_until_it_is_stopped(tmp_path: Path) -> None:
    machine = MachineOfTime(tmp_path)
    machine.start()
    ledger = Ledger(
        machine.folder,
        EventBus(LocalTransport()),
        SystemClock(),
        boots=machine.ledger.boots,
        moments=machine.moments,
    )

    ledger.start(SystemClock().boottime())
    ledger.stop()

    assert ledger.sessions()[0].restarts == 1
