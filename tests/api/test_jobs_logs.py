"""The log of a job: in parts, or followed until the job has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import LogEntry
from tests.api.stage import Stage, a_stage
from tests.api.test_jobs import THEN, submitted
from tests.factories import NOW
from tests.fakes import FakeClock

EVENTS = {"Accept": "text/event-stream"}


def said(stage: Stage, job_id: str, *messages: str, level: str = "info") -> None:
    stage.engine.log(job_id, [LogEntry(at=NOW, level=level, message=message) for message in messages])


def entry(offset: int, message: str, level: str = "info") -> dict[str, Any]:
    return {"offset": offset, "at": THEN, "level": level, "source": "action", "message": message}


def followed(client: FlaskClient, job_id: str, query: str = "", **headers: str) -> Iterator[bytes]:
    answer = client.get(f"/api/jobs/{job_id}/logs?follow=true{query}", headers=headers)
    assert answer.status_code == 200, answer.json
    return iter(answer.response)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage on which waiting takes no time."""
    return a_stage(tmp_path, clock=FakeClock())


def test_a_log_is_told_oldest_first(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one", "two")

    answer = client.get(f"/api/jobs/{job_id}/logs")

    told = {"entries": [entry(0, "one"), entry(1, "two")], "next_offset": 2, "state": "queued"}
    assert (answer.status_code, answer.json) == (200, told)


def test_a_log_goes_on_at_its_next_offset(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one", "two", "three")

    first = client.get(f"/api/jobs/{job_id}/logs?limit=2").json
    second = client.get(f"/api/jobs/{job_id}/logs?offset={first['next_offset']}").json

    assert [one["message"] for one in first["entries"]] == ["one", "two"]
    assert (second["entries"], second["next_offset"]) == ([entry(2, "three")], 3)


def test_a_level_leaves_out_what_is_below_it_and_counts_it_all_the_same(
    client: FlaskClient, stage: Stage
) -> None:
    job_id = submitted(client)
    said(stage, job_id, "fine")
    said(stage, job_id, "odd", level="warning")
    said(stage, job_id, "bad", level="error")

    answer = client.get(f"/api/jobs/{job_id}/logs?level=warning").json

    assert answer["entries"] == [entry(1, "odd", "warning"), entry(2, "bad", "error")]
    assert answer["next_offset"] == 3


def test_a_log_is_followed_line_by_line_until_the_job_ends(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one")

    lines = followed(client, job_id)
    first = next(lines)
    said(stage, job_id, "two")
    stage.succeeded(job_id, {})

    assert json.loads(first) == entry(0, "one")
    assert [json.loads(line) for line in b"".join(lines).splitlines()] == [entry(1, "two")]


def test_who_accepts_events_gets_them_and_is_told_the_end(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one")
    stage.failed(job_id, "timeout", "Too slow.")

    text = b"".join(followed(client, job_id, **EVENTS)).decode()

    assert text == (
        f'id: 1\ndata: {json.dumps(entry(0, "one"))}\n\nevent: end\ndata: {{"state": "failed"}}\n\n'
    )


def test_who_comes_back_goes_on_behind_the_last_entry(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one", "two")
    stage.succeeded(job_id, {})

    text = b"".join(followed(client, job_id, "&offset=0", **EVENTS, **{"Last-Event-ID": "1"})).decode()

    assert text.startswith("id: 2\ndata: ")
    assert "two" in text


def test_following_ends_after_as_many_entries_as_were_asked_for(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one", "two", "three")

    lines = b"".join(followed(client, job_id, "&limit=2&offset=1"))

    assert [json.loads(line)["message"] for line in lines.splitlines()] == ["two", "three"]


def test_a_long_log_comes_whole(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, *(f"line {number}" for number in range(1_234)))
    stage.succeeded(job_id, {})

    lines = b"".join(followed(client, job_id)).splitlines()

    assert [json.loads(line)["offset"] for line in lines if line] == list(range(1_234))


def test_a_silent_log_gives_a_sign_of_life(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    began = stage.clock.monotonic()

    assert next(followed(client, job_id)) == b"\n"
    assert next(followed(client, job_id, **EVENTS)) == b": following\n\n"
    assert stage.clock.monotonic() - began == pytest.approx(30, abs=2)


def test_following_ends_when_the_bus_stops(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one")
    lines = followed(client, job_id)
    next(lines)

    stage.kernel.bus.hang_up()

    assert list(lines) == []


def test_following_ends_when_the_job_is_purged(client: FlaskClient, stage: Stage) -> None:
    job_id = submitted(client)
    said(stage, job_id, "one")
    lines = followed(client, job_id, **EVENTS)
    next(lines)

    stage.succeeded(job_id, {})
    stage.engine.purge(NOW + 1)

    assert b"".join(lines).startswith(b'event: end\ndata: {"code": "expired"')


def test_followers_that_hold_a_thread_leave_some_for_others(stage: Stage) -> None:
    client = stage.client(long_polls=1)
    job_id = submitted(client)
    url = f"/api/jobs/{job_id}/logs?follow=true"

    first = client.get(url)
    refused = client.get(url)
    first.close()
    stage.succeeded(job_id, {})

    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")
    assert "Retry-After" in refused.headers
    assert client.get(url).status_code == 200


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("?offset=-1", "out_of_range", "offset"),
        ("?offset=x", "wrong_type", "offset"),
        ("?offset=1.5", "wrong_type", "offset"),
        ("?offset=9999999999999999999999", "out_of_range", "offset"),
        ("?limit=0", "out_of_range", "limit"),
        ("?limit=10001", "out_of_range", "limit"),
        ("?level=loud", "out_of_range", "level"),
        ("?follow=yes", "out_of_range", "follow"),
        ("?folow=true", "unknown_field", "folow"),
    ],
)
def test_a_log_asked_for_in_nonsense_is_refused(
    client: FlaskClient, query: str, code: str, field: str
) -> None:
    job_id = submitted(client)

    answer = client.get(f"/api/jobs/{job_id}/logs{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)


def test_an_id_to_go_on_from_that_is_none_is_refused(client: FlaskClient) -> None:
    job_id = submitted(client)

    answer = client.get(
        f"/api/jobs/{job_id}/logs?follow=true", headers={**EVENTS, "Last-Event-ID": "boot-1-7"}
    )

    assert (answer.status_code, answer.json["field"]) == (400, "Last-Event-ID")
