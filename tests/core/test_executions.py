"""Any job is the run of an agent's task; labels say of which."""

from __future__ import annotations

import pytest

from core.executions import AGENT, FUNCTION, SCHEDULED_TASK, TASK, execution_of
from core.jobs import JobError, Progress, State
from queues.record import summary_of
from tests.factories import NOW, a_job


def test_labels_say_whose_task_a_job_runs() -> None:
    labels = {AGENT: "ops", TASK: "sweep", SCHEDULED_TASK: "ops:sweep", FUNCTION: "ops.tasks:sweep"}

    run = execution_of(a_job(labels=labels))

    assert (run.agent_name, run.task_name, run.scheduled_task_id, run.function_path) == (
        "ops",
        "sweep",
        "ops:sweep",
        "ops.tasks:sweep",
    )


def test_a_job_without_labels_runs_a_task_of_the_bus_named_as_its_action() -> None:
    run = execution_of(a_job(action="fakejob"))

    assert (run.agent_name, run.task_name, run.scheduled_task_id, run.function_path) == (
        "aafai-bus",
        "fakejob",
        None,
        "actions.fakejob:run",
    )


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        (State.QUEUED, "queued", None),
        (State.RUNNING, "running", None),
        (State.SUCCEEDED, "success", None),
        (State.FAILED, "failed", "Too slow."),
        (State.CANCELLED, "cancelled", "Too slow."),
    ],
)
def test_only_a_run_that_failed_or_was_cancelled_has_an_error(
    state: State, status: str, error: str | None
) -> None:
    run = execution_of(a_job(state=state, error=JobError(code="timeout", message="Too slow.")))

    assert (run.status, run.error) == (status, error)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 0),
        ({"started_at": NOW + 1}, 1),
        ({"started_at": NOW + 1, "progress": Progress(at=NOW + 5)}, 5),
        ({"error": JobError(code="lost", message="Gone.", at=NOW + 3)}, 3),
        ({"started_at": NOW + 1, "ended_at": NOW + 9}, 9),
    ],
)
def test_a_run_was_updated_when_its_job_last_changed(fields: dict[str, object], seconds: float) -> None:
    assert execution_of(a_job(**fields)).updated_at == NOW + seconds


def test_a_summary_makes_a_run_without_kwargs_and_result() -> None:
    job = a_job(state=State.SUCCEEDED, params={"n": 1}, result=2)

    whole, short = execution_of(job), execution_of(summary_of(job))

    assert (whole.kwargs, whole.result) == ({"n": 1}, 2)
    assert (short.id, short.status, short.kwargs, short.result) == (job.id, "success", {}, None)
