"""Bad input in the Robotni dialect: 4xx, a `detail` that says what is wrong where, and nothing queued."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query
from tests.api.stage import Stage
from tests.api.test_robotni import JOBS, submit

VALID = b'{"type":"fakejob"}'
WRONG_TYPES: list[Any] = [3, 2.5, True, [], {}, None]

#: What is wrong → body, status, and what the answer says beside its detail.
BODIES: dict[str, tuple[bytes, int, dict[str, Any]]] = {
    "empty": (b"", 400, {"code": "empty_body"}),
    "not JSON": (b'{"type": \n fakejob}', 400, {"code": "bad_json", "line": 2, "column": 2}),
    "NaN": (b'{"type":"fakejob","params":{"delay_seconds":NaN}}', 400, {"code": "bad_json"}),
    "1e999": (
        b'{"type":"fakejob","params":{"delay_seconds":1e999}}',
        400,
        {"code": "number_out_of_range"},
    ),
    "5,000 digits": (b'{"params":' + b"1" * 5000 + b"}", 400, {"code": "number_out_of_range"}),
    "the same key twice": (b'{"type":"a","type":"b"}', 400, {"code": "duplicate_key"}),
    "10,000 deep": (b'{"params":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, {"code": "too_deep"}),
    "a lone surrogate": (rb'{"type":"\ud800"}', 400, {"code": "lone_surrogate"}),
    "UTF-16": ('{"type":"fakejob"}'.encode("utf-16"), 400, {"code": "not_utf8"}),
    "an array": (b"[]", 400, {"code": "must_be_object"}),
    "no type": (b"{}", 400, {"code": "missing_field", "field": "type"}),
    "the word of another dialect": (
        b'{"action":"fakejob"}',
        400,
        {"code": "unknown_field", "field": "action"},
    ),
    "an unknown field": (
        b'{"type":"fakejob","priority":9}',
        400,
        {"code": "unknown_field", "field": "priority"},
    ),
    "a zero in a key": (
        rb'{"type":"fakejob","params":{"a\u0000":1}}',
        400,
        {"code": "bad_key", "field": "params"},
    ),
    "params missing": (
        b'{"type":"download_website"}',
        422,
        {"code": "invalid_params", "problems": [{"field": "params.url", "message": "is required"}]},
    ),
    "a broken type": (b'{"type":"broken"}', 503, {"code": "broken_action"}),
}


@pytest.mark.parametrize("wrong", BODIES)
def test_a_bad_body_is_refused_and_nothing_is_queued(client: FlaskClient, stage: Stage, wrong: str) -> None:
    body, status, said = BODIES[wrong]

    answer = client.post(JOBS, data=body, content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.json["detail"]
    assert said.items() <= answer.json.items()
    assert not {"status", "message"} & answer.json.keys()
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("given", WRONG_TYPES)
def test_a_type_that_is_no_text_is_refused(client: FlaskClient, stage: Stage, given: object) -> None:
    answer = client.post(JOBS, json={"type": given})

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, "wrong_type", "type")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("given", [3, 2.5, True, [], "delay_seconds"])
def test_params_that_are_no_object_are_refused(client: FlaskClient, stage: Stage, given: object) -> None:
    answer = client.post(JOBS, json={"type": "fakejob", "params": given})

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, "wrong_type", "params")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize(
    ("params", "field"),
    [
        *(({"delay_seconds": wrong}, "params.delay_seconds") for wrong in (2.5, True, "5", [], {}, None)),
        ({"delay": 1}, "params.delay"),
    ],
)
def test_params_that_the_schema_refuses_are_named(
    client: FlaskClient, stage: Stage, params: object, field: str
) -> None:
    answer = client.post(JOBS, json={"type": "fakejob", "params": params})

    assert (answer.status_code, [problem["field"] for problem in answer.json["problems"]]) == (422, [field])
    assert field in answer.json["detail"]
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_refused(client: FlaskClient, stage: Stage, content_type: str | None) -> None:
    answer = client.post(JOBS, data=VALID, content_type=content_type)

    assert (answer.status_code, answer.json["code"]) == (415, "not_json_type")
    assert not stage.engine.find(Query()).jobs


def test_a_body_over_the_limit_is_refused(stage: Stage) -> None:
    client = stage.client(max_body=len(VALID))

    answer = client.post(JOBS, data=VALID + b" ", content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert "18 bytes" in answer.json["detail"]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_is_none_is_refused(client: FlaskClient, stage: Stage, key: str) -> None:
    answer = client.post(JOBS, json={"type": "fakejob"}, headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json["code"]) == (400, "bad_idempotency_key")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        *(
            (f"limit={wrong}", "out_of_range", "limit")
            for wrong in ("0", "-1", "1001", "9" * 5000, "0" * 5000)
        ),
        *((f"limit={wrong}", "wrong_type", "limit") for wrong in ("1.5", "many", "1e2", "%EF%BC%91", "%00")),
        *((f"cursor={wrong}", "invalid_request", "cursor") for wrong in ("x", "..%2f", "%00", "1" * 4096)),
    ],
)
def test_a_list_that_cannot_be_made_is_refused(
    client: FlaskClient, query: str, code: str, field: str
) -> None:
    answer = client.get(f"{JOBS}?{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert answer.json["detail"].startswith(f"{field}: ")


def test_a_limit_given_twice_is_refused(client: FlaskClient) -> None:
    answer = client.get(f"{JOBS}?limit=1&limit=2")

    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")


def test_a_cursor_in_upper_case_is_the_same_cursor(client: FlaskClient) -> None:
    older, newer = submit(client), submit(client)

    page = client.get(f"{JOBS}?cursor={newer.upper()}").json

    assert [job["id"] for job in page["jobs"]] == [older]


@pytest.mark.parametrize("path", [f"{JOBS}/x/y", "/api/worker", "/api/worker/queue", f"{JOBS}//x"])
def test_a_path_that_is_not_served_is_answered_in_json(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, json.loads(answer.data)["code"]) == (404, "no_such_path")
