"""TaskQueue: enqueue, status and cancel, as in the seed."""

from __future__ import annotations

import pytest

from core import lifecycle
from core.errors import InvalidParams, InvalidRequest, JobNotFound, UnknownAction
from core.functions import Functions, built_in
from core.jobs import JobError, State
from core.task_queue import TaskQueue
from tests.factories import an_id


@pytest.fixture
def task_queue(bus, registry):
    registry._built_in = built_in(Functions(["app.services", "tests.core.test_task_queue"]))
    registry.load()
    return TaskQueue(bus)


def my_function(arg1, arg2, key=None):
    """Stand for a function of the operator's."""


def enqueued(task_queue):
    return task_queue.enqueue(
        func=my_function,
        agent_name="my-agent",
        task_name="my-task",
        function_path="app.services:my_function",
        args=(1, "two"),
        kwargs={"key": "value"},
    )


def test_a_task_is_a_job_that_calls_the_function(task_queue, bus):
    job = bus.get(enqueued(task_queue))

    assert (job.action, job.state) == ("call_function", State.QUEUED)
    assert job.params == {
        "function": "app.services:my_function",
        "args": [1, "two"],
        "kwargs": {"key": "value"},
    }
    assert job.labels == {"agent": "my-agent", "task": "my-task", "function": "app.services:my_function"}


def test_a_task_that_waits_is_queued_and_tells_what_it_is(task_queue):
    job_id = enqueued(task_queue)

    status = task_queue.status(job_id)

    assert (status.id, status.status, status.agent_name, status.task_name) == (
        job_id,
        "queued",
        "my-agent",
        "my-task",
    )
    assert (status.function_path, status.args, status.kwargs) == (
        "app.services:my_function",
        (1, "two"),
        {"key": "value"},
    )


def test_a_task_that_ended_tells_its_result_or_its_error(task_queue, engine, clock):
    ids = [enqueued(task_queue), enqueued(task_queue)]
    first, second = (engine.claim_one(job_id, "worker-001", now=clock.now(), lease=60) for job_id in ids)

    engine.swap(first, lifecycle.succeeded(first, result={"processed": 10}, now=clock.now()))
    error = JobError(code="action_error", message="ValueError: no")
    engine.swap(second, lifecycle.failed(second, error=error, now=clock.now(), final=True))

    done, failed = map(task_queue.status, ids)
    assert (done.status, done.result, done.error) == ("success", {"processed": 10}, None)
    assert (failed.status, failed.result, failed.error) == ("failed", None, "ValueError: no")


def test_a_task_can_be_cancelled_once(task_queue):
    job_id = enqueued(task_queue)

    assert task_queue.cancel(job_id)
    assert not task_queue.cancel(job_id)
    assert task_queue.status(job_id).status == "cancelled"


def test_a_function_tells_its_own_path(task_queue, bus):
    job = bus.get(task_queue.enqueue(my_function, args=[1, 2]))

    assert job.params["function"] == "tests.core.test_task_queue:my_function"
    assert job.labels["task"] == "my_function"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, InvalidRequest),
        ({"function_path": "os:system"}, InvalidParams),
        ({"function_path": "app.services"}, InvalidParams),
        ({"func": lambda: None}, InvalidParams),
        ({"function_path": "app.services:f", "args": [object()]}, InvalidRequest),
        ({"function_path": "app.services:f", "kwargs": {"a": b"bytes"}}, InvalidRequest),
        ({"function_path": "app.services:f", "kwargs": {5: "a"}}, InvalidRequest),
    ],
)
def test_what_cannot_be_called_is_refused(task_queue, bus, asked, error):
    with pytest.raises(error):
        task_queue.enqueue(**asked)

    assert sum(bus.count().values()) == 0


def test_without_an_allowed_package_nothing_is_taken(bus):
    with pytest.raises(UnknownAction):
        TaskQueue(bus).enqueue(function_path="app.services:f")


@pytest.mark.parametrize("ask", ["status", "cancel"])
def test_a_task_that_was_never_known_is_not_found(task_queue, ask):
    with pytest.raises(JobNotFound):
        getattr(task_queue, ask)(an_id())
