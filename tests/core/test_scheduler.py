"""A schedule makes one job for each due time, through restarts, changes and jumps of the clock."""

from __future__ import annotations

import queue
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest

from core import lifecycle
from core.activity import Activity
from core.deliveries import Deliveries
from core.errors import DiskFull, InvalidParams, InvalidRequest, ScheduleNotFound, UnknownAction
from core.event_bus import KERNEL, job_payload
from core.jobs import State
from core.scheduled_run import DUE, MISSED
from core.scheduler import TaskScheduler
from core.scheduler_models import CatchUp
from core.survey import Survey
from tests.core.agenda import DAY, Process, a_task
from tests.factories import NOW, a_job

FIVE = 300.0


@pytest.fixture
def process(bus, clock):
    return Process(bus, clock)


def test_a_run_is_submitted_when_it_is_due_and_not_before(process):
    process.register()

    process.look(after=FIVE - 1)
    before = process.due()
    process.look(after=1)

    assert before == []
    assert process.due() == ["2023-11-14T22:18:20Z"]


def test_a_run_is_a_job_like_any_other_and_tells_whose_it_is(process):
    process.register(priority=7, timeout=60.0, max_attempts=1)

    process.look(after=FIVE)

    (job,) = process.jobs()
    assert (job.action, job.params, job.state) == ("double", {"number": 21}, State.QUEUED)
    assert (job.priority, job.timeout, job.max_attempts) == (7, 60.0, 1)
    assert job.labels == {
        "agent": "tester",
        "task": "double",
        "scheduled_task": "tester:double",
        "due": "2023-11-14T22:18:20Z",
    }
    assert job.idempotency_key == "schedule/tester:double/2023-11-14T22:18:20Z"


def test_looking_twice_starts_nothing_twice(process):
    process.register()

    for _ in range(5):
        process.look(after=FIVE / 5)
        process.look()

    assert len(process.jobs()) == 1


def test_the_pause_ends_when_the_next_run_is_due(process):
    idle = process.look()
    process.register()

    assert idle == 5.0
    assert process.look(after=FIVE - 0.4) == pytest.approx(0.4)
    assert process.look(after=0.4) == 1.0


def test_next_run_last_run_and_their_job_are_known(process):
    process.register()

    process.look(after=FIVE)

    (schedule,) = process.schedules.stored().schedules
    assert schedule.last_due == NOW + FIVE
    assert schedule.last_job == process.jobs()[0].id
    assert process.schedules.next_due(schedule) == NOW + 2 * FIVE


def test_a_cron_schedule_runs_by_the_clock_of_its_zone(process):
    process.register(task_type="cron", schedule="0 9 * * *", timezone="Europe/Berlin")

    process.run_through(2 * DAY)

    assert process.due() == ["2023-11-15T08:00:00Z", "2023-11-16T08:00:00Z"]


def test_a_year_passes_in_seconds_and_each_due_time_makes_one_job(process, engine):
    process.register(task_name="hourly", schedule="1 hour")
    process.register(task_name="daily", task_type="cron", schedule="30 2 * * *", timezone="Europe/Berlin")
    process.register(task_name="weekly", task_type="cron", schedule="0 9 * * 1", timezone="America/New_York")
    counts = {"hourly": [], "daily": [], "weekly": []}
    process.bus.events.subscribe(
        "test", "task.queued", lambda event: counts[event.payload["labels"]["task"]].append(event)
    )

    process.run_through(365 * DAY)

    assert {name: len(events) for name, events in counts.items()} == {
        "hourly": 8_760,
        "daily": 365,
        "weekly": 52,
    }
    hours = [datetime.fromisoformat(event.payload["labels"]["due"]) for event in counts["hourly"]]
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(hours)} == {3_600.0}
    assert process.types_told() == []


def test_five_restarts_make_one_schedule_and_one_run_for_each_due_time(process, bus, clock):
    for _ in range(5):
        process = Process(bus, clock, process.store)
        process.register()
        process.look(after=FIVE / 2)

    assert len(process.store.all().schedules) == 1
    assert process.due() == ["2023-11-14T22:18:20Z", "2023-11-14T22:23:20Z"]


