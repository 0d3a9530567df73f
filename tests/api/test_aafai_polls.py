"""POST /outbound: many jobs in one answer."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api import aafai_polls
from tests.api.stage import Stage
from tests.api.test_aafai import submit
from tests.factories import NOW, an_id


def test_many_jobs_are_answered_in_the_order_asked_for(client: FlaskClient, stage: Stage) -> None:
    waiting, done, unknown = submit(client), submit(client), an_id()
    stage.succeeded(done, {"n": 1})

    answer = client.post("/outbound", json={"job_ids": [done, unknown, waiting]}).json

    assert answer["jobs"] == [
        {"job_id": done, "status": "complete", "result": {"n": 1}},
        {
            "status": "failed",
            "code": "unknown_job",
            "message": f"There is no job {unknown}.",
            "hint": "",
            "job_id": unknown,
            "error": f"There is no job {unknown}.",
        },
        {
            "job_id": waiting,
            "status": "pending",
            "message": "Job not yet complete.",
            "state": "queued",
            "progress": None,
        },
    ]
    assert answer["counts"] == {"complete": 1, "failed": 1, "pending": 1}


def test_a_batch_is_answered_newest_first(client: FlaskClient) -> None:
    ids = client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 3, "batch": "b"}).json["job_ids"]
    submit(client)

    answer = client.post("/outbound", json={"batch": "b"}).json

    assert [job["job_id"] for job in answer["jobs"]] == ids[::-1]
    assert "next_cursor" not in answer


def test_a_batch_of_more_than_1000_goes_on_at_the_cursor(client: FlaskClient) -> None:
    for size in (1000, 5):
        client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * size, "batch": "b"})

    first = client.post("/outbound", json={"batch": "b"}).json
    second = client.post("/outbound", json={"batch": "b", "cursor": first["next_cursor"]}).json

    ids = [job["job_id"] for job in (*first["jobs"], *second["jobs"])]
    assert (len(first["jobs"]), len(second["jobs"]), len(set(ids))) == (1000, 5, 1005)


def test_the_light_form_leaves_results_out(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"n": 1})

    answer = client.post("/outbound", json={"job_ids": [job_id], "fields": "status"}).json

    assert answer["jobs"] == [{"job_id": job_id, "status": "complete"}]


def test_results_beyond_the_room_are_left_out_and_stay_undelivered(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aafai_polls, "MOST_RESULTS", 100)
    fitting, large = submit(client), submit(client)
    stage.succeeded(fitting, {"text": "x"})
    stage.succeeded(large, {"text": "x" * 100})

    answer = client.post("/outbound", json={"job_ids": [fitting, large]}).json

    assert answer["jobs"] == [
        {"job_id": fitting, "status": "complete", "result": {"text": "x"}},
        {"job_id": large, "status": "complete", "result_left_out": True},
    ]
    assert list(stage.kernel.deliveries.unread()) == [large]


def test_a_failure_is_delivered_by_the_light_form_too(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.failed(job_id, "timeout", "Too slow.")

    client.post("/outbound", json={"job_ids": [job_id], "fields": "status"})

    assert not stage.kernel.deliveries.unread()


@pytest.mark.parametrize(("age", "seconds"), [(0, 2), (100, 10), (86_400, 60)])
def test_the_next_poll_comes_after_a_tenth_of_the_age(
    client: FlaskClient, stage: Stage, age: float, seconds: int
) -> None:
    job_id = submit(client)
    stage.clock.advance(age)

    answer = client.post("/outbound", json={"job_ids": [job_id]}).json

    assert answer["next_poll_seconds"] == seconds


@pytest.mark.parametrize(("due_in", "seconds"), [(300, 300), (86_400, 3600)])
def test_a_deferred_job_is_asked_for_when_it_is_due(client: FlaskClient, due_in: float, seconds: int) -> None:
    job_id = submit(client, run_after=due_in)

    assert client.post("/outbound", json={"job_ids": [job_id]}).json["next_poll_seconds"] == seconds


def test_nothing_is_to_be_polled_once_all_have_ended(client: FlaskClient, stage: Stage) -> None:
    done, expired = submit(client), submit(client)
    stage.succeeded(expired, {})
    stage.engine.purge(NOW + 1)
    stage.succeeded(done, {})

    answer = client.post("/outbound", json={"job_ids": [done, expired]}).json

    assert answer["next_poll_seconds"] is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_field"),
        ({"job_ids": [an_id()], "batch": "b"}, 400, "conflicting_fields"),
        ({"job_ids": [an_id()], "cursor": "c"}, 400, "conflicting_fields"),
        ({"job_ids": an_id()}, 400, "wrong_type"),
        ({"job_ids": []}, 400, "bad_batch_size"),
        ({"job_ids": [an_id()] * 1001}, 400, "bad_batch_size"),
        ({"job_ids": [an_id(), "../x"]}, 400, "bad_job_id"),
        ({"job_ids": [3]}, 400, "bad_job_id"),
        ({"batch": None}, 400, "wrong_type"),
        ({"batch": 3}, 400, "bad_batch"),
        ({"batch": ""}, 400, "bad_batch"),
        ({"batch": "b", "cursor": "../x"}, 400, "bad_job_id"),
        ({"batch": "b", "fields": "all"}, 400, "out_of_range"),
        ({"batch": "b", "light": True}, 400, "unknown_field"),
        ({"batch": "never-heard-of"}, 404, "unknown_batch"),
    ],
)
def test_a_poll_that_asks_for_nothing_sensible_is_refused(
    client: FlaskClient, body: object, status: int, code: str
) -> None:
    answer = client.post("/outbound", json=body)

    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, "error", code)
