"""Running many ended jobs again: all that can be at once, each at most once if so asked."""

import pytest

from core import lifecycle
from core.errors import (
    IdempotencyConflict,
    JobNotEnded,
    JobNotFound,
    ShuttingDown,
    UnknownAction,
    Unsupported,
)
from core.jobs import Job, State
from core.submission import Submission
from tests.factories import NOW, an_id

DOUBLE = Submission(action="double", params={"number": 21})


@pytest.fixture
def old(bus, engine):
    """A job that has ended."""
    job = bus.submit(DOUBLE)
    return ended(engine, job.id)


def ended(engine, job_id):
    """Run a job to its end."""
    running = engine.claim_one(job_id, "worker-001", now=NOW, lease=60)
    done = lifecycle.succeeded(running, result=42, now=NOW)
    engine.swap(running, done)
    return done


def waiting(bus):
    return bus.count()[State.QUEUED]


def test_a_retry_with_a_key_is_made_once(bus, old):
    first, again = (bus.retry(old.id, key="k") for _ in range(2))

    assert first.id == again.id
    assert waiting(bus) == 1
    with pytest.raises(IdempotencyConflict):
        bus.retry(old.id, params={"number": 5}, key="k")


def test_a_key_of_a_submission_is_not_one_of_a_retry(bus, old):
    bus.submit(Submission(action="double", params={"number": 21}, idempotency_key="k"))

    with pytest.raises(IdempotencyConflict):
        bus.retry(old.id, key="k")


def test_many_are_run_again_and_each_that_cannot_be_has_its_reason(bus, engine, registry, old):
    still, unknown = bus.submit(DOUBLE), an_id()
    slow = ended(engine, bus.submit(Submission(action="slow")).id)
    del registry._files["slow"]

    outcomes = bus.retry_many([old.id, still.id, unknown, slow.id], once=False)

    assert list(outcomes) == [old.id, still.id, unknown, slow.id]
    kinds = [type(outcome) for outcome in outcomes.values()]
    assert kinds == [Job, JobNotEnded, JobNotFound, UnknownAction]
    assert outcomes[old.id].retried_from == old.id


def test_those_that_were_run_again_once_are_not_announced_again(bus, heard, old):
    first = bus.retry_many([old.id], once=True)[old.id]
    before = list(heard)

    second = bus.retry_many([old.id], once=True)[old.id]
    free = bus.retry_many([old.id], once=False)[old.id]

    assert second.id == first.id != free.id
    assert heard == [*before, ("task.queued", free.id)]


def test_nothing_to_run_again_stores_nothing(bus, engine, heard):
    assert bus.retry_many([], once=False) == {}
    assert list(bus.retry_many([unknown := an_id()], once=False)) == [unknown]
    assert heard == []


def test_a_closed_gate_refuses_all(bus, old):
    bus.gate.close()

    with pytest.raises(ShuttingDown):
        bus.retry_many([old.id], once=False)


def test_an_engine_without_keys_retries_as_often_as_asked_and_refuses_a_key(bus, engine, old):
    engine.supports_idempotency = False

    first, second = (bus.retry_many([old.id], once=True)[old.id] for _ in range(2))

    assert first.id != second.id
    with pytest.raises(Unsupported):
        bus.retry(old.id, key="k")
