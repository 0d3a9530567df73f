"""Cancelling and retrying many jobs at once: by ids, by filters, with an error for each that is left."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query, State
from tests.api.stage import Stage
from tests.api.test_bad_bodies import AN_ID
from tests.api.test_jobs import submitted
from tests.factories import an_id


def failed(client: FlaskClient, stage: Stage, **fields: Any) -> str:
    job_id = submitted(client, **fields)
    stage.failed(job_id, "timeout", "Too slow.")
    return job_id


def count(stage: Stage) -> int:
    return len(stage.engine.find(Query(limit=1000)).jobs)


def test_those_that_ended_are_run_again_and_the_others_told_why_not(
    client: FlaskClient, stage: Stage
) -> None:
    ended, waiting, unknown = failed(client, stage, priority=8), submitted(client), an_id()

    answer = client.post("/api/jobs/retry", json={"job_ids": [ended, waiting, unknown, ended.upper()]})

    new = answer.json["retried"][0]["new_job_id"]
    assert (answer.status_code, answer.json) == (
        200,
        {
            "retried": [{"job_id": ended, "new_job_id": new}],
            "errors": [
                {
                    "job_id": waiting,
                    "code": "job_not_ended",
                    "message": f"Job {waiting} has not ended yet: it is queued.",
                    "hint": "",
                },
                {
                    "job_id": unknown,
                    "code": "unknown_job",
                    "message": f"There is no job {unknown}.",
                    "hint": "",
                },
            ],
            "more": False,
        },
    )
    assert (stage.engine.get(new).retried_from, stage.engine.get(new).priority) == (ended, 8)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"state": "failed"}, {"plain", "night"}),
        ({"state": ["failed", "cancelled"]}, {"plain", "night", "cancelled"}),
        ({"action": "fakejob"}, {"plain", "night"}),
        ({"state": "failed", "action": "fakejob", "batch": "night"}, {"night"}),
        ({"queue": "default", "state": "succeeded"}, {"done"}),
        ({"labels": {"owner": "ann"}}, set()),
        ({"since": "1 hour"}, {"plain", "night"}),
    ],
)
def test_filters_find_what_is_run_again(
    client: FlaskClient, stage: Stage, filters: dict[str, Any], names: set[str]
) -> None:
    jobs = {
        "plain": failed(client, stage),
        "night": failed(client, stage, batch="night"),
        "cancelled": submitted(client),
        "done": submitted(client),
    }
    client.post(f"/api/jobs/{jobs['cancelled']}/cancel")
    stage.succeeded(jobs["done"], {})
    submitted(client)

    answer = client.post("/api/jobs/retry", json=filters).json

    assert {pair["job_id"] for pair in answer["retried"]} == {jobs[name] for name in names}
    assert (answer["errors"], answer["more"]) == ([], False)


def test_what_filters_find_is_run_again_once(client: FlaskClient, stage: Stage) -> None:
    old = failed(client, stage)

    first, second = (client.post("/api/jobs/retry", json={"state": "failed"}).json for _ in range(2))

    assert first == second
    assert count(stage) == 2
    stage.failed(first["retried"][0]["new_job_id"], "timeout", "Too slow again.")
    third = client.post("/api/jobs/retry", json={"state": "failed"}).json["retried"]
    assert [pair["job_id"] for pair in third] == [first["retried"][0]["new_job_id"], old]
    assert count(stage) == 3


def test_ids_are_run_again_as_often_as_asked(client: FlaskClient, stage: Stage) -> None:
    old = failed(client, stage)

    first, second = (client.post("/api/jobs/retry", json={"job_ids": [old]}).json for _ in range(2))

    assert first["retried"][0]["new_job_id"] != second["retried"][0]["new_job_id"]


def test_a_thousand_at_a_time_and_it_is_told_that_there_are_more(client: FlaskClient, stage: Stage) -> None:
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 1000, "batch": "b"})
    submitted(client, batch="b")

    first = client.post("/api/jobs/cancel", json={"batch": "b"}).json
    second = client.post("/api/jobs/cancel", json={"batch": "b"}).json

    assert (len(first["cancelled"]), first["more"]) == (1000, True)
    assert (len(second["cancelled"]), second["more"]) == (1, False)
    assert stage.engine.count()[State.CANCELLED] == 1001


def test_many_are_cancelled_with_a_reason_and_the_ended_told(client: FlaskClient, stage: Stage) -> None:
    waiting, running, done = (submitted(client) for _ in range(3))
    stage.claimed(running)
    stage.succeeded(done, {})

    answer = client.post(
        "/api/jobs/cancel", json={"job_ids": [waiting, running, done], "reason": "Too late."}
    )

    assert (answer.status_code, answer.json) == (
        200,
        {
            "cancelled": [
                {"job_id": waiting, "state": "cancelled", "cancel_requested": False},
                {"job_id": running, "state": "running", "cancel_requested": True},
            ],
            "errors": [
                {
                    "job_id": done,
                    "code": "job_ended",
                    "message": f"Job {done} has already ended: succeeded.",
                    "hint": "",
                }
            ],
            "more": False,
        },
    )
    assert stage.engine.get(waiting).cancel_reason == "Too late."


def test_filters_cancel_only_what_has_not_ended(client: FlaskClient, stage: Stage) -> None:
    waiting, done, other = submitted(client), submitted(client), submitted(client, batch="b")
    stage.succeeded(done, {})
    running = submitted(client)
    stage.claimed(running)

    answer = client.post("/api/jobs/cancel", json={"action": "fakejob", "state": "queued"}).json

    assert {one["job_id"] for one in answer["cancelled"]} == {waiting, other}


def test_an_action_that_is_gone_is_told_for_its_jobs_alone(client: FlaskClient, stage: Stage) -> None:
    file = stage.folder / "actions" / "late.py"
    file.write_text("def run() -> None: ...\n")
    stage.kernel.registry.load()
    gone, there = failed(client, stage, action="late"), failed(client, stage)
    file.unlink()
    stage.kernel.registry.load()

    answer = client.post("/api/jobs/retry", json={"job_ids": [gone, there]}).json

    assert [pair["job_id"] for pair in answer["retried"]] == [there]
    assert [(one["job_id"], one["code"]) for one in answer["errors"]] == [(gone, "unknown_action")]


def test_one_key_cannot_name_many_retries(client: FlaskClient, stage: Stage) -> None:
    body = {"job_ids": [failed(client, stage)]}

    answer = client.post("/api/jobs/retry", json=body, headers={"Idempotency-Key": "k1"})

    assert (answer.status_code, answer.json["code"]) == (400, "conflicting_fields")
    assert count(stage) == 1


def test_a_closed_gate_refuses_all_retries(client: FlaskClient, stage: Stage) -> None:
    body = {"job_ids": [failed(client, stage)]}
    stage.kernel.bus.gate.shut()

    answer = client.post("/api/jobs/retry", json=body)

    assert (answer.status_code, answer.json["code"]) == (503, "shutting_down")
    assert "Retry-After" in answer.headers


#: Body → code and field.
BAD: list[tuple[Any, str, str]] = [
    ({}, "missing_field", "job_ids"),
    ({"job_ids": None}, "wrong_type", "job_ids"),
    ({"job_ids": AN_ID}, "wrong_type", "job_ids"),
    ({"job_ids": []}, "bad_batch_size", "job_ids"),
    ({"job_ids": [AN_ID] * 1001}, "bad_batch_size", "job_ids"),
    ({"job_ids": [AN_ID], "action": "fakejob"}, "conflicting_fields", "job_ids"),
    ({"state": "lost"}, "out_of_range", "state"),
    ({"state": []}, "wrong_type", "state"),
    ({"state": None}, "wrong_type", "state"),
    ({"state": [1]}, "wrong_type", "state"),
    ({"state": ["failed", {}]}, "wrong_type", "state"),
    ({"action": "../etc"}, "bad_name", "action"),
    ({"action": 3}, "wrong_type", "action"),
    ({"action": None}, "wrong_type", "action"),
    ({"queue": "../../x"}, "bad_name", "queue"),
    ({"queue": []}, "wrong_type", "queue"),
    ({"batch": "a b"}, "bad_batch", "batch"),
    ({"batch": None}, "wrong_type", "batch"),
    ({"labels": []}, "wrong_type", "labels"),
    ({"labels": {}}, "out_of_range", "labels"),
    ({"labels": {"a b": "c"}}, "bad_name", "labels.a b"),
    ({"labels": {"a": 1}}, "wrong_type", "labels.a"),
    ({"labels": {"a": ""}}, "out_of_range", "labels.a"),
    ({"since": True}, "wrong_type", "since"),
    ({"since": None}, "wrong_type", "since"),
    ({"since": "yesterday"}, "bad_time", "since"),
    ({"since": -5}, "bad_time", "since"),
    ({"since": 0}, "bad_time", "since"),
    ({"since": "2026-01-01T00:00:00"}, "bad_time", "since"),
    ({"limit": 5}, "unknown_field", "limit"),
    ({"cursor": AN_ID}, "unknown_field", "cursor"),
]


@pytest.mark.parametrize("path", ["retry", "cancel"])
@pytest.mark.parametrize("row", BAD, ids=[str(row[0])[:40] for row in BAD])
def test_a_bulk_request_of_nonsense_is_refused(
    client: FlaskClient, stage: Stage, path: str, row: tuple[Any, str, str]
) -> None:
    body, code, field = row
    failed(client, stage)

    answer = client.post(f"/api/jobs/{path}", json=body)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert [job.state for job in stage.engine.find(Query()).jobs] == [State.FAILED]


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("retry", {"state": "queued"}, "out_of_range", "state"),
        ("cancel", {"state": "failed"}, "out_of_range", "state"),
        ("retry", {"state": "failed", "reason": "x"}, "unknown_field", "reason"),
        ("cancel", {"action": "fakejob", "reason": ""}, "out_of_range", "reason"),
        ("cancel", {"action": "fakejob", "reason": "x" * 501}, "out_of_range", "reason"),
        ("cancel", {"action": "fakejob", "reason": "a\nb"}, "out_of_range", "reason"),
        ("cancel", {"action": "fakejob", "reason": 3}, "wrong_type", "reason"),
    ],
)
def test_what_one_of_them_alone_refuses(
    client: FlaskClient, path: str, body: Any, code: str, field: str
) -> None:
    job_id = submitted(client)

    answer = client.post(f"/api/jobs/{path}", json=body)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert client.get(f"/api/jobs/{job_id}").json["state"] == "queued"


def test_an_id_that_is_none_is_named_by_its_place(client: FlaskClient) -> None:
    answer = client.post("/api/jobs/retry", json={"job_ids": [AN_ID, "../x"]})

    assert (answer.status_code, answer.json["code"]) == (400, "bad_job_id")
    assert answer.json["message"].startswith("job_ids[1]:")
