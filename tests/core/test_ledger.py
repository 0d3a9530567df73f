"""A line for each boot session, with all there is to tell of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.bursts import PAUSE
from core.clock import SystemClock
from core.event_bus import EventBus, LocalTransport
from core.ledger import BEAT, Ledger
from core.sessions import LEAST_BILLED
from tests.core.machine_of_time import BOOT, MachineOfTime

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


@pytest.mark.parametrize("leaving", ["retrying", "given_back", "dropped"])
def test_an_attempt_that_does_not_end_its_job_takes_time_and_is_no_job(
    machine: MachineOfTime, leaving: str
) -> None:
    machine.start()
    machine.publish("started")
    machine.clock.advance(10)
    machine.publish(leaving)
    machine.pass_time(600)

    (session,) = machine.ledger.sessions()
    assert (session.jobs, session.run_seconds, session.working) == (0, 10.0, 10.0)


def test_work_that_no_event_tells_of_is_a_burst_too(tmp_path: Path) -> None:
    machine = MachineOfTime(tmp_path, has_work=lambda: True)
    machine.start()
    machine.pass_time(600, beat=BEAT / 2)

    assert [burst.jobs for burst in machine.ledger.sessions()[0].work.bursts] == [0]
    assert machine.ledger.sessions()[0].working == 600


def test_a_service_that_starts_long_after_the_machine_counts_from_its_own_start(
    machine: MachineOfTime,
) -> None:
    machine.start(boot=5_000)

    (session,) = machine.ledger.sessions()
    assert (session.seconds, session.ready) == (1.0, 1.0)


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
