"""What /api/jobs refuses: every field of every request, wrong in type, missing, unknown or out of range."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query
from tests.api.stage import Stage
from tests.api.test_bad_bodies import AN_ID, BODIES
from tests.api.test_jobs import submitted


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "action"),
        ({"action": None}, "wrong_type", "action"),
        ({"action": "../x"}, "bad_name", "action"),
        ({"action": "fakejob", "params": []}, "wrong_type", "params"),
        ({"action": "fakejob", "params": {"a\0": 1}}, "bad_key", "params"),
        ({"action": "fakejob", "priority": "9"}, "wrong_type", "priority"),
        ({"action": "fakejob", "priority": 10}, "out_of_range", "priority"),
        ({"action": "fakejob", "run_after": "soon"}, "bad_time", "run_after"),
        ({"action": "fakejob", "timeout": -1}, "bad_time", "timeout"),
        ({"action": "fakejob", "max_attempts": 0}, "out_of_range", "max_attempts"),
        ({"action": "fakejob", "batch": ""}, "bad_batch", "batch"),
        ({"action": "fakejob", "idempotency_key": ""}, "bad_idempotency_key", "idempotency_key"),
        ({"action": "fakejob", "callback_url": "ftp://x"}, "bad_url", "callback_url"),
        ({"action": "fakejob", "labels": {}}, "unknown_field", "labels"),
        ({"jobs": [{"action": "fakejob"}]}, "unknown_field", "jobs"),
    ],
)
def test_a_submission_of_nonsense_is_refused(
    client: FlaskClient, stage: Stage, body: Any, code: str, field: str
) -> None:
    answer = client.post("/api/jobs", json=body)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("row", [row for row in BODIES if row.split()[0] not in {"25", "27", "28"}])
@pytest.mark.parametrize("path", ["", "/retry", "/cancel", f"/{AN_ID}/retry", f"/{AN_ID}/cancel"])
def test_a_bad_body_is_refused_wherever_one_is_taken(
    client: FlaskClient, stage: Stage, path: str, row: str
) -> None:
    body = BODIES[row][0]

    answer = client.post(f"/api/jobs{path}", data=body, content_type="application/json")

    assert 400 <= answer.status_code < 500
    assert (answer.mimetype, answer.json["status"]) == ("application/json", "error")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("path", ["cancel", "retry"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_of_another_type_is_refused_and_not_overlooked(
    client: FlaskClient, path: str, content_type: str | None
) -> None:
    job_id = submitted(client)

    answer = client.post(f"/api/jobs/{job_id}/{path}", data=b'{"a":1}', content_type=content_type)

    assert (answer.status_code, answer.json["code"]) == (415, "not_json_type")
    assert client.get(f"/api/jobs/{job_id}").json["state"] == "queued"


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("state=lost", "out_of_range", "state"),
        ("state=", "out_of_range", "state"),
        ("state=failed,cancelled", "out_of_range", "state"),
        ("action=", "bad_name", "action"),
        ("action=../../etc/passwd", "bad_name", "action"),
        ("action=" + "a" * 65, "bad_name", "action"),
        ("queue=..%2f..%2fx", "bad_name", "queue"),
        ("queue=a%00", "bad_name", "queue"),
        ("batch=a%20b", "bad_batch", "batch"),
        ("batch=", "bad_batch", "batch"),
        ("since=", "bad_time", "since"),
        ("since=yesterday", "bad_time", "since"),
        ("since=2026-02-32T00:00:00Z", "bad_time", "since"),
        ("since=2026-01-01T00:00:00", "bad_time", "since"),
        ("since=-1", "bad_time", "since"),
        ("since=nan", "bad_time", "since"),
        ("since=1e999", "bad_time", "since"),
        ("limit=0", "out_of_range", "limit"),
        ("limit=1001", "out_of_range", "limit"),
        ("limit=ten", "wrong_type", "limit"),
        ("limit=1.0", "wrong_type", "limit"),
        ("label.=x", "bad_name", "label."),
        ("label.a%20b=x", "bad_name", "label.a b"),
        ("label.owner=", "out_of_range", "label.owner"),
        ("label.owner=" + "x" * 513, "out_of_range", "label.owner"),
        ("stat=failed", "unknown_field", "stat"),
        ("State=failed", "unknown_field", "State"),
    ],
)
def test_a_list_asked_for_in_nonsense_is_refused(
    client: FlaskClient, query: str, code: str, field: str
) -> None:
    answer = client.get(f"/api/jobs?{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)


def test_a_plus_that_became_a_space_is_explained(client: FlaskClient) -> None:
    answer = client.get("/api/jobs?since=2026-01-01T00:00:00+01:00")

    assert (answer.status_code, answer.json["code"]) == (400, "bad_time")
    assert "%2B" in answer.json["hint"]


@pytest.mark.parametrize("name", ["action", "queue", "batch", "since", "cursor", "limit", "label.owner"])
def test_a_filter_given_twice_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/api/jobs?{name}=1&{name}=2")

    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")
    assert answer.json["message"].startswith(f"{name}:")


@pytest.mark.parametrize("cursor", ["x", "", "../../etc", AN_ID[:-1], "%00"])
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get(f"/api/jobs?cursor={cursor}")

    assert (answer.status_code, answer.json["code"]) == (400, "bad_job_id")
    assert answer.json["message"].startswith("cursor:")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("fields=state,results", "out_of_range", "fields"),
        ("fields=,", "out_of_range", "fields"),
        ("fields=state,", "out_of_range", "fields"),
        ("wait=26", "out_of_range", "wait"),
        ("wait=-1", "out_of_range", "wait"),
        ("wait=nan", "out_of_range", "wait"),
        ("wait=soon", "wrong_type", "wait"),
        ("field=state", "unknown_field", "field"),
    ],
)
def test_a_job_asked_for_in_nonsense_is_refused(
    client: FlaskClient, query: str, code: str, field: str
) -> None:
    answer = client.get(f"/api/jobs/{submitted(client)}?{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)


@pytest.mark.parametrize(
    "job_id", ["x", "%0a", AN_ID.replace("-7", "-4"), "x" * 4096, f"{AN_ID}%0a", "retry"]
)
@pytest.mark.parametrize("path", ["", "/logs", "/files", "/files/a", "/cancel", "/retry"])
def test_what_is_no_job_id_is_refused_before_any_use(client: FlaskClient, job_id: str, path: str) -> None:
    method = "POST" if path in {"/cancel", "/retry"} else "GET"

    answer = client.open(f"/api/jobs/{job_id}{path}", method=method)

    assert (answer.status_code, answer.json["code"]) == (400, "bad_job_id")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"params": []}, "wrong_type", "params"),
        ({"params": "x"}, "wrong_type", "params"),
        ({"params": {"a\n": 1}}, "bad_key", "params"),
        ({"delay_seconds": 1}, "unknown_field", "delay_seconds"),
    ],
)
def test_a_retry_of_nonsense_is_refused(
    client: FlaskClient, stage: Stage, body: Any, code: str, field: str
) -> None:
    old = submitted(client)
    stage.succeeded(old, {})

    answer = client.post(f"/api/jobs/{old}/retry", json=body)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert len(stage.engine.find(Query()).jobs) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(client: FlaskClient, stage: Stage, key: str) -> None:
    old = submitted(client)
    stage.succeeded(old, {})

    answer = client.post(f"/api/jobs/{old}/retry", headers={"Idempotency-Key": key})

    assert (answer.status_code, answer.json["code"]) == (400, "bad_idempotency_key")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", ""), ("DELETE", f"/{AN_ID}"), ("GET", f"/{AN_ID}/cancel")]
)
def test_another_method_is_told_the_right_ones(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(f"/api/jobs{path}", method=method)

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
