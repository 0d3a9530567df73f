"""Transcripts of the Task Executor dialect: request → exact JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.executor import TaskDefaults
from core import lifecycle
from core.ids import JOB_ID
from core.jobs import JobError
from tests.api.stage import Stage
from tests.api.task_stage import SEED, TASKS, a_task_stage, create
from tests.factories import NOW
from tests.fakes import FakeClock

AT = "2023-11-14T22:13:20+00:00"
UNKNOWN = "018bcfe5-6800-7000-94aa-c033ffd82f6c"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_task_stage(tmp_path)


def seen(client: FlaskClient, task_id: str) -> dict[str, Any]:
    answer = client.get(f"{TASKS}/{task_id}")
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_task_is_created_in_the_words_of_the_seed(client: FlaskClient) -> None:
    answer = client.post(TASKS, json=SEED)

    task_id = answer.json["id"]
    assert (answer.status_code, answer.json) == (
        201,
        {
            "id": task_id,
            "problem_id": "test-problem-001",
            "status": "pending",
            "parameters": {"max_steps": 10, "agent_config": {"name": "test-agent"}},
            "priority": 5,
            "worker_id": None,
            "result": None,
            "error_details": None,
            "created_at": AT,
            "updated_at": AT,
            "started_at": None,
            "completed_at": None,
        },
    )
    assert JOB_ID.fullmatch(task_id)
    assert answer.headers["Location"] == f"{TASKS}/{task_id}"


def test_a_task_is_told_as_it_was_created(client: FlaskClient) -> None:
    created = client.post(TASKS, json=SEED)

    answer = client.get(f"{TASKS}/{created.json['id']}")

    assert (answer.status_code, answer.json) == (200, created.json)


def test_a_running_task_names_its_worker(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.progressed(task_id, 0.5, "step 3")
    stage.clock.advance(2)

    task = seen(client, task_id)

    assert (task["status"], task["worker_id"], task["started_at"], task["updated_at"]) == (
        "running",
        "worker-1",
        AT,
        AT,
    )


def test_a_completed_task_gives_its_result_and_counts_as_read(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.clock.advance(1)
    stage.succeeded(task_id, {"verdict": "healthy", "grüße": "🚌"})

    task = seen(client, task_id)

    later = "2023-11-14T22:13:21+00:00"
    assert (task["status"], task["result"]) == ("completed", {"verdict": "healthy", "grüße": "🚌"})
    assert (task["created_at"], task["updated_at"], task["completed_at"]) == (AT, later, later)
    assert stage.kernel.deliveries.unread() == {}


@pytest.mark.parametrize(("code", "status"), [("action_error", "failed"), ("timeout", "timeout")])
def test_a_dead_letter_says_why_and_a_timeout_is_one_of_its_own(
    client: FlaskClient, stage: Stage, code: str, status: str
) -> None:
    task_id = create(client)
    stage.failed(task_id, code, "It went wrong.")

    task = seen(client, task_id)

    assert (task["status"], task["result"]) == (status, None)
    assert task["error_details"] == {"code": code, "message": "It went wrong.", "attempt": 1, "at": AT}


def test_a_task_that_waits_for_another_attempt_is_pending_and_says_why(
    client: FlaskClient, stage: Stage
) -> None:
    task_id = create(client)
    claimed = stage.claimed(task_id)
    stage.clock.advance(5)
    error = JobError(code="timeout", message="Too slow.")
    stage.engine.swap(claimed, lifecycle.failed(claimed, error=error, now=NOW + 5, delay=60))

    task = seen(client, task_id)

    assert (task["status"], task["error_details"]["message"]) == ("pending", "Too slow.")
    assert task["updated_at"] == "2023-11-14T22:13:25+00:00"


def test_the_task_goes_to_the_usual_action_as_it_is(client: FlaskClient, stage: Stage) -> None:
    job = stage.engine.get(create(client, **SEED))

    assert (job.action, job.labels) == ("solve_problem", {"problem_id": "test-problem-001"})
    assert job.params == {
        "problem_id": "test-problem-001",
        "parameters": SEED["parameters"],
        "max_steps": 30,
    }


def test_the_settings_say_what_holds_for_tasks_that_do_not(stage: Stage) -> None:
    patient = stage.client(tasks=TaskDefaults(max_steps=7))
    idle = stage.client(tasks=TaskDefaults(action="fakejob"))

    assert stage.engine.get(create(patient)).params["max_steps"] == 7
    assert stage.engine.get(create(idle)).action == "fakejob"


def test_parameters_that_the_action_does_not_know_come_back_as_they_were_sent(client: FlaskClient) -> None:
    parameters = {"max_steps": 5, "task_number": 1, "agent_config": {"name": "x", "version": "1.0"}}

    task_id = create(client, parameters=parameters)

    assert seen(client, task_id)["parameters"] == parameters


@pytest.mark.parametrize(
    ("problem", "parameters", "runs"),
    [
        ("fakejob", {"delay_seconds": 2}, ("fakejob", {"delay_seconds": 2})),
        ("p-1", {"action": "fakejob", "delay_seconds": 2}, ("fakejob", {"delay_seconds": 2})),
        ("fakejob", {"action": "download_website", "url": "u"}, ("download_website", {"url": "u"})),
        ("p-1", {"action": "fakejob", "priority": 9, "timeout": 60}, ("fakejob", {})),
    ],
)
def test_a_task_may_name_its_action(
    client: FlaskClient, stage: Stage, problem: str, parameters: dict[str, Any], runs: Any
) -> None:
    task_id = create(client, problem_id=problem, parameters=parameters)

    job = stage.engine.get(task_id)
    assert (job.action, job.params) == runs
    assert (seen(client, task_id)["problem_id"], seen(client, task_id)["parameters"]) == (problem, parameters)


@pytest.mark.parametrize(
    ("fields", "priority"),
    [
        ({}, 5),
        ({"priority": None}, 5),
        ({"priority": 0}, 0),
        ({"priority": 9.0}, 9),
        ({"parameters": {"priority": 7}}, 7),
        ({"priority": 1, "parameters": {"priority": 7}}, 7),
    ],
)
def test_the_priority_stands_at_the_top_or_in_the_parameters(
    client: FlaskClient, fields: dict[str, Any], priority: int
) -> None:
    assert seen(client, create(client, **fields))["priority"] == priority


def test_an_attempt_may_take_what_the_settings_say_or_the_parameters(
    client: FlaskClient, stage: Stage
) -> None:
    usual, short = create(client), create(client, parameters={"timeout": 90})

    assert stage.engine.get(usual).timeout == 600
    assert stage.engine.get(short).timeout == 90
    assert seen(client, short)["parameters"] == {"timeout": 90}


def test_a_job_that_came_by_another_door_is_a_task_too(client: FlaskClient) -> None:
    submitted = client.post("/inbound", json={"action": "fakejob", "params": {"delay_seconds": 2}})

    task = seen(client, submitted.json["job_id"])

    assert (task["problem_id"], task["parameters"]) == ("fakejob", {"delay_seconds": 2})


def test_a_task_that_has_not_changed_is_not_told_again(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = create(client)
    first = client.get(f"{TASKS}/{task_id}")
    monkeypatch.setattr(stage.kernel.bus, "get", None)  # Whoever read the whole job would fail.

    again = client.get(f"{TASKS}/{task_id}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_task_that_has_changed_is_told_under_another_tag(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    tag = client.get(f"{TASKS}/{task_id}").headers["ETag"]
    stage.succeeded(task_id, {})

    again = client.get(f"{TASKS}/{task_id}", headers={"If-None-Match": tag})

    assert (again.status_code, again.json["status"]) == (200, "completed")


@pytest.mark.parametrize("task_id", ["7", "no-such-task", "%2e%2e", "x" * 5000, UNKNOWN])
@pytest.mark.parametrize("path", ["", "/logs"])
def test_an_unknown_task_is_not_found(client: FlaskClient, task_id: str, path: str) -> None:
    answer = client.get(f"{TASKS}/{task_id}{path}")

    told = task_id.replace("%2e", ".")
    assert (answer.status_code, answer.json) == (404, {"detail": f"Task {told} not found"})


def test_a_task_that_has_expired_is_gone(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.succeeded(task_id, {})
    stage.engine.purge(NOW + 1)

    answer = client.get(f"{TASKS}/{task_id}")

    assert (answer.status_code, answer.json) == (410, {"detail": f"Task {task_id} has expired"})


@pytest.mark.parametrize("method", ["put", "post"])
def test_a_waiting_task_is_cancelled_at_once(client: FlaskClient, method: str) -> None:
    task_id = create(client)

    answer = getattr(client, method)(f"{TASKS}/{task_id}/cancel")

    assert (answer.status_code, answer.json["id"], answer.json["status"]) == (200, task_id, "cancelled")
    assert answer.json["error_details"] == {
        "code": "cancelled",
        "message": "Cancelled on request.",
        "attempt": 0,
        "at": AT,
    }


def test_a_running_task_is_running_until_its_process_is_gone(tmp_path: Path) -> None:
    stage = a_task_stage(tmp_path, clock=FakeClock())
    client = stage.client()
    task_id = create(client)
    stage.claimed(task_id)

    answer = client.put(f"{TASKS}/{task_id}/cancel")

    assert (answer.status_code, answer.json["status"]) == (200, "running")
    assert stage.engine.get(task_id).cancel_requested


def test_the_answer_to_a_cancellation_waits_a_moment_for_the_end(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = create(client)
    stage.claimed(task_id)

    def end_meanwhile(event: object, timeout: float) -> bool:
        job = stage.engine.get(task_id)
        stage.engine.swap(job, lifecycle.cancelled(job, now=NOW))
        return True

    monkeypatch.setattr(stage.clock, "wait", end_meanwhile)

    assert client.post(f"{TASKS}/{task_id}/cancel").json["status"] == "cancelled"


@pytest.mark.parametrize("method", ["put", "post"])
@pytest.mark.parametrize("task_id", ["7", UNKNOWN])
def test_an_unknown_task_cannot_be_cancelled(client: FlaskClient, method: str, task_id: str) -> None:
    answer = getattr(client, method)(f"{TASKS}/{task_id}/cancel")

    assert (answer.status_code, answer.json) == (400, {"detail": f"Task {task_id} not found"})


def test_an_ended_task_cannot_be_cancelled(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.succeeded(task_id, {})

    answer = client.put(f"{TASKS}/{task_id}/cancel")

    assert (answer.status_code, answer.json) == (400, {"detail": f"Task {task_id} has already ended"})


def test_the_same_key_makes_the_same_task(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k1"}

    first, second = (client.post(TASKS, json=SEED, headers=headers) for _ in range(2))
    other = client.post(TASKS, json={**SEED, "problem_id": "another"}, headers=headers)

    assert (second.status_code, second.json["id"]) == (201, first.json["id"])
    assert (other.status_code, other.json["job_id"]) == (409, first.json["id"])


def test_the_same_key_for_another_problem_is_a_conflict_though_the_job_would_be_the_same(
    client: FlaskClient,
) -> None:
    headers = {"Idempotency-Key": "k1"}
    parameters = {"action": "fakejob"}

    client.post(TASKS, json={"problem_id": "a", "parameters": parameters}, headers=headers)
    other = client.post(TASKS, json={"problem_id": "b", "parameters": parameters}, headers=headers)

    assert (other.status_code, other.json["code"]) == (409, "idempotency_conflict")


def test_parameters_that_are_the_actions_own_say_nothing_to_the_bus(
    client: FlaskClient, stage: Stage
) -> None:
    (stage.folder / "actions" / "odd.py").write_text(
        "def run(priority: str, timeout: str) -> dict:\n    ...\n"
    )
    stage.kernel.registry.load()
    parameters = {"priority": "high", "timeout": "never"}

    task_id = create(client, problem_id="odd", parameters=parameters)

    assert stage.engine.get(task_id).params == parameters
    assert (seen(client, task_id)["parameters"], seen(client, task_id)["priority"]) == (parameters, 5)
