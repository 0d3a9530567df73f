"""Transcripts of the Agent Scheduler's tasks: request → exact JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import g
from flask.testing import FlaskClient

from api.callers import Caller
from api.server import build_app
from core.due_runs import DueRuns
from core.functions import Functions, built_in
from core.schedule_store import MemorySchedules
from core.schedules import Schedules
from tests.api.stage import Stage, a_stage
from tests.fakes import FakeClock

PATH = "/api/scheduler/tasks"
TASK: dict[str, Any] = {
    "agent_name": "email-agent",
    "task_name": "daily_report",
    "description": "Generate daily report at 9 AM",
    "enabled": True,
    "schedule": "0 9 * * *",
    "task_type": "cron",
    "function_path": "app.services.report_service:generate_report_task",
    "args": [],
    "kwargs": {"pages": 2},
}
VIEW: dict[str, Any] = {
    "id": "email-agent:daily_report",
    **TASK,
    "action": None,
    "params": {},
    "timezone": "UTC",
    "catch_up": "once",
    "catch_up_window": 86_400.0,
    "priority": 5,
    "timeout": None,
    "max_attempts": None,
    "created_at": "2023-11-14T22:13:20+00:00",
    "updated_at": "2023-11-14T22:13:20+00:00",
    "next_run": "2023-11-15T09:00:00+00:00",
    "last_run": None,
    "last_status": None,
    "last_execution_id": None,
    "problem": None,
}
ACTION: dict[str, Any] = {
    "agent_name": "reports",
    "task_name": "often",
    "schedule": "5 minutes",
    "task_type": "interval",
    "action": "fakejob",
    "params": {"delay_seconds": 2},
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    services = tmp_path / "mine" / "app" / "services"
    services.mkdir(parents=True)
    for package in (services.parent, services):
        (package / "__init__.py").touch()
    (services / "report_service.py").write_text("def generate_report_task(pages): ...\n")
    functions = Functions(["app"], tmp_path / "mine")
    stage = a_stage(tmp_path, clock=FakeClock())
    stage.kernel.registry._built_in = built_in(functions)
    stage.kernel.registry.load()
    schedules = Schedules(MemorySchedules(), stage.kernel.bus.admission, functions, stage.clock)
    return replace(stage, kernel=replace(stage.kernel, schedules=schedules))


@pytest.fixture
def due_runs(stage: Stage) -> DueRuns:
    kernel = stage.kernel
    assert kernel.schedules is not None
    return DueRuns(kernel.schedules, kernel.bus, kernel.bus.events, stage.clock)


def created(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={**ACTION, **fields})
    assert answer.status_code == 200, answer.json
    return answer.json  # type: ignore[no-any-return]


def test_a_task_is_registered_and_told_as_it_is(client: FlaskClient) -> None:
    answer = client.post(PATH, json=TASK)

    assert (answer.status_code, answer.json) == (200, VIEW)


def test_a_task_may_run_an_action_and_say_everything(client: FlaskClient) -> None:
    more = {
        "timezone": "Europe/Berlin",
        "catch_up": "all",
        "catch_up_window": "2 days",
        "priority": 9,
        "timeout": "10m",
        "max_attempts": 2,
        "enabled": False,
        "schedule": "0 9 * * 1-5",
        "task_type": "cron",
        "description": None,
    }

    view = created(client, **more)

    assert (view["function_path"], view["action"], view["params"]) == (None, "fakejob", {"delay_seconds": 2})
    assert (view["timezone"], view["catch_up"], view["catch_up_window"]) == (
        "Europe/Berlin",
        "all",
        172_800.0,
    )
    assert (view["priority"], view["timeout"], view["max_attempts"]) == (9, 600.0, 2)
    assert (view["enabled"], view["next_run"], view["description"]) == (False, None, "")


def test_the_keys_of_a_task_begin_with_those_of_the_seed(client: FlaskClient) -> None:
    view = created(client)

    seed = ["id", "agent_name", "task_name", "schedule", "task_type", "description", "enabled"]
    assert [name for name in view if name in seed] == seed
    assert {"function_path", "args", "kwargs", "created_at", "updated_at"} <= view.keys()


def test_creating_a_task_again_changes_the_one_that_is_there(client: FlaskClient, stage: Stage) -> None:
    created(client)
    stage.clock.advance(60)

    again = created(client, schedule="10 minutes")

    assert len(client.get(PATH).json) == 1
    assert (again["created_at"], again["updated_at"]) == (
        "2023-11-14T22:13:20+00:00",
        "2023-11-14T22:14:20+00:00",
    )


def test_tasks_are_listed_all_or_those_of_an_agent(client: FlaskClient) -> None:
    client.post(PATH, json=TASK)
    created(client)

    every = [task["id"] for task in client.get(PATH).json]
    of_one = [task["id"] for task in client.get(f"{PATH}?agent_name=reports").json]

    assert every == ["email-agent:daily_report", "reports:often"]
    assert of_one == ["reports:often"]
    assert client.get(f"{PATH}?agent_name=nobody").json == []


def test_a_task_is_found_under_its_id_with_the_colon_in_the_path(client: FlaskClient) -> None:
    client.post(PATH, json=TASK)

    for path in (f"{PATH}/email-agent:daily_report", f"{PATH}/email-agent%3Adaily_report"):
        assert client.get(path).json == VIEW


def test_a_task_is_deleted(client: FlaskClient) -> None:
    created(client)

    answer = client.delete(f"{PATH}/reports:often")

    assert (answer.status_code, answer.json) == (200, {"message": "Task deleted successfully"})
    assert client.get(f"{PATH}/reports:often").status_code == 404


def test_a_task_is_disabled_and_enabled(client: FlaskClient) -> None:
    created(client)

    off = client.post(f"{PATH}/reports:often/disable")
    resting = client.get(f"{PATH}/reports:often").json
    on = client.post(f"{PATH}/reports:often/enable")

    assert (off.status_code, off.json) == (200, {"message": "Task disabled successfully"})
    assert (resting["enabled"], resting["next_run"]) == (False, None)
    assert (on.status_code, on.json) == (200, {"message": "Task enabled successfully"})
    assert client.get(f"{PATH}/reports:often").json["enabled"]


@pytest.mark.parametrize(
    "task_id", ["reports:none", "none", ":", "a:b:c", "..%2F..%2Fetc", "%00:a", "x" * 3000]
)
@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable")]
)
def test_a_task_that_is_not_there_is_not_found(
    client: FlaskClient, method: str, end: str, task_id: str
) -> None:
    answer = client.open(f"{PATH}/{task_id}{end}", method=method)

    assert answer.status_code == 404
    assert answer.json["detail" if "%2F" not in task_id else "message"]
    if "%2F" not in task_id:
        assert answer.json == {"detail": "Task not found"}


def test_the_last_run_and_how_it_went_are_told(client: FlaskClient, stage: Stage, due_runs: DueRuns) -> None:
    created(client)
    stage.clock.advance(300)
    due_runs.round()

    waiting = client.get(f"{PATH}/reports:often").json
    stage.succeeded(waiting["last_execution_id"], {"waited": 2})
    ended = client.get(f"{PATH}/reports:often").json

    assert (waiting["last_run"], waiting["last_status"]) == ("2023-11-14T22:18:20+00:00", "queued")
    assert ended["last_status"] == "success"
    assert ended["next_run"] == "2023-11-14T22:23:20+00:00"


def test_how_a_run_went_whose_record_is_no_more_is_unknown(
    client: FlaskClient, stage: Stage, due_runs: DueRuns
) -> None:
    created(client)
    stage.clock.advance(300)
    due_runs.round()
    job_id = client.get(f"{PATH}/reports:often").json["last_execution_id"]
    stage.succeeded(job_id, {})

    stage.kernel.bus.purge(stage.clock.now() + 1)

    view = client.get(f"{PATH}/reports:often").json
    assert (view["last_status"], view["last_execution_id"]) == (None, job_id)


def test_why_a_run_cannot_be_started_is_told(client: FlaskClient, stage: Stage, due_runs: DueRuns) -> None:
    created(client)
    (stage.folder / "actions" / "fakejob.py").unlink()
    stage.kernel.registry.load()

    stage.clock.advance(300)
    due_runs.round()

    assert client.get(f"{PATH}/reports:often").json["problem"] == "There is no action named 'fakejob'."


BAD: list[tuple[dict[str, Any], int, str, str]] = [
    ({"agent_name": None}, 400, "missing_field", "agent_name: is missing."),
    ({"task_name": None}, 400, "missing_field", "task_name: is missing."),
    ({"schedule": None}, 400, "missing_field", "schedule: is missing."),
    ({"action": None}, 400, "missing_field", "function_path: is missing, and so is action"),
    ({"action": "", "params": None}, 400, "missing_field", "function_path: is missing, and so is action"),
    ({"agent_name": 5}, 400, "wrong_type", "agent_name: must be a string."),
    ({"agent_name": "../x"}, 422, "bad_schedule", "agent_name: must be 1 to 100 letters"),
    ({"agent_name": "a:b"}, 422, "bad_schedule", "agent_name: must be 1 to 100 letters"),
    ({"task_name": "x" * 101}, 422, "bad_schedule", "task_name: must be 1 to 100 letters"),
    ({"description": ["x"]}, 400, "wrong_type", "description: must be a string."),
    ({"description": "x" * 1_001}, 400, "out_of_range", "description: must be at most 1,000 characters."),
    ({"enabled": "yes"}, 400, "wrong_type", "enabled: must be true or false."),
    ({"schedule": 5}, 400, "wrong_type", "schedule: must be a string."),
    ({"schedule": "every day"}, 422, "bad_schedule", "schedule: 'every day' is no interval"),
    (
        {"schedule": "0 9 * *", "task_type": "cron"},
        422,
        "bad_schedule",
        "schedule: '0 9 * *' does not have five",
    ),
    ({"schedule": "0 9 * * 8", "task_type": "cron"}, 422, "bad_schedule", "look at its day of the week"),
    ({"task_type": "never"}, 422, "bad_schedule", "task_type: must be one of cron, interval."),
    ({"task_type": 5}, 400, "wrong_type", "task_type: must be a string."),
    ({"action": "Fakejob"}, 400, "bad_name", "action: must match"),
    ({"action": "nothing"}, 422, "unknown_action", "There is no action named 'nothing'."),
    ({"action": "broken"}, 503, "broken_action", "could not be loaded"),
    ({"params": {"delay": 2}}, 422, "invalid_params", "params.delay: is no param"),
    ({"params": [2]}, 400, "wrong_type", "params: must be an object."),
    ({"args": [1]}, 422, "bad_schedule", "args: goes with function_path"),
    ({"args": {}}, 400, "wrong_type", "args: must be a list."),
    ({"kwargs": []}, 400, "wrong_type", "kwargs: must be an object."),
    ({"function_path": "app.x:f"}, 422, "bad_schedule", "action: stands beside function_path"),
    ({"function_path": 5}, 400, "wrong_type", "function_path: must be a string."),
    (
        {"action": None, "params": None, "function_path": "os:system"},
        422,
        "bad_schedule",
        "function_path: names a package that is not allowed",
    ),
    (
        {"action": None, "params": None, "function_path": "app.services.report_service:nope"},
        422,
        "bad_schedule",
        "function_path: names nope",
    ),
    ({"timezone": "Mars"}, 422, "bad_schedule", "timezone: 'Mars' is no time zone"),
    ({"timezone": 1}, 400, "wrong_type", "timezone: must be a string."),
    ({"catch_up": "twice"}, 422, "bad_schedule", "catch_up: must be one of skip, once, all."),
    ({"catch_up": True}, 400, "wrong_type", "catch_up: must be a string."),
    ({"catch_up_window": "never"}, 400, "bad_time", "catch_up_window: 'never' is no duration"),
    ({"catch_up_window": []}, 400, "wrong_type", "catch_up_window: must be a duration"),
    ({"catch_up_window": True}, 400, "wrong_type", "catch_up_window: must be a duration"),
    ({"priority": 10}, 400, "out_of_range", "priority: must be from 0 to 9."),
    ({"timeout": 0}, 400, "bad_time", "timeout: "),
    ({"max_attempts": 0}, 400, "out_of_range", "max_attempts: must be from 1 to 100."),
    ({"owner": "me"}, 400, "unknown_field", "owner: is not a field of this request."),
    ({"id": "x:y"}, 400, "unknown_field", "id: is not a field of this request."),
    ({"next_run": 5}, 400, "unknown_field", "next_run: is not a field of this request."),
]


@pytest.mark.parametrize(("fields", "status", "code", "said"), BAD, ids=lambda value: str(value)[:40])
def test_a_task_that_could_not_run_is_refused_with_its_field(
    client: FlaskClient, fields: dict[str, Any], status: int, code: str, said: str
) -> None:
    answer = client.post(PATH, json={**ACTION, **fields})

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert said in answer.json["detail"]
    assert client.get(PATH).json == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"agent_name": NaN}', "application/json", 400),
        (b'{"agent_name": "a", "agent_name": "b"}', "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"agent_name=a", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    client: FlaskClient, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post(PATH, data=body, content_type=content_type)

    assert answer.status_code == status
    assert answer.json["detail"]


def as_caller(stage: Stage, **fields: Any) -> FlaskClient:
    """Return a client whose every request comes from that caller."""
    app = build_app(stage.kernel)
    app.before_request(lambda: setattr(g, "caller", Caller(**fields)))
    return app.test_client()


def test_a_caller_who_sees_the_own_jobs_only_sees_the_own_tasks_only(stage: Stage, due_runs: DueRuns) -> None:
    alice = as_caller(stage, name="alice", own_jobs_only=True)
    bob = as_caller(stage, name="bob", own_jobs_only=True)
    created(alice)

    assert bob.get(PATH).json == []
    for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable")):
        assert bob.open(f"{PATH}/reports:often{end}", method=method).status_code == 404
    assert bob.post(PATH, json=ACTION).status_code == 404
    assert len(alice.get(PATH).json) == 1


def test_the_runs_of_a_task_are_the_jobs_of_who_registered_it(stage: Stage, due_runs: DueRuns) -> None:
    alice = as_caller(stage, name="alice", own_jobs_only=True)
    created(alice)

    stage.clock.advance(300)
    due_runs.round()

    job_id = alice.get(f"{PATH}/reports:often").json["last_execution_id"]
    assert stage.engine.get(job_id).labels["owner"] == "alice"


def test_a_caller_cannot_schedule_an_action_that_the_token_does_not_allow(stage: Stage) -> None:
    caller = as_caller(stage, name="alice", actions=frozenset({"download_website"}))

    refused = caller.post(PATH, json=ACTION)
    by_function = caller.post(PATH, json=TASK)

    assert (refused.status_code, refused.json["code"]) == (403, "action_not_allowed")
    assert (by_function.status_code, by_function.json["code"]) == (403, "action_not_allowed")


def test_what_an_action_calls_a_secret_by_its_type_is_never_shown(client: FlaskClient, stage: Stage) -> None:
    (stage.folder / "actions" / "typed.py").write_text(
        "from pydantic import SecretStr\n\ndef run(word: SecretStr, more: dict = {}) -> dict: ...\n"
    )
    stage.kernel.registry.load()
    params = {"word": "s3cr3t-word", "more": {"password": "s3cr3t-word", "a": 1}}

    created(client, action="typed", params=params)
    answers = [client.get(PATH), client.get(f"{PATH}/reports:often")]
    refused = client.post(PATH, json={**ACTION, "action": "typed", "params": {"word": "***"}})

    assert answers[1].json["params"] == {"word": "***", "more": {"password": "***", "a": 1}}
    assert not any("s3cr3t-word" in answer.text for answer in answers)
    assert (refused.status_code, refused.json["field"]) == (400, "params")


def test_what_an_action_that_is_gone_is_called_with_is_not_shown(client: FlaskClient, stage: Stage) -> None:
    created(client)
    (stage.folder / "actions" / "fakejob.py").unlink()
    stage.kernel.registry.load()

    assert client.get(f"{PATH}/reports:often").json["params"] == {"delay_seconds": "***"}


def test_secrets_that_a_function_is_called_with_are_stored_but_never_shown(client: FlaskClient) -> None:
    task = {**TASK, "kwargs": {"pages": 2, "api_key": "hunter2hunter2"}}

    answers = [client.post(PATH, json=task), client.get(PATH), client.get(f"{PATH}/{VIEW['id']}")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json["kwargs"] == {"pages": 2, "api_key": "***"}
    assert not [answer for answer in answers if "hunter2" in answer.text]


def test_a_task_that_is_sent_as_it_was_shown_is_refused(client: FlaskClient) -> None:
    answer = client.post(PATH, json={**TASK, "kwargs": {"api_key": "***"}})

    assert (answer.status_code, answer.json["field"]) == (400, "kwargs")


def test_a_bus_without_schedules_has_no_such_path(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    client = build_app(replace(stage.kernel, schedules=None)).test_client()

    assert client.get(PATH).status_code == 404
