"""Transcripts of the Agent Scheduler dialect, its executions: request → exact JSON."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api import agents
from core import lifecycle
from core.errors import RecordDamaged
from core.executions import AGENT, FUNCTION, SCHEDULED_TASK, TASK
from core.jobs import JobError, State
from core.submission import Submission
from tests.api.stage import Stage
from tests.factories import NOW

EXECUTIONS = "/api/scheduler/executions"
#: An id that no job has.
NOBODYS = "018bcfe5-6800-7000-8000-000000000000"
FIRST, LATER = "2023-11-14T22:13:20+00:00", "2023-11-14T22:13:30+00:00"
DIGEST = {
    AGENT: "email-agent",
    TASK: "digest",
    SCHEDULED_TASK: "email-agent:digest",
    FUNCTION: "app.services.email:send_digest",
}


def run(stage: Stage, labels: dict[str, str] | None = None, **params: Any) -> str:
    """Submit a job as a schedule or another dialect does, and return its id."""
    return stage.kernel.bus.submit(Submission(action="fakejob", params=params, labels=labels or {})).id


def listed(client: FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"{EXECUTIONS}?{query}")
    assert answer.status_code == 200, answer.json
    return [execution["id"] for execution in answer.json]


def test_an_execution_is_told_in_the_words_of_the_seed(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage, DIGEST, delay_seconds=2)
    stage.clock.advance(10)
    stage.succeeded(execution_id, {"status": "success", "processed": 10})

    answer = client.get(f"{EXECUTIONS}/{execution_id}")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "id": execution_id,
            "task_id": execution_id,
            "scheduled_task_id": "email-agent:digest",
            "agent_name": "email-agent",
            "task_name": "digest",
            "status": "success",
            "function_path": "app.services.email:send_digest",
            "args": [],
            "kwargs": {"delay_seconds": 2},
            "result": {"status": "success", "processed": 10},
            "error": None,
            "started_at": LATER,
            "completed_at": LATER,
            "created_at": FIRST,
            "updated_at": LATER,
        },
    )


def test_executions_are_listed_newest_first_in_the_words_of_the_seed(
    client: FlaskClient, stage: Stage
) -> None:
    older, newer = run(stage, delay_seconds=2), run(stage, DIGEST)
    stage.failed(older, "timeout", "It took longer than 60 s.")

    answer = client.get(EXECUTIONS)

    assert (answer.status_code, answer.json) == (
        200,
        [
            {
                "id": newer,
                "task_id": newer,
                "scheduled_task_id": "email-agent:digest",
                "agent_name": "email-agent",
                "task_name": "digest",
                "status": "queued",
                "function_path": "app.services.email:send_digest",
                "args": [],
                "kwargs": {},
                "result": None,
                "error": None,
                "started_at": None,
                "completed_at": None,
                "created_at": FIRST,
                "updated_at": FIRST,
            },
            {
                "id": older,
                "task_id": older,
                "scheduled_task_id": None,
                "agent_name": "aafai-bus",
                "task_name": "fakejob",
                "status": "failed",
                "function_path": "actions.fakejob:run",
                "args": [],
                "kwargs": {"delay_seconds": 2},
                "result": None,
                "error": "It took longer than 60 s.",
                "started_at": FIRST,
                "completed_at": FIRST,
                "created_at": FIRST,
                "updated_at": FIRST,
            },
        ],
    )


def test_no_executions_are_an_empty_list(client: FlaskClient) -> None:
    assert client.get(EXECUTIONS).json == []


def test_a_running_execution_has_started_and_not_completed(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    stage.clock.advance(10)
    stage.claimed(execution_id)

    answer = client.get(f"{EXECUTIONS}/{execution_id}").json

    assert (answer["status"], answer["started_at"], answer["completed_at"]) == ("running", LATER, None)


def test_a_job_that_waits_for_another_attempt_is_queued_and_has_not_failed(
    client: FlaskClient, stage: Stage
) -> None:
    execution_id = run(stage)
    claimed = stage.claimed(execution_id)
    error = JobError(code="action_error", message="Not yet.")
    stage.engine.swap(claimed, lifecycle.failed(claimed, error=error, now=NOW + 10, delay=60))

    answer = client.get(f"{EXECUTIONS}/{execution_id}").json

    assert (answer["status"], answer["error"], answer["updated_at"]) == ("queued", None, LATER)


def test_the_result_is_the_value_itself(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    stage.succeeded(execution_id, [1, "two"])

    assert client.get(f"{EXECUTIONS}/{execution_id}").json["result"] == [1, "two"]


def test_a_waiting_execution_is_cancelled_in_the_words_of_the_seed(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)

    answer = client.post(f"{EXECUTIONS}/{execution_id}/cancel")
    told = client.get(f"{EXECUTIONS}/{execution_id}").json

    assert (answer.status_code, answer.json) == (200, {"message": "Execution cancelled successfully"})
    assert (told["status"], told["error"]) == ("cancelled", "Cancelled on request.")


def test_a_running_execution_is_asked_to_stop_and_runs_until_it_has(
    client: FlaskClient, stage: Stage
) -> None:
    execution_id = run(stage)
    stage.claimed(execution_id)

    answer = client.post(f"{EXECUTIONS}/{execution_id}/cancel")

    assert (answer.status_code, answer.json) == (200, {"message": "Execution cancelled successfully"})
    assert client.get(f"{EXECUTIONS}/{execution_id}").json["status"] == "running"
    assert stage.engine.get(execution_id).cancel_requested


def test_an_ended_execution_cannot_be_cancelled(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    stage.succeeded(execution_id, {})

    answer = client.post(f"{EXECUTIONS}/{execution_id}/cancel")

    assert (answer.status_code, answer.json) == (409, {"detail": "Execution has already ended"})
    assert stage.engine.get(execution_id).state is State.SUCCEEDED


@pytest.mark.parametrize("execution_id", [NOBODYS, "123", "..", "a%5cb", "%0a", "x" * 4096])
def test_an_unknown_execution_is_told_in_the_words_of_the_seed(
    client: FlaskClient, execution_id: str
) -> None:
    one = f"{EXECUTIONS}/{execution_id}"

    answers = client.get(one), client.post(f"{one}/cancel")

    assert [(answer.status_code, answer.json) for answer in answers] == [
        (404, {"detail": "Execution not found"}),
        (404, {"detail": "Execution not found"}),
    ]


def test_an_expired_execution_is_gone(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    stage.succeeded(execution_id, {})
    stage.engine.purge(NOW + 1)

    answer = client.get(f"{EXECUTIONS}/{execution_id}")

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert answer.json["detail"]


def test_executions_are_narrowed_by_agent(client: FlaskClient, stage: Stage) -> None:
    digest, other, unnamed = run(stage, DIGEST), run(stage, {AGENT: "ops"}), run(stage)

    assert listed(client, "agent_name=email-agent") == [digest]
    assert listed(client, "agent_name=ops") == [other]
    assert listed(client, "agent_name=aafai-bus") == [unnamed]
    assert listed(client, "agent_name=nobody") == []
    assert listed(client, "agent_name=") == [unnamed, other, digest]


def test_executions_are_narrowed_by_scheduled_task(client: FlaskClient, stage: Stage) -> None:
    digest, _ = run(stage, DIGEST), run(stage, {AGENT: "email-agent"})

    assert listed(client, "task_id=email-agent:digest") == [digest]
    assert listed(client, "task_id=email-agent:digest&agent_name=ops") == []
    assert listed(client, "task_id=digest") == []


def test_executions_are_narrowed_by_status(client: FlaskClient, stage: Stage) -> None:
    waiting, running, done, failed, cancelled = (run(stage) for _ in range(5))
    stage.claimed(running)
    stage.succeeded(done, {})
    stage.failed(failed, "timeout", "Too slow.")
    stage.kernel.bus.cancel(cancelled)

    statuses = ("queued", "running", "success", "failed", "cancelled")
    found = [listed(client, f"status={status}") for status in statuses]

    assert found == [[waiting], [running], [done], [failed], [cancelled]]


def test_a_part_of_the_list_begins_at_the_offset(client: FlaskClient, stage: Stage) -> None:
    ids = [run(stage, DIGEST if number % 2 else {}) for number in range(8)][::-1]

    assert listed(client, "limit=3") == ids[:3]
    assert listed(client, "limit=3&offset=2") == ids[2:5]
    assert listed(client, "limit=3&offset=7") == ids[7:]
    assert listed(client, "offset=8") == []
    assert listed(client, "limit=2&offset=1&agent_name=email-agent") == ids[::2][1:3]
    assert listed(client, "limit=2&offset=1&agent_name=aafai-bus") == ids[1::2][1:3]


def test_a_list_shows_fifty_executions_unless_told_otherwise(client: FlaskClient) -> None:
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 201})

    assert len(listed(client)) == 50
    assert len(listed(client, "limit=200")) == 200


def test_an_offset_beyond_a_page_of_the_engine_is_reached(client: FlaskClient, stage: Stage) -> None:
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 1000})
    newer = listed(client, "limit=5&offset=900")
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 1000})

    assert listed(client, "limit=5&offset=1900") == newer


@pytest.mark.parametrize("size", [20, 100])
def test_what_is_beyond_the_room_is_left_out_and_marked(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(agents, "MOST_TOLD", 70)
    large, fitting = run(stage, delay_seconds=5), run(stage)
    stage.succeeded(large, {"text": "x" * size})
    stage.succeeded(fitting, {"text": "x"})

    first, second = client.get(EXECUTIONS).json

    assert (first["id"], first["result"], "result_left_out" in first) == (fitting, {"text": "x"}, False)
    assert (second["id"], second["kwargs"], second["result"], second["result_left_out"]) == (
        large,
        {},
        None,
        True,
    )


def test_a_record_that_is_gone_or_damaged_costs_the_others_nothing(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, damaged, purged = run(stage), run(stage), run(stage)
    for execution_id in (whole, damaged, purged):
        stage.succeeded(execution_id, {"n": 1})
    shown = stage.engine.find

    def find(query: Any) -> Any:
        """List the jobs before two of them are lost."""
        page = shown(query)
        stage.engine._forget(stage.engine._jobs[purged])
        return page

    def get(job_id: str) -> Any:
        if job_id == damaged:
            raise RecordDamaged(job_id, "not JSON")
        return read(job_id)

    read = stage.engine.get
    monkeypatch.setattr(stage.engine, "find", find)
    monkeypatch.setattr(stage.engine, "get", get)

    rows = client.get(EXECUTIONS).json

    assert [(row["id"], row["result"], row["error"]) for row in rows] == [
        (damaged, None, f"The record of job {damaged} is damaged: not JSON"),
        (whole, {"n": 1}, None),
    ]


def test_a_secret_among_the_kwargs_is_masked(stage: Stage) -> None:
    text = "def run(user: str, password: str) -> dict:\n    return {}\n"
    (stage.folder / "actions" / "login.py").write_text(text)
    stage.kernel.registry.load()
    client = stage.client()
    params = {"user": "anne", "password": "s3cr3t"}
    execution_id = stage.kernel.bus.submit(Submission(action="login", params=params)).id

    (shown,) = client.get(EXECUTIONS).json

    assert shown["kwargs"] == {"user": "anne", "password": "***"}
    assert client.get(f"{EXECUTIONS}/{execution_id}").json == shown
