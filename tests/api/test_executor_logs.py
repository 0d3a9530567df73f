"""The log of a task: the bus's own entries, told by its record, between those of its action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import lifecycle
from core.jobs import JobError, LogEntry
from tests.api.stage import Stage
from tests.api.task_stage import TASKS, a_task_stage, create
from tests.factories import NOW


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_task_stage(tmp_path)


def logged(client: FlaskClient, task_id: str, query: str = "") -> dict[str, Any]:
    answer = client.get(f"{TASKS}/{task_id}/logs?{query}")
    assert answer.status_code == 200, answer.json
    return answer.json


def messages(client: FlaskClient, task_id: str, query: str = "") -> list[str]:
    return [entry["message"] for entry in logged(client, task_id, query)["logs"]]


def said(stage: Stage, task_id: str, *messages: str, level: str = "info") -> None:
    entries = [LogEntry(at=stage.clock.now(), level=level, message=message) for message in messages]
    stage.engine.log(task_id, entries)


def test_a_task_that_waits_has_been_created(client: FlaskClient) -> None:
    task_id = create(client, priority=7)

    assert logged(client, task_id) == {
        "logs": [
            {
                "id": f"{task_id}/created",
                "task_id": task_id,
                "timestamp": "2023-11-14T22:13:20+00:00",
                "level": "info",
                "message": "Task created",
                "context": {"source": "bus", "problem_id": "p", "action": "solve_problem", "priority": 7},
            }
        ],
        "total": 1,
    }


def test_the_entries_of_the_bus_stand_before_and_after_those_of_the_action(
    client: FlaskClient, stage: Stage
) -> None:
    task_id = create(client)
    said(stage, task_id, "one", "two")
    stage.succeeded(task_id, {})

    log = logged(client, task_id)

    assert [entry["message"] for entry in log["logs"]] == [
        "Task created",
        "Task started",
        "one",
        "two",
        "Task completed",
    ]
    assert [entry["id"].partition("/")[2] for entry in log["logs"]] == [
        "created",
        "started-1",
        "1",
        "2",
        "ended",
    ]
    assert [entry["context"]["source"] for entry in log["logs"]] == ["bus", "bus", "action", "action", "bus"]
    assert log["logs"][1]["context"] == {"source": "bus", "worker_id": "worker-1", "attempt": 1}
    assert log["total"] == 5


@pytest.mark.parametrize(
    ("code", "level", "message"),
    [("action_error", "error", "Task failed: No."), ("timeout", "error", "Task timed out: No.")],
)
def test_the_end_of_a_task_says_why(
    client: FlaskClient, stage: Stage, code: str, level: str, message: str
) -> None:
    task_id = create(client)
    stage.failed(task_id, code, "No.")

    *_, last = logged(client, task_id)["logs"]

    assert (last["level"], last["message"]) == (level, message)
    assert last["context"] == {"source": "bus", "seconds": 0.0, "code": code}


def test_a_cancelled_task_says_so(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.kernel.bus.cancel(task_id, reason="No longer wanted.")

    assert messages(client, task_id) == ["Task created", "Task cancelled: No longer wanted."]


def test_each_failed_attempt_is_told_once(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    claimed = stage.claimed(task_id)
    error = JobError(code="action_error", message="No.")
    stage.engine.swap(claimed, lifecycle.failed(claimed, error=error, now=NOW, delay=1))
    stage.clock.advance(2)
    waiting = messages(client, task_id)
    stage.failed(task_id, "timeout", "Too slow.")

    ended = messages(client, task_id)

    assert waiting == ["Task created", "Attempt 1 failed: No."]
    assert ended == [*waiting, "Task started", "Task timed out: Too slow."]


def test_a_log_is_narrowed_by_level_however_it_is_spelled(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    said(stage, task_id, "look here", level="warning")

    for level in ("warning", "WARNING"):
        assert messages(client, task_id, f"level={level}") == ["look here"]
    assert logged(client, task_id, "level=warning")["total"] == 1
    assert logged(client, task_id, "level=critical") == {"logs": [], "total": 0}


def test_a_long_log_is_given_in_parts(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.clock.advance(1)
    said(stage, task_id, *(f"line {number}" for number in range(250)))

    usual, part = logged(client, task_id), logged(client, task_id, "limit=2&offset=200")

    assert (len(usual["logs"]), usual["total"]) == (100, 251)
    assert [entry["message"] for entry in part["logs"]] == ["line 199", "line 200"]


def test_a_log_reads_no_result(client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = create(client)
    stage.succeeded(task_id, "large")
    monkeypatch.setattr(stage.kernel.bus, "get", None)  # Whoever read the whole job would fail.

    assert messages(client, task_id)[-1] == "Task completed"
