"""The machine sleeps by design: what was missed is skipped, made up for once, or all of it, and told."""

from __future__ import annotations

import pytest

from core.catch_up import planned
from core.due_runs import MOST, MOST_TOLD
from core.jobs import State
from core.scheduled_run import MISSED
from core.scheduler_models import CatchUp
from tests.core.agenda import DAY, Process, a_task
from tests.factories import NOW

HOUR = 3_600.0


@pytest.fixture
def process(bus, clock):
    return Process(bus, clock)


def times(*hours_ago: float) -> list[int]:
    return [int(NOW - hours * HOUR) for hours in hours_ago]


@pytest.mark.parametrize(
    ("policy", "due", "runs", "made_up", "skipped"),
    [
        (CatchUp.SKIP, times(3, 2, 1), [], [], times(3, 2, 1)),
        (CatchUp.SKIP, times(2, 1, 0), times(0), [], times(2, 1)),
        (CatchUp.ONCE, times(3, 2, 1), times(1), times(1), []),
        (CatchUp.ONCE, times(2, 1, 0), times(0), [], []),
        (CatchUp.ONCE, times(30, 26), [], [], times(30, 26)),
        (CatchUp.ONCE, times(30, 3, 1), times(1), times(1), times(30)),
        (CatchUp.ONCE, times(30, 0), times(0), [], times(30)),
        (CatchUp.ALL, times(3, 2, 1), times(3, 2, 1), times(3, 2, 1), []),
        (CatchUp.ALL, times(30, 2, 0), times(2, 0), times(2), times(30)),
        (CatchUp.ALL, times(30, 26), [], [], times(30, 26)),
    ],
)
def test_the_policy_says_what_is_run(policy, due, runs, made_up, skipped):
    plan = planned(due, a_task(catch_up=policy, catch_up_window=DAY), now=NOW)

    assert (list(plan.runs), list(plan.made_up), list(plan.skipped)) == (runs, made_up, skipped)


def test_a_run_that_is_a_minute_late_is_on_time():
    task = a_task(catch_up=CatchUp.SKIP)

    assert planned([int(NOW) - 60], task, now=NOW).skipped == ()
    assert planned([int(NOW) - 61], task, now=NOW).runs == ()


def test_one_run_makes_up_for_a_night(process):
    process.register(schedule="1 hour")

    process.look(after=8.5 * HOUR)

    (job,) = process.jobs()
    assert (job.state, job.labels["due"], job.labels[MISSED]) == (
        State.QUEUED,
        "2023-11-15T06:13:20Z",
        "made up",
    )
    (event,) = process.told
    assert (event.event_type, event.payload) == (
        "system.schedule_missed",
        {"task_id": "tester:double", "missed": 8, "made_up": 1, "skipped": 0},
    )


def test_every_run_is_made_up_for(process):
    process.register(schedule="1 hour", catch_up=CatchUp.ALL)

    process.look(after=3.5 * HOUR)

    assert [(job.state, job.labels[MISSED]) for job in process.jobs()] == [(State.QUEUED, "made up")] * 3
    assert process.told[0].payload == {"task_id": "tester:double", "missed": 3, "made_up": 3, "skipped": 0}


def test_each_run_that_is_skipped_leaves_a_job_that_says_so(process, heard):
    process.register(schedule="1 hour", catch_up=CatchUp.SKIP)

    process.look(after=2.5 * HOUR)

    first, second = process.jobs()
    assert [(job.state, job.attempt, job.labels[MISSED]) for job in (first, second)] == [
        (State.CANCELLED, 0, "skipped")
    ] * 2
    assert first.error.code == "cancelled"
    assert first.error.message == (
        "Missed: due at 2023-11-14T23:13:20Z, and no bus looked before 2023-11-15T00:43:20Z;"
        " catch_up is 'skip'."
    )
    assert process.told[0].payload == {"task_id": "tester:double", "missed": 2, "made_up": 0, "skipped": 2}
    assert process.bus.engine.next_due() is None


def test_after_what_was_missed_the_schedule_goes_on(process):
    process.register(schedule="1 hour", catch_up=CatchUp.SKIP)

    process.look(after=2.5 * HOUR)
    process.look(after=0.5 * HOUR)

    assert [job.state for job in process.jobs()] == [State.CANCELLED, State.CANCELLED, State.QUEUED]


def test_three_processes_that_wake_up_together_catch_up_once(bus, clock):
    first = Process(bus, clock)
    processes = [first, *(Process(bus, clock, first.store) for _ in range(2))]
    for number, policy in enumerate(CatchUp):
        first.register(task_name=f"task-{number}", schedule="1 hour", catch_up=policy)

    clock.advance(3.5 * HOUR)
    for process in processes:
        process.look()

    assert len(first.jobs()) == 3 + 1 + 3
    assert first.types_told() == ["system.schedule_missed"] * 3


def test_a_crash_before_the_job_of_a_skipped_run_is_cancelled_leaves_none_that_runs(
    process, bus, clock, monkeypatch
):
    process.register(schedule="1 hour", catch_up=CatchUp.SKIP)
    monkeypatch.setattr(process.bus, "cancel", _dies)
    with pytest.raises(KeyboardInterrupt):
        process.look(after=1.5 * HOUR)
    (left,) = process.jobs()
    monkeypatch.undo()

    Process(bus, clock, process.store).look(after=1)

    assert (left.state, left.run_after > clock.now()) == (State.QUEUED, True)
    assert [job.state for job in process.jobs()] == [State.CANCELLED]


def test_a_run_that_another_process_started_on_time_is_not_cancelled_as_missed(process, bus, clock):
    before = process.register(schedule="1 hour", catch_up=CatchUp.SKIP)
    process.look(after=HOUR)
    process.store.change(before.id, lambda stored: before)

    Process(bus, clock, process.store).look(after=100)

    assert [job.state for job in process.jobs()] == [State.QUEUED]


def test_of_a_long_absence_the_latest_are_dealt_with(process):
    process.register(task_name="all", schedule="1 minute", catch_up=CatchUp.ALL, catch_up_window=7 * DAY)
    process.register(task_name="skip", schedule="1 minute", catch_up=CatchUp.SKIP)

    process.look(after=365 * DAY + 90)

    by_task = {name: process.bus.find(_of(name)).jobs for name in ("all", "skip")}
    assert len(by_task["all"]) == MOST
    assert sum(job.state is State.CANCELLED for job in by_task["skip"]) == MOST_TOLD


def _of(name):
    from core.jobs import Query

    return Query(labels={"task": name}, limit=1_000)


def _dies(*_, **__):
    raise KeyboardInterrupt
