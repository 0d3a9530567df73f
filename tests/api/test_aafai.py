"""Transcripts of the aafai dialect: request → exact JSON."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from core.ids import JOB_ID
from core.jobs import Query, State
from tests.api.stage import Stage, a_stage
from tests.factories import NOW, an_id
from tests.fakes import FakeClock


def submit(client: FlaskClient, **fields: object) -> str:
    answer = client.post("/inbound", json={"action": "fakejob", **fields})
    assert answer.status_code == 200, answer.json
    return answer.json["job_id"]


def test_a_submission_is_answered_with_its_job_id(client: FlaskClient, stage: Stage) -> None:
    answer = client.post("/inbound", json={"action": "fakejob", "params": {"delay_seconds": 2}})

    job_id = answer.json["job_id"]
    assert (answer.status_code, answer.json) == (200, {"status": "received", "job_id": job_id})
    assert JOB_ID.fullmatch(job_id)
    assert stage.engine.get(job_id).params == {"delay_seconds": 2}


def test_every_optional_field_reaches_the_job(client: FlaskClient, stage: Stage) -> None:
    fields = {"priority": 9, "run_after": 60, "timeout": "1 minute", "max_attempts": 2, "batch": "b1"}

    job = stage.engine.get(submit(client, **fields))

    assert (job.priority, job.run_after, job.timeout, job.max_attempts, job.batch) == (
        9,
        NOW + 60,
        60.0,
        2,
        "b1",
    )


def test_a_waiting_job_is_pending_in_the_words_of_the_seed(client: FlaskClient) -> None:
    job_id = submit(client)

    answer = client.get(f"/outbound?job_id={job_id}")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "status": "pending",
            "message": "Job not yet complete.",
            "job_id": job_id,
            "state": "queued",
            "progress": None,
        },
    )


def test_a_running_job_is_pending_and_shows_its_progress(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.progressed(job_id, 0.5, "page 3 of 6")

    answer = client.get(f"/outbound?job_id={job_id}")

    assert (answer.json["status"], answer.json["state"]) == ("pending", "running")
    assert answer.json["progress"] == {
        "fraction": 0.5,
        "message": "page 3 of 6",
        "at": "2023-11-14T22:13:20+00:00",
    }


def test_a_complete_job_gives_its_result_and_gives_it_again(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"text": "grüß 🚌", "size_bytes": 12345, "warning": None})

    first, second = (client.get(f"/outbound?job_id={job_id}") for _ in range(2))

    assert first.json == {
        "job_id": job_id,
        "status": "complete",
        "result": {"text": "grüß 🚌", "size_bytes": 12345, "warning": None},
    }
    assert (first.status_code, first.data) == (second.status_code, second.data)


def test_the_keys_of_a_result_keep_their_order(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"zebra": 1, "apple": 2})

    assert b'{"zebra":1,"apple":2}' in client.get(f"/outbound?job_id={job_id}").data


def test_a_failed_job_says_why_in_one_sentence(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.failed(job_id, "timeout", "It took longer than 60 s.")

    answer = client.get(f"/outbound?job_id={job_id}")

    assert (answer.status_code, answer.json) == (
        200,
        {"job_id": job_id, "status": "failed", "error": "It took longer than 60 s.", "code": "timeout"},
    )


def test_a_message_with_half_a_character_is_still_json(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.failed(job_id, "action_error", "bad \udc80 byte")

    assert client.get(f"/outbound?job_id={job_id}").json["error"] == "bad \udc80 byte"


def test_a_cancelled_job_is_cancelled(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.kernel.bus.cancel(job_id, reason="No longer wanted.")

    answer = client.get(f"/outbound?job_id={job_id}")

    assert answer.json == {
        "job_id": job_id,
        "status": "cancelled",
        "error": "No longer wanted.",
        "code": "cancelled",
    }


def test_a_poll_without_an_id_is_refused_in_the_words_of_the_seed(client: FlaskClient) -> None:
    answer = client.get("/outbound")

    assert answer.status_code == 400
    assert (answer.json["status"], answer.json["message"]) == ("error", "Job ID is required")


def test_an_unknown_job_is_404_and_stops_every_client(client: FlaskClient) -> None:
    job_id = an_id()

    answer = client.get(f"/outbound?job_id={job_id}")

    assert (answer.status_code, answer.json) == (
        404,
        {
            "status": "failed",
            "code": "unknown_job",
            "message": f"There is no job {job_id}.",
            "hint": "",
            "job_id": job_id,
            "error": f"There is no job {job_id}.",
        },
    )


def test_an_expired_job_is_410_and_stops_every_client(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {})
    stage.engine.purge(NOW + 1)

    answer = client.get(f"/outbound?job_id={job_id}")

    assert answer.status_code == 410
    assert (answer.json["status"], answer.json["code"]) == ("failed", "expired")
    assert answer.json["error"] == f"Job {job_id} ended and its record has expired."


def test_an_id_in_upper_case_is_the_same_id(client: FlaskClient) -> None:
    job_id = submit(client)

    assert client.get(f"/outbound?job_id={job_id.upper()}").json["job_id"] == job_id


def test_only_reading_how_a_job_ended_counts_as_delivery(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    client.get(f"/outbound?job_id={job_id}")
    stage.succeeded(job_id, {})
    client.head(f"/outbound?job_id={job_id}")
    client.post("/outbound", json={"job_ids": [job_id], "fields": "status"})
    unread = dict(stage.kernel.deliveries.unread())

    client.get(f"/outbound?job_id={job_id}")

    assert list(unread) == [job_id]
    assert not stage.kernel.deliveries.unread()


def test_waiting_ends_with_the_job(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(client)
    looked, peek = threading.Event(), stage.engine.peek
    monkeypatch.setattr(stage.engine, "peek", lambda asked: (peek(asked), looked.set())[0])

    with ThreadPoolExecutor(1) as others:
        answer = others.submit(client.get, f"/outbound?job_id={job_id}&wait=20")
        assert looked.wait(60)
        stage.succeeded(job_id, {"n": 1})

        assert answer.result(10).json == {"job_id": job_id, "status": "complete", "result": {"n": 1}}


def test_waiting_ends_with_its_time(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    client = stage.client()
    job_id = submit(client)
    began = stage.clock.monotonic()

    answer = client.get(f"/outbound?job_id={job_id}&wait=2.5")

    assert answer.json["status"] == "pending"
    assert stage.clock.monotonic() - began == pytest.approx(2.5)


def test_beyond_the_places_for_long_polls_the_answer_comes_at_once(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    client = stage.client(long_polls=0)
    job_id = submit(client)
    began = stage.clock.monotonic()

    answer = client.get(f"/outbound?job_id={job_id}&wait=25")

    assert (answer.json["status"], stage.clock.monotonic()) == ("pending", began)


def test_a_place_for_a_long_poll_is_given_back(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    client = stage.client(long_polls=1)
    job_id = submit(client)
    began = stage.clock.monotonic()

    for _ in range(3):
        client.get(f"/outbound?job_id={job_id}&wait=1")
        client.get(f"/outbound?job_id={an_id()}&wait=1")

    assert stage.clock.monotonic() - began == pytest.approx(3)


@pytest.mark.parametrize(
    ("wait", "code"),
    [("26", "out_of_range"), ("-1", "out_of_range"), ("soon", "wrong_type"), ("nan", "out_of_range")],
)
def test_a_wait_that_cannot_be_kept_is_refused(client: FlaskClient, wait: str, code: str) -> None:
    answer = client.get(f"/outbound?job_id={an_id()}&wait={wait}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, "wait")


def test_a_repeated_key_with_the_same_body_is_the_same_job(client: FlaskClient, stage: Stage) -> None:
    first = submit(client, idempotency_key="k1")
    by_header = client.post("/inbound", json={"action": "fakejob"}, headers={"Idempotency-Key": "k1"})

    assert (by_header.status_code, by_header.json["job_id"]) == (200, first)
    assert stage.engine.count()[State.QUEUED] == 1


def test_a_repeated_key_with_another_body_is_a_conflict_that_names_the_job(client: FlaskClient) -> None:
    first = submit(client, idempotency_key="k1")

    answer = client.post("/inbound", json={"action": "fakejob", "priority": 1, "idempotency_key": "k1"})

    assert answer.status_code == 409
    assert (answer.json["status"], answer.json["code"], answer.json["job_id"]) == (
        "error",
        "idempotency_conflict",
        first,
    )


def test_the_same_key_32_times_at_once_is_one_job(stage: Stage) -> None:
    app = stage.client().application
    body = {"action": "fakejob", "idempotency_key": "k1"}

    with ThreadPoolExecutor(32) as many:
        asked = [many.submit(app.test_client().post, "/inbound", json=body) for _ in range(32)]
        answers = [one.result() for one in asked]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["job_id"] for answer in answers}) == 1


def test_a_header_and_a_field_that_differ_are_refused(client: FlaskClient, stage: Stage) -> None:
    body = {"action": "fakejob", "idempotency_key": "k1"}

    answer = client.post("/inbound", json=body, headers={"Idempotency-Key": "k2"})

    assert (answer.status_code, answer.json["code"]) == (400, "conflicting_fields")
    assert not stage.engine.find(Query()).jobs


def test_many_jobs_are_taken_in_at_once(client: FlaskClient, stage: Stage) -> None:
    answer = client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 2, "batch": "night"})

    ids = answer.json["job_ids"]
    assert answer.json == {"status": "received", "job_ids": ids, "batch": "night"}
    assert [stage.engine.get(job_id).batch for job_id in ids] == ["night", "night"]


def test_a_batch_without_a_name_gets_one(client: FlaskClient) -> None:
    first, second = (client.post("/inbound", json={"jobs": [{"action": "fakejob"}]}).json for _ in range(2))

    assert first["batch"] != second["batch"]
    assert len(client.post("/outbound", json={"batch": first["batch"]}).json["jobs"]) == 1


def test_two_jobs_of_a_batch_under_one_key_must_ask_for_the_same(client: FlaskClient, stage: Stage) -> None:
    one, other = ({"action": "fakejob", "priority": priority, "idempotency_key": "k"} for priority in (1, 2))

    refused = client.post("/inbound", json={"jobs": [one, one, other]})
    same = client.post("/inbound", json={"jobs": [one, one]})

    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (
        400,
        "conflicting_fields",
        "jobs[2].idempotency_key",
    )
    assert len(set(same.json["job_ids"])) == 1
    assert sum(stage.engine.count().values()) == 1


def test_a_repeated_batch_with_keys_is_the_same_batch(client: FlaskClient) -> None:
    body = {"jobs": [{"action": "fakejob", "idempotency_key": f"k{number}"} for number in range(3)]}

    first, second = (client.post("/inbound", json=body).json for _ in range(2))

    assert first == second


def test_a_batch_is_stored_whole_or_not_at_all(client: FlaskClient, stage: Stage) -> None:
    jobs = [{"action": "fakejob"}, {"action": "fakejob", "priority": 11}]

    answer = client.post("/inbound", json={"jobs": jobs})

    assert (answer.status_code, answer.json["field"]) == (400, "jobs[1].priority")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"jobs": {}}, "wrong_type", "jobs"),
        ({"jobs": []}, "bad_batch_size", "jobs"),
        ({"jobs": [{"action": "fakejob"}] * 1001}, "bad_batch_size", "jobs"),
        ({"jobs": [3]}, "must_be_object", "jobs[0].body"),
        ({"jobs": [{"action": "fakejob"}], "batch": "a b"}, "bad_batch", "batch"),
        ({"jobs": [{"action": "fakejob"}], "priority": 1}, "unknown_field", "priority"),
    ],
)
def test_a_batch_that_is_none_is_refused(client: FlaskClient, body: object, code: str, field: str) -> None:
    answer = client.post("/inbound", json=body)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)


def test_a_batch_cannot_have_one_key_for_all(client: FlaskClient) -> None:
    answer = client.post("/inbound", json={"jobs": [{"action": "fakejob"}]}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json["code"]) == (400, "conflicting_fields")


def test_the_queues_list_each_job_once_with_counts_beside(client: FlaskClient, stage: Stage) -> None:
    waiting, running, done, failed = (submit(client) for _ in range(4))
    stage.claimed(running)
    stage.succeeded(done, {"secret": "s3cr3t"})
    stage.failed(failed, "timeout", "Too slow.")

    lists = client.get("/queues").json

    ids = {name: [job["job_id"] for job in jobs] for name, jobs in lists.items() if name != "counts"}
    ended = {"outbound": [done], "failed": [failed], "consumed": []}
    assert ids == {"inbound": [waiting], "processing": [running], **ended}
    assert lists["counts"] == {"inbound": 1, "processing": 1, "outbound": 1, "failed": 1, "consumed": 0}
    assert lists["failed"][0]["code"] == "timeout"
    assert b"s3cr3t" not in client.get("/queues").data


def test_the_queues_show_at_most_100_of_each(client: FlaskClient) -> None:
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 101})

    lists = client.get("/queues").json

    assert (len(lists["inbound"]), lists["counts"]["inbound"]) == (100, 101)


def test_a_purge_removes_only_what_ended_long_enough_ago(client: FlaskClient, stage: Stage) -> None:
    waiting, done = submit(client), submit(client)
    stage.succeeded(done, {})
    stage.clock.advance(2 * 86_400)

    early = client.post("/purge", json={"days": 3}).json
    answer = client.post("/purge", json={"days": 1.5})

    assert early == {"status": "ok", "message": "Removed 0 jobs that ended more than 3 days ago."}
    assert answer.json == {"status": "ok", "message": "Removed 1 job that ended more than 1.5 days ago."}
    assert client.get(f"/outbound?job_id={done}").status_code == 410
    assert client.get(f"/outbound?job_id={waiting}").status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"days": None}, "missing_field"),
        ({"days": "7"}, "wrong_type"),
        ({"days": True}, "wrong_type"),
        ({"days": -1}, "out_of_range"),
        ({"days": 1e300}, "out_of_range"),
        ({"days": 1, "weeks": 2}, "unknown_field"),
    ],
)
def test_a_purge_of_nonsense_is_refused(client: FlaskClient, body: object, code: str) -> None:
    answer = client.post("/purge", json=body)

    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (400, "error", code)


def test_a_closed_gate_refuses_with_the_time_to_come_back(client: FlaskClient, stage: Stage) -> None:
    stage.kernel.bus.gate.close(retry_after=30)

    answer = client.post("/inbound", json={"action": "fakejob"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert (answer.json["status"], answer.json["code"]) == ("error", "shutting_down")
    assert not stage.engine.find(Query()).jobs


def test_reading_changes_nothing(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"n": 1})
    before = stage.engine.get(job_id)

    client.get(f"/outbound?job_id={job_id}")
    client.post("/outbound", json={"job_ids": [job_id]})
    client.get("/queues")

    assert stage.engine.get(job_id) == before
