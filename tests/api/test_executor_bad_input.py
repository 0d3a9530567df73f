"""Bad input in the Task Executor dialect: 4xx, a `detail` that names the field, and nothing queued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query
from tests.api.stage import Stage
from tests.api.task_stage import SEED, TASKS, a_task_stage

#: What is wrong → body, status, and what the answer says beside its detail.
BODIES: dict[str, tuple[bytes, int, dict[str, Any]]] = {
    "empty": (b"", 400, {"code": "empty_body"}),
    "not JSON": (b'{"problem_id": \n p}', 400, {"code": "bad_json", "line": 2, "column": 2}),
    "NaN": (b'{"problem_id":"p","priority":NaN}', 400, {"code": "bad_json"}),
    "1e999": (b'{"problem_id":"p","priority":1e999}', 400, {"code": "number_out_of_range"}),
    "5,000 digits": (b'{"priority":' + b"1" * 5000 + b"}", 400, {"code": "number_out_of_range"}),
    "the same key twice": (b'{"problem_id":"a","problem_id":"b"}', 400, {"code": "duplicate_key"}),
    "10,000 deep": (b'{"parameters":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, {"code": "too_deep"}),
    "a lone surrogate": (rb'{"problem_id":"\ud800"}', 400, {"code": "lone_surrogate"}),
    "UTF-16": ('{"problem_id":"p"}'.encode("utf-16"), 400, {"code": "not_utf8"}),
    "an array": (b"[]", 400, {"code": "must_be_object"}),
    "no problem": (b"{}", 422, {"code": "missing_field", "field": "problem_id"}),
    "the word of another dialect": (
        b'{"action":"fakejob"}',
        422,
        {"code": "unknown_field", "field": "action"},
    ),
    "a zero in a key": (
        rb'{"problem_id":"p","parameters":{"a\u0000":1}}',
        422,
        {"code": "bad_key", "field": "parameters"},
    ),
}

#: What is wrong → the fields that are, the field that the answer names, and its code.
FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    **{
        f"problem_id {given!r:.20}": ({"problem_id": given}, "problem_id", "invalid_request")
        for given in ("", " ", "-a", "_a", "a b", "a/b", "../a", "a\n", "a\x00", "ä", "a.b", "p" * 256)
    },
    **{
        f"problem_id {given!r}": ({"problem_id": given}, "problem_id", "wrong_type")
        for given in (None, 1, 1.5, True, [], {})
    },
    **{
        f"parameters {given!r}": ({"parameters": given}, "parameters", "wrong_type")
        for given in (None, 1, "x", True, [])
    },
    **{
        f"priority {given!r}": ({"priority": given}, "priority", "wrong_type")
        for given in ("5", 5.5, True, [], {})
    },
    **{
        f"{place} {given!r}": (
            {"priority": given} if place == "priority" else {"parameters": {"priority": given}},
            "priority",
            "out_of_range",
        )
        for given in (-1, 10, 10**30)
        for place in ("priority", "priority in the parameters")
    },
    "priority in the parameters '5'": ({"parameters": {"priority": "5"}}, "priority", "wrong_type"),
    "timeout 0": ({"parameters": {"timeout": 0}}, "timeout", "bad_time"),
    "timeout of 8 days": ({"parameters": {"timeout": 8 * 86_400}}, "timeout", "out_of_range"),
    "timeout 'soon'": ({"parameters": {"timeout": "soon"}}, "timeout", "bad_time"),
    "action 7": ({"parameters": {"action": 7}}, "parameters.action", "wrong_type"),
    "action with a path": ({"parameters": {"action": "../x"}}, "action", "bad_name"),
    "an unknown field": ({"timeout": 5}, "timeout", "unknown_field"),
}

#: What is wrong with the parameters → the parameters, and the field that the answer names.
PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "max_steps 0": ({"max_steps": 0}, "parameters.max_steps"),
    "max_steps 1001": ({"max_steps": 1001}, "parameters.max_steps"),
    "max_steps '10'": ({"max_steps": "10"}, "parameters.max_steps"),
    "max_steps 2.5": ({"max_steps": 2.5}, "parameters.max_steps"),
    "max_steps true": ({"max_steps": True}, "parameters.max_steps"),
    "agent_config null": ({"agent_config": None}, "parameters.agent_config"),
    "agent_config 'x'": ({"agent_config": "x"}, "parameters.agent_config"),
    "agent_config []": ({"agent_config": []}, "parameters.agent_config"),
    "a name of 256": ({"agent_config": {"name": "n" * 256}}, "parameters.agent_config.name"),
    "a name 7": ({"agent_config": {"name": 7}}, "parameters.agent_config.name"),
    "a pause of an hour": (
        {"agent_config": {"pause_seconds": 3600}},
        "parameters.agent_config.pause_seconds",
    ),
    "a limit below 0": ({"agent_config": {"limits": {"load": -1}}}, "parameters.agent_config.limits.load"),
    "another action's": ({"action": "fakejob", "delay": 1}, "parameters.delay"),
    "another action's, missing": ({"action": "download_website"}, "parameters.url"),
}

#: What is wrong → the query, and the field that the answer names.
QUERIES: dict[str, tuple[str, str]] = {
    **{
        f"page {given}": (f"page={given}", "page") for given in ("0", "-1", "x", "1.5", "1000001", "9" * 5000)
    },
    **{f"page_size {given}": (f"page_size={given}", "page_size") for given in ("0", "101", "all", "٣")},
    **{f"status {given}": (f"status={given}", "status") for given in ("queued", "PENDING", "1")},
    **{f"sort {given}": (f"sort={given}", "sort") for given in ("id", "+created_at", "-", "--status")},
    "page twice": ("page=1&page=2", "page"),
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_task_stage(tmp_path)


def is_refused(stage: Stage, answer: Any, status: int, **said: Any) -> None:
    assert answer.status_code == status, answer.json
    assert answer.content_type == "application/json"
    assert answer.json.items() >= said.items()
    assert answer.json["detail"]
    assert stage.engine.find(Query()).jobs == ()


@pytest.mark.parametrize("wrong", BODIES)
def test_a_bad_body_is_refused(client: FlaskClient, stage: Stage, wrong: str) -> None:
    body, status, said = BODIES[wrong]

    answer = client.post(TASKS, data=body, content_type="application/json")

    is_refused(stage, answer, status, **said)


@pytest.mark.parametrize("wrong", FIELDS)
def test_a_bad_field_is_refused_by_name(client: FlaskClient, stage: Stage, wrong: str) -> None:
    fields, field, code = FIELDS[wrong]

    answer = client.post(TASKS, json={**SEED, **fields})

    is_refused(stage, answer, 422, field=field, code=code)
    assert answer.json["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize("wrong", PARAMETERS)
def test_bad_parameters_are_refused_by_name(client: FlaskClient, stage: Stage, wrong: str) -> None:
    parameters, field = PARAMETERS[wrong]

    answer = client.post(TASKS, json={**SEED, "parameters": parameters})

    is_refused(stage, answer, 422, code="invalid_params")
    assert [problem["field"] for problem in answer.json["problems"]] == [field]
    assert field in answer.json["detail"]


def test_an_unknown_action_is_refused_and_the_nearest_named(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(TASKS, json={**SEED, "parameters": {"action": "fakejop"}})

    is_refused(stage, answer, 422, code="unknown_action", nearest="fakejob")


def test_a_problem_that_bears_the_name_of_a_broken_action_is_refused(
    client: FlaskClient, stage: Stage
) -> None:
    answer = client.post(TASKS, json={"problem_id": "broken"})

    is_refused(stage, answer, 503, code="broken_action")


@pytest.mark.parametrize("wrong", QUERIES)
def test_a_bad_query_is_refused_by_name(client: FlaskClient, wrong: str) -> None:
    query, field = QUERIES[wrong]

    answer = client.get(f"{TASKS}?{query}")

    assert answer.status_code in (400, 422)
    assert answer.json["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("query", "field"),
    [("level=trace", "level"), ("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset")],
)
def test_a_bad_query_for_a_log_is_refused_by_name(client: FlaskClient, query: str, field: str) -> None:
    task_id = client.post(TASKS, json=SEED).json["id"]

    answer = client.get(f"{TASKS}/{task_id}/logs?{query}")

    assert answer.status_code == 422
    assert answer.json["detail"].startswith(f"{field}: ")


def test_a_body_of_another_type_is_refused(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(TASKS, data=json.dumps(SEED), content_type="text/plain")

    is_refused(stage, answer, 415, code="not_json_type")


def test_a_body_beyond_the_limit_is_refused(stage: Stage) -> None:
    body = json.dumps({**SEED, "parameters": {"x": "y" * 2000}})

    answer = stage.client(max_body=1000).post(TASKS, data=body, content_type="application/json")

    is_refused(stage, answer, 413, code="body_too_large")


def test_another_method_is_refused_with_those_that_are_served(client: FlaskClient) -> None:
    answer = client.delete(f"{TASKS}/stats")

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
