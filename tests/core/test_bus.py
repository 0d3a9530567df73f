"""The front door: what it stores, what it refuses, and what it tells."""

import threading

import pytest

from core import lifecycle
from core.errors import (
    BrokenAction,
    IdempotencyConflict,
    InvalidParams,
    InvalidRequest,
    JobEnded,
    JobNotEnded,
    JobNotFound,
    ShuttingDown,
    UnknownAction,
    Unsupported,
)
from core.event_bus import KERNEL, job_payload
from core.jobs import JobError, State
from core.shortcuts import Shortcuts
from core.submission import Submission
from tests.factories import NOW, an_id

DOUBLE = Submission(action="double", params={"number": 21})


def claimed(engine, queue="default"):
    job = engine.claim("worker-001", now=NOW, lease=60, queues=[queue])
    assert job is not None
    return job


def ended(engine, **outcome):
    job = claimed(engine)
    done = lifecycle.succeeded(job, now=NOW, **(outcome or {"result": 42}))
    engine.swap(job, done)
    return done


def test_a_submission_is_stored_announced_and_rings_the_bell(bus, heard):
    rung = []
    bus.shortcuts = Shortcuts(wake=rung.append)

    job = bus.submit(DOUBLE)

    assert bus.get(job.id) == job
    assert (job.state, job.params, job.max_attempts, job.timeout) == (State.QUEUED, {"number": 21}, 2, 1800)
    assert rung == ["default"]
    assert heard == [("task.queued", job.id)]


def test_limits_come_from_the_submission_then_the_action_then_the_settings(bus):
    plain = bus.submit(Submission(action="slow"))
    picky = bus.submit(Submission(action="slow", timeout=7, max_attempts=1, priority=9))

    assert (plain.queue, plain.timeout, plain.max_attempts, plain.priority) == ("slow", 300, 3, 5)
    assert (picky.timeout, picky.max_attempts, picky.priority) == (7, 1, 9)


@pytest.mark.parametrize(
    "submission",
    [
        Submission(action="slow", timeout=301),
        Submission(action="double", params={"number": 1}, max_attempts=3),
    ],
)
def test_a_submission_may_narrow_the_limits_of_its_action_and_not_widen_them(bus, submission):
    with pytest.raises(InvalidRequest) as refusal:
        bus.submit(submission)

    assert refusal.value.code == "out_of_range"
    assert sum(bus.count().values()) == 0


