"""Whose jobs they are: a token that sees the own jobs only can neither read, steer nor hear of others'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.doors import Door
from tests.api.stage import Stage


@pytest.fixture
def door(stage: Stage, tmp_path: Path) -> Door:
    return Door(stage, tmp_path / "tokens.json", {"downloads": tmp_path / "downloads"})


@pytest.fixture
def anne(door: Door) -> str:
    """A token that sees the own jobs only."""
    return door.token(name="anne", scopes=("submit", "read"), own_jobs_only=True)


@pytest.fixture
def ben(door: Door) -> str:
    return door.token(name="ben")


def submitted(door: Door, token: str) -> str:
    answer = door.ask("POST", "/api/jobs", token, json={"action": "fakejob"})
    assert answer.status_code == 201, answer.json
    job_id: str = answer.json["job_id"]
    return job_id


def test_own_jobs_are_listed_and_no_others(door: Door, anne: str, ben: str) -> None:
    own, other = submitted(door, anne), submitted(door, ben)

    for query in ("", "?label.owner=ben", "?state=queued"):
        listed = [job["job_id"] for job in door.ask("GET", f"/api/jobs{query}", anne).json["jobs"]]
        assert other not in listed
    assert [job["job_id"] for job in door.ask("GET", "/api/jobs", anne).json["jobs"]] == [own]
    assert len(door.ask("GET", "/api/jobs", ben).json["jobs"]) == 2


@pytest.mark.parametrize("path", ["", "?wait=1", "/logs", "/logs?follow=true", "/files", "/files/a.txt"])
def test_jobs_of_others_are_not_there(door: Door, anne: str, ben: str, path: str) -> None:
    answer = door.ask("GET", f"/api/jobs/{submitted(door, ben)}{path}", anne)

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_job")


def test_jobs_of_others_are_neither_cancelled_nor_run_again(door: Door, anne: str, ben: str) -> None:
    waiting, ended = submitted(door, ben), submitted(door, ben)
    door.stage.failed(ended, "timeout", "Too slow.")

    for job_id, step in ((waiting, "cancel"), (ended, "retry")):
        one = door.ask("POST", f"/api/jobs/{job_id}/{step}", anne)
        many = door.ask("POST", f"/api/jobs/{step}", anne, json={"job_ids": [job_id]}).json
        found = door.ask("POST", f"/api/jobs/{step}", anne, json={"action": "fakejob"}).json
        assert (one.status_code, [error["code"] for error in many["errors"]]) == (404, ["unknown_job"])
        assert not any(found.get("cancelled", []) + found.get("retried", []) + found["errors"])
    assert door.stage.engine.get(waiting).state == "queued"


def test_events_of_others_are_not_heard(door: Door, anne: str, ben: str) -> None:
    stream = door.ask("GET", "/api/events", anne)
    submitted(door, ben)
    own = submitted(door, anne)
    door.stage.kernel.bus.hang_up()

    blocks = [block for block in b"".join(stream.response).split(b"\n\n") if b"data: {" in block]
    events = [json.loads(block.partition(b"data: ")[2]) for block in blocks][:-1]

    assert [event["payload"]["job_id"] for event in events] == [own]


def test_the_keys_of_two_callers_are_two_keys(door: Door, ben: str) -> None:
    carl, headers = door.token(name="carl"), {"Idempotency-Key": "k1"}

    first, second, again = (
        door.ask("POST", "/api/actions/fakejob", token, headers=headers).json["job_id"]
        for token in (ben, carl, ben)
    )

    assert first == again != second


@pytest.mark.parametrize("name", ["ben", "retry", "schedule"])
def test_no_caller_takes_a_key_of_another_or_of_the_bus(door: Door, name: str) -> None:
    """Who comes with the token of the settings has no name; a name may be that of what the bus does."""
    door.settings["token"] = master = "a-token-of-sixteen"
    door.client = door.opened()
    token = door.token(name=name)

    def stored(token: str, key: str) -> str | None:
        headers = {"Idempotency-Key": key}
        answer = door.ask("POST", "/api/jobs", token, json={"action": "fakejob"}, headers=headers)
        assert answer.status_code == 201, answer.json
        return door.stage.engine.get(answer.json["job_id"]).idempotency_key

    theirs, masters, plain = stored(token, "k/1"), stored(master, f"{name}/k/1"), stored(master, "k1")

    assert len({theirs, masters, f"{name}/k/1", plain}) == 4
    assert plain == "k1"


def test_a_job_that_somebody_else_runs_again_stays_its_owners(door: Door, anne: str, ben: str) -> None:
    old = submitted(door, anne)
    door.stage.failed(old, "timeout", "Too slow.")

    again = door.ask("POST", f"/api/jobs/{old}/retry", ben).json

    assert again["labels"] == {"owner": "anne"}
    assert door.ask("GET", f"/api/jobs/{again['job_id']}", anne).status_code == 200


def test_a_token_submits_only_for_its_actions(door: Door, ben: str) -> None:
    token = door.token(name="carl", actions=("download_website",))
    ended = submitted(door, ben)
    door.stage.failed(ended, "timeout", "Too slow.")

    answers = [
        door.ask("POST", "/api/actions/fakejob", token),
        door.ask("POST", "/api/jobs", token, json={"action": "fakejob"}),
        door.ask("POST", f"/api/jobs/{ended}/retry", token),
    ]
    many = door.ask("POST", "/api/jobs/retry", token, json={"job_ids": [ended]}).json

    assert [(one.status_code, one.json["code"]) for one in answers] == [(403, "action_not_allowed")] * 3
    assert [error["code"] for error in many["errors"]] == ["action_not_allowed"]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/jobs", "submit"),
        ("GET", "/api/events", "submit"),
        ("GET", "/api/actions", "submit"),
        ("POST", "/api/jobs", "read"),
        ("POST", "/api/jobs/cancel", "read"),
        ("POST", "/api/jobs/retry", "read"),
        ("POST", "/api/actions/fakejob", "read"),
    ],
)
def test_reading_needs_one_scope_and_changing_another(door: Door, method: str, path: str, scope: str) -> None:
    token = door.token(scopes=(scope,))

    answer = door.ask(method, path, token)

    assert (answer.status_code, answer.json["code"]) == (403, "scope_missing")


def test_a_secret_cannot_be_had_by_editing_the_rest(door: Door, ben: str) -> None:
    file = door.stage.folder / "actions" / "login.py"
    file.write_text("def run(host: str, password: str) -> None: ...\n")
    door.stage.kernel.registry.load()
    params = {"host": "a.example", "password": "s3cr3t"}
    old = door.ask("POST", "/api/actions/login", ben, json=params).json["job_id"]
    door.stage.failed(old, "timeout", "Too slow.")
    shown = door.ask("GET", f"/api/jobs/{old}", ben).json["params"]

    edited = {"params": {**shown, "host": "evil.example"}}
    answer = door.ask("POST", f"/api/jobs/{old}/retry", ben, json=edited)

    assert shown == {"host": "a.example", "password": "***"}
    assert (answer.status_code, answer.json["field"]) == (400, "params")