def test_three_processes_start_one_run_for_each_due_time(bus, clock):
    first = Process(bus, clock)
    processes = [first, *(Process(bus, clock, first.store) for _ in range(2))]
    for process in processes:
        process.register()

    for _ in range(4):
        clock.advance(FIVE)
        for process in processes:
            process.look()

    assert len(first.due()) == len(set(first.due())) == 4


def test_a_crash_between_submission_and_note_makes_no_second_run(process, bus, clock):
    before = process.register()

    process.look(after=FIVE)
    process.store.change(before.id, lambda stored: before)
    Process(bus, clock, process.store).look(after=1)

    assert len(process.jobs()) == 1
    assert process.schedules.get(before.id).last_job == process.jobs()[0].id


def test_registering_the_same_task_again_changes_nothing(process, clock):
    first = process.register()
    clock.advance(100)

    assert process.register() == first


def test_registering_another_text_of_times_begins_anew(process):
    process.register(schedule="1 day")

    process.look(after=10 * FIVE + 10)
    changed = process.register()
    process.look(after=1)

    assert (changed.created_at, changed.updated_at) == (NOW, NOW + 10 * FIVE + 10)
    assert process.due() == []
    assert process.schedules.next_due(changed) == NOW + 11 * FIVE


def test_registering_other_params_keeps_the_times(process):
    process.register()

    process.look(after=FIVE - 10)
    process.register(params={"number": 4})
    process.look(after=10)

    assert [job.params for job in process.jobs()] == [{"number": 4}]


def test_params_that_change_between_two_processes_make_no_second_run(process, bus, clock):
    before = process.register()

    process.look(after=FIVE)
    changed = replace(before, task=a_task(params={"number": 4}))
    process.store.change(before.id, lambda stored: changed)
    process.look(after=1)

    assert [job.params for job in process.jobs()] == [{"number": 21}]
    assert process.schedules.get(before.id).last_job == process.jobs()[0].id


def test_a_disabled_schedule_does_not_run_and_misses_nothing(process):
    schedule = process.register()

    process.schedules.switch(schedule.id, enabled=False)
    process.look(after=10 * FIVE)
    process.schedules.switch(schedule.id, enabled=True)
    process.look(after=1)
    none = process.due()
    process.look(after=FIVE - 1)

    assert none == []
    assert len(process.due()) == 1
    assert process.types_told() == []


def test_a_schedule_that_was_switched_off_stays_off_through_a_restart(process, bus, clock):
    schedule = process.register()
    process.schedules.switch(schedule.id, enabled=False)

    again = Process(bus, clock, process.store).register()

    assert not again.enabled


def test_a_task_whose_text_says_otherwise_is_switched_by_it(process):
    schedule = process.register()
    process.schedules.switch(schedule.id, enabled=False)

    assert not process.register(enabled=False).enabled
    assert process.register(enabled=True).enabled


def test_a_task_whose_text_switches_it_on_again_has_missed_nothing(process):
    schedule = process.register()
    process.schedules.switch(schedule.id, enabled=False)

    process.look(after=10 * FIVE + 10)
    process.register(description="Double it, after all.")
    process.look(after=1)

    assert process.due() == []
    assert process.types_told() == []


def test_an_unregistered_schedule_runs_no_more_and_its_jobs_stay(process):
    schedule = process.register()

    process.look(after=FIVE)
    process.schedules.unregister(schedule.id)
    process.look(after=10 * FIVE)

    assert len(process.jobs()) == 1
    assert process.store.all().schedules == ()
    with pytest.raises(ScheduleNotFound):
        process.schedules.get(schedule.id)


