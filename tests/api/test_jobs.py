"""The bus's own words for jobs: request → exact JSON."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.ids import JOB_ID
from core.jobs import Query
from core.submission import Submission
from tests.api.stage import Stage, a_stage
from tests.factories import NOW, an_id
from tests.fakes import FakeClock

THEN = "2023-11-14T22:13:20+00:00"


def submitted(client: FlaskClient, **fields: Any) -> str:
    answer = client.post("/api/jobs", json={"action": "fakejob", **fields})
    assert answer.status_code == 201, answer.json
    job_id: str = answer.json["job_id"]
    return job_id


def summary(job_id: str, **fields: Any) -> dict[str, Any]:
    """Return what is told of a job that was just submitted, with any field overridden."""
    return {
        "job_id": job_id,
        "action": "fakejob",
        "state": "queued",
        "queue": "default",
        "priority": 5,
        "attempt": 0,
        "max_attempts": 3,
        "timeout": 600.0,
        "batch": None,
        "labels": {},
        "retried_from": None,
        "submitted_at": THEN,
        "run_after": None,
        "started_at": None,
        "ended_at": None,
        "worker": None,
        "cancel_requested": False,
        "cancel_reason": None,
        "progress": None,
        "error": None,
        "version": 1,
        **fields,
    }


def listed(client: FlaskClient, query: str = "") -> list[str]:
    return [job["job_id"] for job in client.get(f"/api/jobs{query}").json["jobs"]]


def test_a_submission_is_answered_with_the_job_and_where_it_is(client: FlaskClient, stage: Stage) -> None:
    body = {"action": "fakejob", "params": {"delay_seconds": 2}, "priority": 7, "timeout": "2m"}

    answer = client.post("/api/jobs", json=body)

    job_id = answer.json["job_id"]
    assert (answer.status_code, answer.json) == (201, summary(job_id, priority=7, timeout=120.0))
    assert answer.headers["Location"] == f"/api/jobs/{job_id}"
    assert JOB_ID.fullmatch(job_id)
    assert stage.engine.get(job_id).params == {"delay_seconds": 2}


def test_a_repeated_key_is_the_same_job_and_another_body_a_conflict(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k1"}

    first, again = (client.post("/api/jobs", json={"action": "fakejob"}, headers=headers) for _ in range(2))
    other = client.post("/api/jobs", json={"action": "fakejob", "priority": 1}, headers=headers)

    assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)
    assert (other.status_code, other.json["code"], other.json["job_id"]) == (
        409,
        "idempotency_conflict",
        first.json["job_id"],
    )


def test_a_job_is_told_whole(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client, params={"delay_seconds": 2})
    stage.succeeded(job_id, {"waited": 2})

    answer = client.get(f"/api/jobs/{job_id}")

    ended = {"state": "succeeded", "attempt": 1, "started_at": THEN, "ended_at": THEN}
    whole = {"params": {"delay_seconds": 2}, "result": {"waited": 2}, "errors": [], "callback_url": None}
    told = summary(job_id, **ended, worker="worker-1", version=3)
    assert (answer.status_code, answer.json) == (200, {**told, **whole})


def test_a_failed_job_tells_every_error_and_a_running_one_its_progress(
    client: FlaskClient, stage: Stage
) -> None:
    failed, running = submitted(client), submitted(client)
    stage.failed(failed, "timeout", "Too slow.")
    stage.progressed(running, 0.5, "page 3 of 6")

    error = {"code": "timeout", "message": "Too slow.", "attempt": 1, "at": THEN}
    job = client.get(f"/api/jobs/{failed}").json
    assert (job["state"], job["error"], job["errors"]) == ("failed", error, [error])
    progress = {"fraction": 0.5, "message": "page 3 of 6", "at": THEN}
    assert client.get(f"/api/jobs/{running}").json["progress"] == progress


def test_secrets_among_the_params_are_masked(client: FlaskClient, stage: Stage) -> None:
    (stage.folder / "actions" / "login.py").write_text("def run(user: str, password: str) -> None: ...\n")
    stage.kernel.registry.load()
    job_id = submitted(client, action="login", params={"user": "ann", "password": "s3cr3t"})

    answer = client.get(f"/api/jobs/{job_id}")

    assert answer.json["params"] == {"user": "ann", "password": "***"}
    assert stage.engine.get(job_id).params["password"] == "s3cr3t"


def test_only_the_fields_that_were_asked_for_are_told(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    stage.succeeded(job_id, {"n": 1})

    assert client.get(f"/api/jobs/{job_id}?fields=state,result").json == {
        "state": "succeeded",
        "result": {"n": 1},
    }
    assert client.get(f"/api/jobs/{job_id}?fields=progress").json == {"progress": None}


def test_the_light_form_and_a_poll_that_finds_nothing_new_read_no_result(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submitted(client)
    stage.succeeded(job_id, {"n": 1})
    url = f"/api/jobs/{job_id}"
    tag = client.get(url).headers["ETag"]
    monkeypatch.setattr(stage.kernel.bus, "get", lambda job_id: pytest.fail("the whole record was read"))

    assert client.get(f"{url}?fields=state,error,version").status_code == 200
    unchanged = client.get(url, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data, unchanged.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/v1/tasks/"])
def test_who_hears_that_a_job_runs_before_its_worker_is_known_is_told_the_worker_later(
    client: FlaskClient, stage: Stage, path: str
) -> None:
    url = path + submitted(client)
    claimed = stage.claimed(url.rpartition("/")[2])
    early = replace(claimed, worker=None, version=claimed.version + 1)
    stage.engine.swap(claimed, early)

    answer = client.get(url)

    assert (answer.status_code, "ETag" in answer.headers) == (200, False)
    assert client.get(url, headers={"If-None-Match": f'"{early.version}"'}).status_code == 200


def test_the_tag_changes_with_every_step(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    tags = [client.get(f"/api/jobs/{job_id}").headers["ETag"]]
    stage.progressed(job_id, 0.5, "half")
    tags.append(client.get(f"/api/jobs/{job_id}").headers["ETag"])

    assert len(set(tags)) == 2
    assert client.get(f"/api/jobs/{job_id}", headers={"If-None-Match": tags[0]}).status_code == 200


def test_waiting_ends_with_the_job(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submitted(client)
    looked, peek = threading.Event(), stage.engine.peek
    monkeypatch.setattr(stage.engine, "peek", lambda asked: (peek(asked), looked.set())[0])

    with ThreadPoolExecutor(1) as others:
        answer = others.submit(client.get, f"/api/jobs/{job_id}?wait=20&fields=result")
        assert looked.wait(60)
        stage.succeeded(job_id, {"n": 1})

        assert answer.result(10).json == {"result": {"n": 1}}


def test_all_who_wait_share_the_places_for_that(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    client = stage.client(long_polls=0)
    job_id = submitted(client)
    began = stage.clock.monotonic()

    answer = client.get(f"/api/jobs/{job_id}?wait=25")

    assert (answer.json["state"], stage.clock.monotonic()) == ("queued", began)


@pytest.mark.parametrize(
    ("query", "delivered"),
    [("", True), ("?fields=result", True), ("?fields=state", False)],
)
def test_only_who_reads_the_result_has_it(
    client: FlaskClient, stage: Stage, query: str, delivered: bool
) -> None:
    job_id = submitted(client)
    stage.succeeded(job_id, {})
    client.head(f"/api/jobs/{job_id}")
    client.get("/api/jobs")

    client.get(f"/api/jobs/{job_id}{query}")

    assert (job_id not in stage.kernel.deliveries.unread()) is delivered


def test_jobs_are_listed_newest_first_without_params_and_results(client: FlaskClient, stage: Stage) -> None:
    first, second = submitted(client), submitted(client)
    stage.succeeded(first, {"text": "s3cr3t"})

    answer = client.get("/api/jobs")

    assert [job["job_id"] for job in answer.json["jobs"]] == [second, first]
    assert answer.json["jobs"][0] == summary(second)
    assert answer.json["next_cursor"] is None
    assert b"s3cr3t" not in answer.data


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=failed", {"failed"}),
        ("?state=failed&state=succeeded", {"failed", "done"}),
        ("?action=download_website", {"other"}),
        ("?queue=default", {"failed", "done", "other", "batched"}),
        ("?queue=browser", set()),
        ("?batch=night", {"batched"}),
        ("?state=queued&action=fakejob&batch=night", {"batched"}),
        ("?since=2023-11-14T22:13:20Z", {"failed", "done", "other", "batched"}),
        ("?since=2023-11-14T22:13:21Z", set()),
        ("?since=1+hour", {"failed", "done", "other", "batched"}),
    ],
)
def test_each_filter_narrows_the_list(client: FlaskClient, stage: Stage, query: str, names: set[str]) -> None:
    jobs = {
        "failed": submitted(client),
        "done": submitted(client),
        "other": submitted(client, action="download_website", params={"url": "http://a"}),
        "batched": submitted(client, batch="night"),
    }
    stage.failed(jobs["failed"], "timeout", "Too slow.")
    stage.succeeded(jobs["done"], {})

    assert set(listed(client, query)) == {jobs[name] for name in names}


def test_how_long_ago_is_counted_from_now(client: FlaskClient, stage: Stage) -> None:
    old = submitted(client)
    stage.clock.advance(3600)
    young = submitted(client)

    assert listed(client, "?since=30m") == [young]
    assert listed(client, "?since=3600") == [young, old]


def test_jobs_are_found_by_their_labels(client: FlaskClient, stage: Stage) -> None:
    labels = {"problem_id": "p 1", "agent": "writer"}
    marked = stage.kernel.bus.submit(Submission(action="fakejob", labels=labels)).id
    submitted(client)

    assert listed(client, "?label.problem_id=p%201&label.agent=writer") == [marked]
    assert listed(client, "?label.problem_id=p%201&label.agent=reader") == []


def test_pages_follow_each_other_without_gap_or_overlap(client: FlaskClient) -> None:
    jobs = [submitted(client) for _ in range(5)]

    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/jobs?limit=2{cursor and f'&cursor={cursor}'}").json
        pages.append([job["job_id"] for job in page["jobs"]])
        cursor = page["next_cursor"]

    assert pages == [jobs[:2:-1], jobs[2:0:-1], jobs[:1]]


def test_a_waiting_job_is_cancelled_with_a_reason(client: FlaskClient) -> None:
    job_id = submitted(client)

    answer = client.post(f"/api/jobs/{job_id}/cancel", json={"reason": "No longer needed."})

    error = {"code": "cancelled", "message": "No longer needed.", "attempt": 0, "at": THEN}
    told = {"state": "cancelled", "cancel_reason": "No longer needed.", "ended_at": THEN, "error": error}
    assert (answer.status_code, answer.json) == (200, summary(job_id, **told, version=2))


def test_a_running_job_is_asked_to_stop_without_a_body(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    stage.claimed(job_id)

    answer = client.post(f"/api/jobs/{job_id}/cancel")

    told = [answer.json[name] for name in ("state", "cancel_requested", "cancel_reason")]
    assert told == ["running", True, "Cancelled on request."]


def test_an_ended_job_cannot_be_cancelled(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    stage.succeeded(job_id, {})

    answer = client.post(f"/api/jobs/{job_id}/cancel", json={})

    assert (answer.status_code, answer.json) == (
        409,
        {
            "status": "error",
            "code": "job_ended",
            "message": f"Job {job_id} has already ended: succeeded.",
            "hint": "",
            "job_id": job_id,
        },
    )


def test_an_ended_job_runs_again_as_a_new_one(client: FlaskClient, stage: Stage) -> None:
    old = submitted(client, params={"delay_seconds": 2}, priority=8, batch="night")
    stage.failed(old, "timeout", "Too slow.")

    same = client.post(f"/api/jobs/{old}/retry")
    edited = client.post(f"/api/jobs/{old}/retry", json={"params": {"delay_seconds": 1}})

    told = {"priority": 8, "batch": "night", "retried_from": old}
    assert (same.status_code, same.json) == (201, summary(same.json["job_id"], **told))
    assert same.headers["Location"] == f"/api/jobs/{same.json['job_id']}"
    assert stage.engine.get(same.json["job_id"]).params == {"delay_seconds": 2}
    assert stage.engine.get(edited.json["job_id"]).params == {"delay_seconds": 1}


def test_a_retry_with_a_repeated_key_is_the_same_retry(client: FlaskClient, stage: Stage) -> None:
    old = submitted(client)
    stage.failed(old, "timeout", "Too slow.")
    url, headers = f"/api/jobs/{old}/retry", {"Idempotency-Key": "k1"}

    first, again = (client.post(url, headers=headers) for _ in range(2))
    other = client.post(url, json={"params": {"delay_seconds": 1}}, headers=headers)

    assert first.json["job_id"] == again.json["job_id"]
    assert (other.status_code, other.json["code"]) == (409, "idempotency_conflict")
    assert client.post(url).json["job_id"] != first.json["job_id"]


def test_a_job_that_has_not_ended_is_not_run_again(client: FlaskClient) -> None:
    job_id = submitted(client)

    answer = client.post(f"/api/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json["code"], answer.json["job_id"]) == (409, "job_not_ended", job_id)


def test_edited_params_are_checked_as_those_of_any_submission(client: FlaskClient, stage: Stage) -> None:
    old = submitted(client)
    stage.succeeded(old, {})

    answer = client.post(f"/api/jobs/{old}/retry", json={"params": {"delay_seconds": "long"}})

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_params")
    assert [problem["field"] for problem in answer.json["problems"]] == ["params.delay_seconds"]
    assert len(stage.engine.find(Query()).jobs) == 1


@pytest.mark.parametrize("path", ["", "/cancel", "/retry", "/logs", "/files", "/files/a.txt"])
def test_a_job_that_was_never_known_is_404_and_one_that_was_purged_410(
    client: FlaskClient, stage: Stage, path: str
) -> None:
    purged, method = submitted(client), "POST" if path in {"/cancel", "/retry"} else "GET"
    stage.succeeded(purged, {})
    stage.engine.purge(NOW + 1)

    unknown = client.open(f"/api/jobs/{an_id()}{path}", method=method)
    gone = client.open(f"/api/jobs/{purged}{path}", method=method)

    assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_job")
    assert (gone.status_code, gone.json["code"]) == (410, "expired")


def test_reading_changes_nothing(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    stage.succeeded(job_id, {"n": 1})
    before = stage.engine.get(job_id)

    for path in ("", f"/{job_id}", f"/{job_id}/logs", f"/{job_id}/files"):
        assert client.get(f"/api/jobs{path}").status_code == 200

    assert stage.engine.get(job_id) == before