@pytest.mark.parametrize(
    ("submission", "refusal"),
    [
        (Submission(action="nothing"), UnknownAction),
        (Submission(action="../../etc/passwd"), InvalidRequest),
        (Submission(action="os:system"), InvalidRequest),
        (Submission(action="__init__"), InvalidRequest),
        (Submission(action="x" * 10_000), InvalidRequest),
        (Submission(action="dоuble"), InvalidRequest),  # noqa: RUF001  A Cyrillic o.
        (Submission(action="broken"), BrokenAction),
        (Submission(action="double"), InvalidParams),
        (Submission(action="double", params={"number": "many"}), InvalidParams),
        (Submission(action="double", params={"number": 1, "more": 2}), InvalidParams),
        (Submission(action="slow", callback_url="https://example.org"), Unsupported),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_queued(bus, heard, submission, refusal):
    with pytest.raises(refusal):
        bus.submit(submission)

    assert sum(bus.count().values()) == 0
    assert heard == []


def test_an_unknown_action_names_the_nearest(bus):
    with pytest.raises(UnknownAction) as refusal:
        bus.submit(Submission(action="dubble"))

    assert refusal.value.nearest == "double"


@pytest.mark.parametrize("ability", ["priority", "run_after", "idempotency"])
def test_what_the_engine_cannot_do_is_refused_at_the_door(bus, engine, ability):
    setattr(engine, f"supports_{ability}", False)

    with pytest.raises(Unsupported):
        bus.submit(Submission(action="slow", priority=7, run_after=NOW + 5, idempotency_key="k"))


def test_the_same_key_and_body_is_the_same_job_and_is_announced_once(bus, heard):
    keyed = Submission(action="double", params={"number": 1}, idempotency_key="row 7")

    first, second = bus.submit(keyed), bus.submit(keyed)

    assert first.id == second.id
    assert heard == [("task.queued", first.id)]


def test_the_same_key_with_another_body_is_a_conflict_that_names_the_job(bus):
    first = bus.submit(Submission(action="double", params={"number": 1}, idempotency_key="row 7"))

    with pytest.raises(IdempotencyConflict) as refusal:
        bus.submit(Submission(action="double", params={"number": 2}, idempotency_key="row 7"))

    assert refusal.value.job_id == first.id


def test_a_batch_is_stored_whole_or_not_at_all(bus):
    with pytest.raises(InvalidRequest) as refusal:
        bus.submit_many([DOUBLE, Submission(action="no such")])

    assert refusal.value.field == "jobs[1].action"
    assert sum(bus.count().values()) == 0
    assert len(bus.submit_many([DOUBLE, DOUBLE])) == 2


@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_has_1_to_1000_jobs(bus, size):
    with pytest.raises(InvalidRequest) as refusal:
        bus.submit_many([DOUBLE] * size)

    assert refusal.value.code == "bad_batch_size"


def test_a_closed_gate_refuses_everything_that_would_add_a_job(bus, engine):
    old = bus.submit(DOUBLE)
    ended(engine)
    bus.gate.close()

    for submit in (lambda: bus.submit(DOUBLE), lambda: bus.submit_many([DOUBLE]), lambda: bus.retry(old.id)):
        with pytest.raises(ShuttingDown):
            submit()

    assert sum(bus.count().values()) == 1


def test_a_waiting_job_is_cancelled_at_once(bus, heard):
    job = bus.submit(DOUBLE)

    cancelled = bus.cancel(job.id, reason="Not needed.")

    assert (cancelled.state, cancelled.attempt) == (State.CANCELLED, 0)
    assert bus.get(job.id).state is State.CANCELLED
    assert heard[-1] == ("task.cancelled", job.id)


def test_a_running_job_is_asked_to_stop_and_runs_until_it_has(bus, engine):
    stopped = []
    bus.shortcuts = Shortcuts(stop_attempt=stopped.append)
    job = bus.submit(DOUBLE)
    claimed(engine)

    asked = bus.cancel(job.id)
    again = bus.cancel(job.id)

    assert (asked.state, asked.cancel_requested) == (State.RUNNING, True)
    assert again.version == asked.version
    assert stopped == [job.id]


def test_an_ended_job_cannot_be_cancelled(bus, engine):
    job = bus.submit(DOUBLE)
    ended(engine)

    with pytest.raises(JobEnded) as refusal:
        bus.cancel(job.id)

    assert refusal.value.state == "succeeded"


def test_an_ended_job_runs_again_as_a_new_one(bus, engine):
    old = bus.submit(DOUBLE)
    with pytest.raises(JobNotEnded):
        bus.retry(old.id)
    ended(engine)

    same, edited = bus.retry(old.id), bus.retry(old.id, params={"number": 5})

    assert (same.retried_from, same.params) == (old.id, {"number": 21})
    assert edited.params == {"number": 5}
    with pytest.raises(InvalidParams):
        bus.retry(old.id, params={"number": None})


def test_an_unknown_job_is_not_found(bus):
    for ask in (bus.get, bus.peek, bus.cancel, bus.retry, bus.logs):
        with pytest.raises(JobNotFound):
            ask(an_id())


def test_waiting_returns_when_the_job_ends(bus, engine, events, clock):
    job = bus.submit(DOUBLE)
    clock.wait = lambda event, timeout: event.wait(30)
    seen = []
    waiter = threading.Thread(target=lambda: seen.append(bus.wait(job.id, 1000).state))
    waiter.start()

    done = ended(engine)
    events.publish("task.completed", KERNEL, job_payload(done))
    waiter.join(30)

    assert seen == [State.SUCCEEDED]


def test_waiting_ends_after_the_timeout_with_the_job_as_it_stands(bus, clock):
    job = bus.submit(DOUBLE)
    began = clock.monotonic()

    seen = bus.wait(job.id, 20)

    assert seen.state is State.QUEUED
    assert clock.monotonic() - began == 20


def test_hanging_up_answers_everybody_at_once(bus, clock):
    job = bus.submit(DOUBLE)
    bus.hang_up()

    assert bus.wait(job.id, 20).state is State.QUEUED
    assert clock.monotonic() == 1_000.0


def test_purging_removes_what_ended_before_and_nothing_else(bus, engine):
    old, new = bus.submit(DOUBLE), bus.submit(DOUBLE)
    ended(engine)

    assert bus.purge(NOW) == 0
    assert bus.purge(NOW + 1) == 1
    assert bus.get(new.id).state is State.QUEUED
    assert old.id != new.id


def test_a_dead_letter_keeps_its_reason(bus, engine):
    job = bus.submit(Submission(action="double", params={"number": 1}, max_attempts=1))
    running = claimed(engine)
    engine.swap(
        running, lifecycle.failed(running, error=JobError(code="timeout", message="Too slow."), now=NOW)
    )

    assert bus.get(job.id).error.code == "timeout"