@pytest.mark.parametrize("act", ["unregister_task", "enable_task", "disable_task"])
def test_what_is_not_there_cannot_be_changed(process, events, act):
    scheduler = TaskScheduler(process.schedules, events)

    with pytest.raises(ScheduleNotFound, match=r"There is no schedule 'tester:nothing'\."):
        getattr(scheduler, act)("tester:nothing")


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"schedule": "61 * * * *", "task_type": "cron"}, InvalidRequest, "schedule: .*look at its minute"),
        ({"schedule": "5 moments"}, InvalidRequest, "schedule: .*is no interval"),
        ({"timezone": "Mars/Olympus"}, InvalidRequest, "timezone: .*is no time zone"),
        ({"task_name": "a/../b"}, InvalidRequest, "task_name: must be 1 to 100 letters"),
        ({"agent_name": ""}, InvalidRequest, "agent_name: must be 1 to 100 letters"),
        ({"action": "dubble"}, UnknownAction, "no action named 'dubble'"),
        ({"params": {"number": "many"}}, InvalidParams, r"params\.number"),
        ({"max_attempts": 3}, InvalidRequest, "max_attempts: may be at most 2"),
        ({"action": "", "params": {}, "function_path": "os:system"}, InvalidRequest, "None is allowed yet"),
        ({"action": ""}, InvalidRequest, "function_path: is missing"),
        ({"function_path": "app.x:y"}, InvalidRequest, "action: stands beside function_path"),
        ({"kwargs": {"a": 1}}, InvalidRequest, "kwargs: goes with function_path"),
        ({"args": (object(),)}, InvalidRequest, "args: must be JSON"),
        ({"catch_up_window": -1.0}, InvalidRequest, "catch_up_window: .*is no duration"),
        ({"priority": 10}, InvalidRequest, "priority: must be from 0 to 9"),
    ],
)
def test_what_could_not_run_is_refused_when_it_is_registered(process, fields, error, said):
    with pytest.raises(error, match=said):
        process.register(**fields)

    assert process.store.all().schedules == ()


def test_a_run_that_is_refused_is_told_once_and_started_when_it_no_longer_is(process, registry, tmp_path):
    process.register()
    file = tmp_path / "actions" / "double.py"
    text = file.read_text()
    file.unlink()
    registry.load()

    process.look(after=FIVE)
    process.look(after=1)
    refused, problem = process.types_told(), dict(process.schedules.refusals)
    file.write_text(text)
    registry.load()
    process.look(after=1)

    assert refused == ["system.schedule_refused"]
    assert problem["tester:double"].startswith("There is no action named 'double'.")
    assert process.schedules.refusals == {}
    assert len(process.jobs()) == 1


def test_a_schedule_that_is_refused_does_not_keep_the_machine_on(process, registry, tmp_path):
    process.register()
    (tmp_path / "actions" / "double.py").unlink()
    registry.load()

    process.look(after=FIVE)

    assert process.schedules.soonest() == NOW + 2 * FIVE


def test_one_schedule_that_cannot_run_stops_no_other(process, registry, tmp_path):
    process.register(task_name="a")
    process.register(task_name="b", action="slow", params={})
    (tmp_path / "actions" / "double.py").unlink()
    registry.load()

    process.look(after=FIVE)

    assert [job.labels["task"] for job in process.jobs()] == ["b"]


def test_nothing_is_started_while_the_gate_is_shut(process, bus):
    process.register()

    bus.gate.close()
    process.look(after=FIVE)
    shut = process.due()
    bus.gate.open()
    process.look(after=1)

    assert shut == []
    assert len(process.due()) == 1
    assert process.types_told() == []


def test_the_next_due_time_is_there_for_the_idle_decision_and_the_wake_alarm(process):
    nothing = process.schedules.soonest()
    process.register()
    process.register(task_name="sooner", schedule="1 minute")
    process.schedules.switch("tester:double", enabled=False)

    assert nothing is None
    assert process.schedules.soonest() == NOW + 60


def test_the_facts_of_the_power_logic_name_whichever_is_due_first(process, engine, events, clock):
    survey = Survey(
        engine,
        Deliveries(events, clock, linger=900),
        Activity(events, clock),
        scheduled=process.schedules.soonest,
    )
    process.register()

    scheduled = survey.facts().next_due
    engine.add(a_job(run_after=NOW + 60))

    assert scheduled == NOW + FIVE
    assert survey.facts().next_due == NOW + 60


