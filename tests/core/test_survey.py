"""The facts for the power logic are counted from the store, and only work counts as activity."""

import pytest

from core.activity import Activity
from core.deliveries import Deliveries
from core.event_bus import KERNEL
from core.jobs import JobError
from core.lifecycle import failed, succeeded
from core.survey import Survey
from tests.factories import NOW, a_job


@pytest.fixture
def survey(engine, events, clock):
    return Survey(engine, Deliveries(events, clock, linger=900), Activity(events, clock))


def test_waiting_running_and_deferred_jobs_are_told_apart(survey, engine):
    engine.add(a_job())
    engine.claim("worker-001", now=NOW, lease=60, queues=["default"])
    engine.add(a_job())
    engine.add(a_job(run_after=NOW + 50))
    engine.add(a_job(run_after=NOW + 40))

    facts = survey.facts()

    assert (facts.queued, facts.running, facts.next_due) == (1, 1, NOW + 40)


def test_an_empty_store_gives_no_reason_to_stay(survey):
    facts = survey.facts()

    assert (facts.queued, facts.running, facts.next_due, facts.unread) == (0, 0, None, ())
    assert facts.last_activity is None


@pytest.mark.parametrize("status", ["queued", "completed", "failed", "cancelled", "retrying"])
def test_work_is_activity(survey, events, clock, status):
    clock.advance(100)
    events.publish(f"task.{status}", KERNEL, {"job_id": "a"})

    assert survey.facts().last_activity == clock.boottime()


def test_nothing_else_is_activity(survey, events):
    for event_type in ("task.progress", "system.warning", "task.started"):
        events.publish(event_type, KERNEL, {"job_id": "a"})

    assert survey.facts().last_activity is None


def test_a_job_that_another_process_ends_is_activity(survey, engine, clock):
    engine.add(a_job())
    job = engine.claim("worker of another process", now=NOW, lease=60, queues=["default"])
    survey.facts()
    clock.advance(1_000)
    before = survey.facts().last_activity

    engine.swap(job, succeeded(job, result="done", now=NOW))
    after = survey.facts().last_activity
    clock.advance(1_000)

    assert before is None
    assert after == survey.facts().last_activity == clock.boottime() - 1_000


def test_a_job_that_ends_here_is_activity_from_its_end_and_not_from_the_next_look(
    survey, engine, events, clock
):
    engine.add(a_job())
    job = engine.claim("worker-001", now=NOW, lease=60, queues=["default"])
    survey.facts()

    engine.swap(job, succeeded(job, result="done", now=NOW))
    events.publish("task.completed", KERNEL, {"job_id": job.id})
    ended = clock.boottime()
    clock.advance(4)

    assert survey.facts().last_activity == ended


def test_unread_results_are_facts(survey, events, clock):
    events.publish("task.completed", KERNEL, {"job_id": "a"})

    assert survey.facts().unread == (clock.boottime() + 900,)


def test_undelivered_webhooks_are_facts(engine, events, clock):
    deliveries, activity = Deliveries(events, clock, linger=900), Activity(events, clock)

    survey = Survey(
        engine, deliveries, activity, webhooks=lambda: (1_900.0, 2_000.0), next_webhook=lambda: NOW + 20
    )
    facts = survey.facts()

    assert facts.pending_webhooks == (1_900.0, 2_000.0)
    assert (facts.next_webhook, facts.next_due) == (NOW + 20, None)


def test_what_is_not_in_the_mirror_is_a_fact(engine, events, clock):
    deliveries, activity = Deliveries(events, clock, linger=900), Activity(events, clock)

    facts = Survey(engine, deliveries, activity, unpublished=lambda: (1_900.0,)).facts()

    assert facts.unpublished == (1_900.0,)


def test_a_retry_is_due_when_its_wait_is_over(survey, engine):
    engine.add(a_job(max_attempts=3))
    claimed = engine.claim("worker-001", now=NOW, lease=60, queues=["default"])
    error = JobError(code="action_error", message="It broke.")
    engine.swap(claimed, failed(claimed, error=error, now=NOW, delay=30))

    facts = survey.facts()

    assert (facts.queued, facts.running, facts.next_due) == (0, 0, NOW + 30)


def test_the_next_run_of_a_schedule_is_due_beside_deferred_jobs(engine, events, clock):
    deliveries, activity = Deliveries(events, clock, linger=900), Activity(events, clock)
    engine.add(a_job(run_after=NOW + 50))

    soon = Survey(engine, deliveries, activity, scheduled=lambda: NOW + 40).facts()
    later = Survey(engine, deliveries, activity, scheduled=lambda: NOW + 60).facts()

    assert (soon.next_due, later.next_due) == (NOW + 40, NOW + 50)


class Moving:
    """An engine in which something happens before the jobs are asked for in a certain way."""

    def __init__(self, engine, **happenings):
        self._engine = engine
        self._happenings = happenings

    def __getattr__(self, name):
        if happening := self._happenings.pop(name, None):
            happening()
        return getattr(self._engine, name)


@pytest.mark.parametrize("read", ["next_due", "deferred", "count"])
def test_a_retry_that_moves_while_the_jobs_are_counted_is_seen(engine, events, clock, read):
    engine.add(a_job(max_attempts=3))
    claimed = engine.claim("worker-001", now=NOW, lease=60, queues=["default"])
    error = JobError(code="action_error", message="It broke.")
    retried = failed(claimed, error=error, now=NOW, delay=30)
    moving = Moving(engine, **{read: lambda: engine.swap(claimed, retried)})

    facts = Survey(moving, Deliveries(events, clock, linger=900), Activity(events, clock)).facts()

    assert (facts.running, facts.next_due) == (0, NOW + 30)


@pytest.mark.parametrize("read", ["next_due", "deferred", "count"])
def test_a_job_that_falls_due_while_the_jobs_are_counted_is_seen(engine, events, clock, read):
    engine.add(a_job(run_after=NOW + 1))
    moving = Moving(engine, **{read: lambda: engine.upkeep(NOW + 1)})

    facts = Survey(moving, Deliveries(events, clock, linger=900), Activity(events, clock)).facts()

    assert facts.queued == 1 or facts.next_due == NOW + 1
