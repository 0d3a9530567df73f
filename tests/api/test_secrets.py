"""A secret among the params of a job is shown by no door, whichever it came in through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.doorkeeper import OPEN_ENDPOINTS
from core.event_bus import EventMessage
from core.secrets import MASK
from tests.api.stage import Stage
from tests.factories import an_id

ACTION = '''
from pydantic import SecretStr

def run(
    url: str = "", password: str = "", word: SecretStr | None = None, headers: dict = {}, problem_id: str = ""
) -> dict:
    """Hold secrets."""
    return {}
'''
CANARY = "canary-5f1d9c3a"
PARAMS = {
    "url": f"https://user:{CANARY}@host/?api_key={CANARY}",
    "password": CANARY,
    "word": CANARY,
    "headers": {"Authorization": f"Bearer {CANARY}", "Accept": "*"},
}
#: Answers that never end.
ENDLESS = {"/api/events"}
#: Door → how it takes in a job for the action; doors that take in none are not here.
SUBMISSIONS: dict[str, tuple[str, Any]] = {
    "aafai": ("/inbound", {"action": "holder", "params": PARAMS}),
    "aafai, many": ("/inbound", {"jobs": [{"action": "holder", "params": PARAMS}]}),
    "robotni": ("/api/worker/jobs", {"type": "holder", "params": PARAMS}),
    "executor": ("/api/v1/tasks", {"problem_id": "holder", "parameters": PARAMS}),
    "actions": ("/api/actions/holder", PARAMS),
}


@pytest.fixture
def heard(stage: Stage) -> list[EventMessage]:
    messages: list[EventMessage] = []
    stage.kernel.bus.events.subscribe("test", None, messages.append)
    return messages


@pytest.fixture
def client(stage: Stage) -> FlaskClient:
    (stage.folder / "actions" / "holder.py").write_text(ACTION)
    stage.kernel.registry.load()
    return stage.client()


def told(client: FlaskClient, job_id: str, method: str = "GET") -> Iterator[tuple[str, TestResponse]]:
    """Yield the answer of every route that can be asked for the job."""
    for rule in client.application.url_map.iter_rules():
        if (
            method in (rule.methods or ())
            and rule.rule not in ENDLESS
            and rule.endpoint not in OPEN_ENDPOINTS
        ):
            yield rule.rule, client.open(re.sub("<[^>]*>", job_id, rule.rule), method=method)
    yield "/outbound", client.open(f"/outbound?job_id={job_id}", method=method)


def the_job(answer: TestResponse) -> str:
    """Return the job id of an answer, whatever it is called there."""
    found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", answer.text)
    assert found, answer.text
    return found[0]


@pytest.mark.parametrize("end", ["waiting", "succeeded", "failed"])
@pytest.mark.parametrize("door", SUBMISSIONS)
def test_no_answer_and_no_event_tells_a_secret(
    client: FlaskClient, stage: Stage, heard: list[EventMessage], door: str, end: str
) -> None:
    url, body = SUBMISSIONS[door]

    submitted = client.post(url, json=body)
    assert submitted.status_code < 300, submitted.text
    job_id = the_job(submitted)
    if end == "succeeded":
        stage.succeeded(job_id, {"fine": True})
    if end == "failed":
        stage.failed(job_id, "action_error", "It did not work.")

    answers = {"its submission": submitted, **dict(told(client, job_id))}
    assert stage.engine.get(job_id).params["password"] == CANARY
    assert {
        where for where, answer in answers.items() if CANARY in answer.text + str(answer.headers)
    } == set()
    assert CANARY not in repr(heard)
    assert any(MASK in answer.text for answer in answers.values())


def test_what_is_no_secret_is_shown_beside_the_mask(client: FlaskClient) -> None:
    url, body = SUBMISSIONS["robotni"]
    job_id = the_job(client.post(url, json=body))

    shown = client.get(f"/api/worker/jobs/{job_id}").json["params"]

    assert shown == {
        "url": f"https://user:{MASK}@host/?api_key={MASK}",
        "password": MASK,
        "word": MASK,
        "headers": {"Authorization": MASK, "Accept": "*"},
    }


def test_of_a_job_whose_action_is_gone_all_params_are_hidden(client: FlaskClient, stage: Stage) -> None:
    url, body = SUBMISSIONS["robotni"]
    job_id = the_job(client.post(url, json=body))

    (stage.folder / "actions" / "holder.py").unlink()
    stage.kernel.registry.load()

    assert CANARY not in client.get(f"/api/worker/jobs/{job_id}").text
    assert client.get(f"/api/worker/jobs/{job_id}").json["params"]["word"] == MASK


@pytest.mark.parametrize("door", SUBMISSIONS)
def test_a_refusal_does_not_repeat_what_it_refuses(client: FlaskClient, door: str) -> None:
    url, body = SUBMISSIONS[door]
    text = json.dumps(body)
    wrong = [
        text.replace('"password": "' + CANARY + '"', f'"password": ["{CANARY}"]'),
        text.replace('"password": ', f'"unknown_field": "{CANARY}", "password": '),
        text.replace('"password": ', f'"headers": "{CANARY}", "password": '),
        text[:-3],
    ]

    for one in wrong:
        answer = client.post(url, data=one, content_type="application/json")
        assert 400 <= answer.status_code < 500, one
        assert CANARY not in answer.text, answer.text


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_no_answer_to_a_cancellation_tells_a_secret(client: FlaskClient, method: str) -> None:
    url, body = SUBMISSIONS["aafai"]
    job_id = the_job(client.post(url, json=body))

    assert {where for where, answer in told(client, job_id, method) if CANARY in answer.text} == set()


def test_a_mask_is_not_run_in_the_place_of_a_secret(client: FlaskClient, stage: Stage) -> None:
    url, body = SUBMISSIONS["aafai"]
    job_id = the_job(client.post(url, json=body))
    stage.failed(job_id, "action_error", "It did not work.")
    shown = client.get(f"/api/jobs/{job_id}").json["params"]

    refused = client.post(f"/api/jobs/{job_id}/retry", json={"params": shown})
    same = client.post(f"/api/jobs/{job_id}/retry", json={})
    other = client.post(f"/api/jobs/{job_id}/retry", json={"params": {"password": "another"}})

    assert (refused.status_code, refused.json["field"]) == (400, "params")
    assert stage.engine.get(the_job(same)).params["password"] == CANARY
    assert stage.engine.get(the_job(other)).params["password"] == "another"


def test_the_file_of_a_job_that_nobody_knows_tells_nothing(client: FlaskClient) -> None:
    assert all(CANARY not in answer.text for _, answer in told(client, an_id()))