def test_nobody_is_waited_for_to_read_the_result_of_a_scheduled_run(process, engine, events, clock):
    deliveries = Deliveries(events, clock, linger=900)
    process.register()
    process.look(after=FIVE)
    claimed = engine.claim("worker-001", now=clock.now(), lease=60, queues=["default"])

    events.publish("task.completed", KERNEL, job_payload(claimed))

    assert deliveries.unread() == {}


@pytest.mark.parametrize("jump", [3_600.0, 7_200.0, DAY])
def test_a_clock_that_is_set_back_repeats_no_run_and_goes_on(process, clock, jump):
    process.register()
    process.run_through(3 * FIVE)
    before = process.due()

    clock.jump(-jump)
    process.look()
    process.run_through(jump)

    # Each due time of the past is there once, and those before the first registration were never due.
    assert len(process.due()) == len(set(process.due()))
    assert set(before) <= set(process.due())
    process.run_through(FIVE)
    assert len(process.due()) == len(before) + 1


@pytest.mark.parametrize("wrong", [-3_600.0, -10 * DAY, -50 * 365 * DAY])
def test_a_clock_that_is_wrong_for_a_while_after_a_boot_makes_nothing_missed(process, clock, wrong):
    process.register(task_type="cron", schedule="*/5 * * * *", catch_up=CatchUp.ALL, catch_up_window=90 * DAY)
    process.run_through(DAY + 120)
    before = len(process.due())

    clock.jump(wrong)
    for _ in range(3):
        process.look(after=50)
    awaited = process.schedules.soonest() - clock.wall
    clock.jump(-wrong)
    process.look()

    assert len(process.due()) == before
    assert "system.schedule_missed" not in process.types_told()
    assert 0 < awaited <= FIVE, "the machine is kept on for it, or woken"


def test_a_clock_that_was_years_ahead_and_is_set_right_does_not_stop_a_schedule(process, clock):
    process.register()

    clock.jump(10 * 365 * DAY)
    process.look()
    clock.jump(-10 * 365 * DAY)
    process.look()
    early = len(process.due())
    process.run_through(3 * FIVE)

    assert len(process.due()) == early + 3


@pytest.fixture
def queued(events):
    """The due times of the jobs that are queued."""
    queued = queue.Queue()
    events.subscribe("test", "task.queued", lambda event: queued.put(event.payload["labels"]["due"]))
    return queued


def test_the_thread_starts_what_is_due_and_ends_when_told(process, queued):
    process.register(schedule="1 second")

    process.due_runs.start()
    first = queued.get(timeout=60)
    process.due_runs.stop()

    assert first == "2023-11-14T22:13:21Z"


def test_a_fault_at_the_start_is_told_and_the_thread_goes_on(bus, clock, queued):
    def raises():
        raise RuntimeError("unforeseen")

    process = Process(bus, clock, at_start=raises)
    process.register(schedule="1 second")

    process.due_runs.start()
    queued.get(timeout=60)
    process.due_runs.stop()

    assert process.types_told()[0] == "system.scheduler_failed"
    assert process.told[0].payload["message"] == "RuntimeError: unforeseen"


def test_what_fails_at_the_start_is_done_as_soon_as_it_can_be(bus, clock, queued):
    def full_at_first():
        tries.append("a try")
        if len(tries) < 3:
            raise DiskFull("No space left on device.")
        process.register(schedule="1 second")

    tries: list[str] = []
    process = Process(bus, clock, at_start=full_at_first)

    process.due_runs.start()
    queued.get(timeout=60)
    process.due_runs.stop()

    assert len(tries) == 3
    assert process.types_told() == ["system.scheduler_failed"]


def test_labels_say_when_a_run_was_due_even_after_it_ended(process, engine, clock):
    process.register()
    process.look(after=FIVE)
    claimed = engine.claim("worker-001", now=clock.now(), lease=60, queues=["default"])

    engine.swap(claimed, lifecycle.succeeded(claimed, result=42, now=clock.now()))

    (job,) = process.jobs()
    assert (job.state, job.result, job.labels[DUE], MISSED in job.labels) == (
        State.SUCCEEDED,
        42,
        "2023-11-14T22:18:20Z",
        False,
    )
