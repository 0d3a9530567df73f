"""Transcripts of the Robotni dialect: request → exact JSON."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core import lifecycle
from core.ids import JOB_ID
from core.jobs import JobError, State
from core.pool import Slot
from tests.api.stage import Stage
from tests.factories import NOW, a_job

JOBS = "/api/worker/jobs"
#: An id that no job has.
NOBODYS = "018bcfe5-6800-7000-8000-000000000000"


def submit(client: FlaskClient, **fields: Any) -> str:
    answer = client.post(JOBS, json={"type": "fakejob", **fields})
    assert answer.status_code == 200, answer.json
    return answer.json["job_id"]


def test_a_job_is_submitted_in_the_words_of_the_seed(client: FlaskClient, stage: Stage) -> None:
    answer = client.post(JOBS, json={"type": "fakejob", "params": {"delay_seconds": 10}})

    job_id = answer.json["job_id"]
    assert (answer.status_code, answer.json) == (200, {"job_id": job_id, "status": "queued"})
    assert JOB_ID.fullmatch(job_id)
    assert (stage.engine.get(job_id).action, stage.engine.get(job_id).params) == (
        "fakejob",
        {"delay_seconds": 10},
    )


@pytest.mark.parametrize("fields", [{}, {"params": None}, {"params": {}}])
def test_params_may_be_left_out(client: FlaskClient, stage: Stage, fields: dict[str, Any]) -> None:
    assert stage.engine.get(submit(client, **fields)).params == {}


@pytest.mark.parametrize("unknown", ["parsing", "", "Fakejob", "../fakejob", "f" * 10_000])
def test_an_unknown_type_is_refused_in_the_words_of_the_seed(client: FlaskClient, unknown: str) -> None:
    answer = client.post(JOBS, json={"type": unknown})

    assert (answer.status_code, answer.json) == (400, {"detail": "Unsupported job type"})


def test_a_job_is_told_in_the_words_of_the_seed(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client, params={"delay_seconds": 10})
    asked = {"id": job_id, "type": "fakejob", "params": {"delay_seconds": 10}}

    waits = client.get(f"{JOBS}/{job_id}")
    stage.succeeded(job_id, {"waited": 7})
    ended = client.get(f"{JOBS}/{job_id}")

    assert (waits.status_code, waits.json) == (
        200,
        {**asked, "status": "queued", "result": None, "error": None},
    )
    assert (ended.status_code, ended.json) == (
        200,
        {**asked, "status": "done", "result": {"waited": 7}, "error": None},
    )


def test_a_running_job_is_running_until_its_process_is_gone(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.claimed(job_id)
    stage.kernel.bus.cancel(job_id)

    assert client.get(f"{JOBS}/{job_id}").json["status"] == "running"


def test_a_failed_job_says_why(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.failed(job_id, "timeout", "It took longer than 60 s.")

    answer = client.get(f"{JOBS}/{job_id}").json

    assert (answer["status"], answer["result"], answer["error"]) == (
        "failed",
        None,
        "It took longer than 60 s.",
    )


def test_a_cancelled_job_is_failed_with_the_error_cancelled(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.kernel.bus.cancel(job_id, reason="No longer wanted.")

    answer = client.get(f"{JOBS}/{job_id}").json

    assert (answer["status"], answer["result"], answer["error"]) == ("failed", None, "cancelled")


def test_a_job_that_waits_for_another_attempt_is_queued_and_has_not_failed(
    client: FlaskClient, stage: Stage
) -> None:
    job_id = submit(client)
    claimed = stage.claimed(job_id)
    error = JobError(code="action_error", message="Not yet.")
    stage.engine.swap(claimed, lifecycle.failed(claimed, error=error, now=NOW, delay=60))

    answer = client.get(f"{JOBS}/{job_id}").json

    assert (answer["status"], answer["error"]) == ("queued", None)


@pytest.mark.parametrize("job_id", [NOBODYS, "uuid-string", "..", "a%5cb", "%0a", "x" * 4096])
def test_an_unknown_job_is_told_in_the_words_of_the_seed(client: FlaskClient, job_id: str) -> None:
    answers = client.get(f"{JOBS}/{job_id}"), client.delete(f"{JOBS}/{job_id}")

    assert [(answer.status_code, answer.json) for answer in answers] == [
        (404, {"detail": "Job not found"}),
        (404, {"detail": "Job not found"}),
    ]


def test_an_expired_job_is_gone(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {})
    stage.engine.purge(NOW + 1)

    answer = client.get(f"{JOBS}/{job_id}")

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert answer.json["detail"] == f"Job {job_id} ended and its record has expired."


def test_jobs_are_listed_newest_first_page_by_page(client: FlaskClient, stage: Stage) -> None:
    first, second, third = (submit(client, params={"delay_seconds": 3}) for _ in range(3))
    stage.failed(second, "timeout", "Too slow.")

    page = client.get(f"{JOBS}?limit=2").json
    rest = client.get(f"{JOBS}?limit=2&cursor={page['next_cursor']}").json

    assert page == {
        "jobs": [
            {"id": third, "type": "fakejob", "status": "queued", "error": None},
            {"id": second, "type": "fakejob", "status": "failed", "error": "Too slow."},
        ],
        "next_cursor": second,
    }
    assert rest == {
        "jobs": [{"id": first, "type": "fakejob", "status": "queued", "error": None}],
        "next_cursor": None,
    }


def test_a_list_shows_fifty_jobs_unless_told_otherwise(client: FlaskClient) -> None:
    client.post("/inbound", json={"jobs": [{"action": "fakejob"}] * 51})

    assert len(client.get(JOBS).json["jobs"]) == 50
    assert len(client.get(f"{JOBS}?limit=1000").json["jobs"]) == 51


def test_a_waiting_job_is_cancelled(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)

    answer = client.delete(f"{JOBS}/{job_id}")

    assert (answer.status_code, answer.json) == (200, {"job_id": job_id, "status": "failed"})
    assert stage.engine.get(job_id).state is State.CANCELLED


def test_a_running_job_is_asked_to_stop(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.claimed(job_id)

    answers = [client.delete(f"{JOBS}/{job_id}") for _ in range(2)]

    assert [(answer.status_code, answer.json) for answer in answers] == [
        (200, {"job_id": job_id, "status": "running"})
    ] * 2
    assert stage.engine.get(job_id).cancel_requested


def test_an_ended_job_cannot_be_cancelled(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"waited": 1})

    answer = client.delete(f"{JOBS}/{job_id}")

    assert (answer.status_code, answer.json) == (409, {"detail": "Job has already ended"})
    assert stage.engine.get(job_id).state is State.SUCCEEDED


def test_the_status_counts_what_waits_and_who_works(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = [Slot(f"worker-{number}", "default", NOW) for number in range(3)]
    slots[0].job = a_job()
    slots[1].gone.set()
    monkeypatch.setattr(stage.kernel.pool, "status", lambda: slots)
    stage.claimed(submit(client))
    stage.succeeded(submit(client), {})
    for _ in range(2):
        submit(client)

    answer = client.get("/api/worker/status")

    assert (answer.status_code, answer.json) == (
        200,
        {"queue_depth": 2, "active_workers": 2, "status": "running"},
    )


def test_a_bus_that_accepts_nothing_any_more_is_stopping(client: FlaskClient, stage: Stage) -> None:
    stage.kernel.bus.gate.close(retry_after=30)

    refused = client.post(JOBS, json={"type": "fakejob"})

    assert client.get("/api/worker/status").json["status"] == "stopping"
    assert (refused.status_code, refused.headers["Retry-After"], refused.json["code"]) == (
        503,
        "30",
        "shutting_down",
    )


def test_the_types_are_the_actions_with_their_params(client: FlaskClient) -> None:
    answer = client.get("/api/worker/types")

    url = {"type": "string", "required": True, "description": ""}
    delay = {"type": "integer", "default": 5, "description": ""}
    assert (answer.status_code, answer.json) == (
        200,
        {
            "download_website": {"description": "Fetch a page.", "params": {"url": url}},
            "fakejob": {"description": "Wait.\n\nLonger.", "params": {"delay_seconds": delay}},
        },
    )


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        ("str | None", "string"),
        ("list[int]", "array"),
        ("dict[str, str]", "object"),
        ("Literal['a', 'b']", "string"),
        ("Colour", "string"),
        ("Point | None", "object"),
        ("float", "number"),
        ("bool", "boolean"),
        ("Any", "any"),
    ],
)
def test_the_type_of_a_param_is_one_word_of_json(stage: Stage, annotation: str, named: str) -> None:
    text = (
        "from enum import StrEnum\nfrom typing import Annotated, Any, Literal\n"
        "from pydantic import BaseModel, Field\n"
        "class Colour(StrEnum):\n    RED = 'red'\n"
        "class Point(BaseModel):\n    x: int\n"
        f"def run(given: Annotated[{annotation}, Field(description='What is given.')]) -> dict: ...\n"
    )
    (stage.folder / "actions" / "typed.py").write_text(text)
    stage.kernel.registry.load()

    types = stage.client().get("/api/worker/types").json

    assert types["typed"]["params"] == {
        "given": {"type": named, "required": True, "description": "What is given."}
    }


def test_a_repeated_key_is_the_same_job(client: FlaskClient, stage: Stage) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = client.post(JOBS, json={"type": "fakejob"}, headers=headers).json
    again = client.post(JOBS, json={"type": "fakejob"}, headers=headers).json

    other = client.post(JOBS, json={"type": "fakejob", "params": {"delay_seconds": 1}}, headers=headers)

    assert first == again
    assert (other.status_code, other.json["code"], other.json["job_id"]) == (
        409,
        "idempotency_conflict",
        first["job_id"],
    )
    assert stage.engine.count()[State.QUEUED] == 1


def test_a_secret_among_the_params_is_masked(stage: Stage) -> None:
    text = "def run(user: str, password: str) -> dict:\n    return {}\n"
    (stage.folder / "actions" / "login.py").write_text(text)
    stage.kernel.registry.load()
    client = stage.client()
    params = {"user": "anne", "password": "s3cr3t"}

    job_id = client.post(JOBS, json={"type": "login", "params": params}).json["job_id"]

    assert client.get(f"{JOBS}/{job_id}").json["params"] == {"user": "anne", "password": "***"}
    assert stage.engine.get(job_id).params == params
