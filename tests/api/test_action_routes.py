"""The actions: what they are, and a path for each that takes its params as the body."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query
from tests.api.stage import Stage
from tests.api.test_jobs import summary
from tests.factories import NOW

FAKEJOB = {
    "name": "fakejob",
    "description": "Wait.\n\nLonger.",
    "queue": "default",
    "timeout": None,
    "max_attempts": None,
    "isolation": "process",
    "schema": {
        "additionalProperties": False,
        "properties": {"delay_seconds": {"default": 5, "title": "Delay Seconds", "type": "integer"}},
        "title": "params",
        "type": "object",
    },
}
BROKEN = {
    "name": "broken",
    "broken": "Its file could not be loaded: ModuleNotFoundError: No module named 'no_such_module'",
}
SUBMITTED = "/api/actions/fakejob"


def test_the_actions_are_listed_with_their_schemas_and_the_broken_ones_with_the_reason(
    client: FlaskClient,
) -> None:
    answer = client.get("/api/actions")

    assert answer.status_code == 200
    assert [one["name"] for one in answer.json["actions"]] == ["download_website", "fakejob"]
    assert answer.json["actions"][1] == FAKEJOB
    assert answer.json["broken"] == [BROKEN]


def test_limits_are_told(client: FlaskClient, stage: Stage) -> None:
    text = (
        "from core import action\n"
        '@action(timeout="10m", max_attempts=2, isolation="thread", queue="browser")\n'
        "def run() -> None: ...\n"
    )
    (stage.folder / "actions" / "crawl.py").write_text(text)
    stage.kernel.registry.load()

    told = client.get("/api/actions/crawl").json

    limits = {name: told[name] for name in ("queue", "timeout", "max_attempts", "isolation")}
    assert limits == {"queue": "browser", "timeout": 600.0, "max_attempts": 2, "isolation": "thread"}


def test_one_action_is_told(client: FlaskClient) -> None:
    assert client.get("/api/actions/fakejob").json == FAKEJOB
    assert client.get("/api/actions/broken").json == BROKEN


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["fakejop", "Fakejob", "..", "__init__", "a" * 5000, "%00", "f\u0430kejob"])
def test_an_action_that_is_none_is_404(client: FlaskClient, stage: Stage, method: str, name: str) -> None:
    answer = client.open(f"/api/actions/{name}", method=method)

    assert (answer.status_code, answer.json["code"]) == (404, "no_such_action")
    assert not stage.engine.find(Query()).jobs


def test_the_nearest_action_is_named(client: FlaskClient) -> None:
    assert client.get("/api/actions/fakejop").json["hint"] == "Did you mean 'fakejob'?"


def test_the_params_are_the_body(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(SUBMITTED, json={"delay_seconds": 2})

    job_id = answer.json["job_id"]
    assert (answer.status_code, answer.json) == (201, summary(job_id))
    assert answer.headers["Location"] == f"/api/jobs/{job_id}"
    assert stage.engine.get(job_id).params == {"delay_seconds": 2}


def test_the_options_are_in_the_query(client: FlaskClient, stage: Stage) -> None:
    query = "priority=9&run_after=60&timeout=1%20minute&max_attempts=2&batch=b1"

    answer = client.post(f"{SUBMITTED}?{query}", json={})

    job = stage.engine.get(answer.json["job_id"])
    told = (job.priority, job.run_after, job.timeout, job.max_attempts, job.batch)
    assert told == (9, NOW + 60, 60.0, 2, "b1")


def test_a_moment_may_be_a_time(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(f"{SUBMITTED}?run_after=2030-01-01T00:00:00Z&timeout=90.5")

    job = stage.engine.get(answer.json["job_id"])
    assert (job.run_after, job.timeout) == (1_893_456_000.0, 90.5)


def test_an_action_without_required_params_needs_no_body(client: FlaskClient) -> None:
    assert client.post(SUBMITTED).status_code == 201
    assert client.post("/api/actions/download_website").json["code"] == "invalid_params"


def test_a_repeated_key_is_the_same_job(client: FlaskClient) -> None:
    first, again = (client.post(SUBMITTED, headers={"Idempotency-Key": "k1"}).json for _ in range(2))

    assert first == again


def test_params_that_the_schema_refuses_are_named(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(SUBMITTED, json={"delay_seconds": "x", "more": 1})

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_params")
    fields = {problem["field"] for problem in answer.json["problems"]}
    assert fields == {"params.delay_seconds", "params.more"}
    assert not stage.engine.find(Query()).jobs


def test_a_broken_action_takes_no_jobs(client: FlaskClient) -> None:
    answer = client.post("/api/actions/broken", json={})

    assert (answer.status_code, answer.json["code"]) == (503, "broken_action")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("priority=high", "wrong_type", "priority"),
        ("priority=", "wrong_type", "priority"),
        ("priority=5.0", "wrong_type", "priority"),
        ("priority=10", "out_of_range", "priority"),
        ("priority=-1", "out_of_range", "priority"),
        ("max_attempts=0", "out_of_range", "max_attempts"),
        ("max_attempts=two", "wrong_type", "max_attempts"),
        ("timeout=", "bad_time", "timeout"),
        ("timeout=0", "bad_time", "timeout"),
        ("timeout=8%20days", "out_of_range", "timeout"),
        ("timeout=nan", "bad_time", "timeout"),
        ("run_after=-1", "bad_time", "run_after"),
        ("run_after=soon", "bad_time", "run_after"),
        ("run_after=", "bad_time", "run_after"),
        ("run_after=2030-01-01T00:00:00", "bad_time", "run_after"),
        ("run_after=3153600001", "out_of_range", "run_after"),
        ("batch=a%20b", "bad_batch", "batch"),
        ("batch=", "bad_batch", "batch"),
        ("idempotency_key=k", "unknown_field", "idempotency_key"),
        ("delay_seconds=3", "unknown_field", "delay_seconds"),
        ("params=%7B%7D", "unknown_field", "params"),
    ],
)
def test_an_option_of_nonsense_is_refused(
    client: FlaskClient, stage: Stage, query: str, code: str, field: str
) -> None:
    answer = client.post(f"{SUBMITTED}?{query}", json={})

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert not stage.engine.find(Query()).jobs


def test_an_option_given_twice_is_refused(client: FlaskClient) -> None:
    answer = client.post(f"{SUBMITTED}?priority=1&priority=2")

    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")


@pytest.mark.parametrize("body", ["[]", "3", "null", '{"a":1,"a":2}', "{"])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, stage: Stage, body: str) -> None:
    answer = client.post(SUBMITTED, data=body, content_type="application/json")

    assert answer.status_code == 400
    assert not stage.engine.find(Query()).jobs


def test_each_action_is_an_operation_of_its_own(client: FlaskClient) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json["paths"]

    fakejob = paths["/api/actions/fakejob"]["post"]
    website = paths["/api/actions/download_website"]["post"]
    body = fakejob["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["delay_seconds"]["default"] == 5
    assert (fakejob["summary"], fakejob["operationId"]) == ("Wait.", "actions.submit.fakejob")
    assert (fakejob["requestBody"]["required"], website["requestBody"]["required"]) == (False, True)
    assert website["requestBody"]["content"]["application/json"]["examples"]["params"]["value"] == {
        "url": "text"
    }
    names = {one["name"] for one in fakejob["parameters"]}
    assert names >= {"priority", "run_after", "timeout", "max_attempts", "batch", "Idempotency-Key"}
    assert "post" not in paths["/api/actions/{name}"]
