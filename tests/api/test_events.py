"""The stream of events as any server sends it: what is told, to whom, and what those hear who come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.callers import Caller
from core.event_bus import KERNEL, job_payload
from tests.api.stage import Stage, a_stage
from tests.api.test_jobs import submitted
from tests.factories import a_job
from tests.fakes import FakeClock

OPENING = b"retry: 3000\n: listening\nid: boot-1-0\n\n"


def listening(client: FlaskClient, query: str = "", **headers: str) -> Iterator[bytes]:
    answer = client.get(f"/api/events{query}", headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream"), answer.json
    return iter(answer.response)


def fields(block: bytes) -> dict[str, str]:
    """Return the fields of one event."""
    return dict(line.split(": ", 1) for line in block.decode().splitlines() if line)


def told(pieces: bytes) -> list[dict[str, Any]]:
    """Return the data of all events, the notices too."""
    blocks = [fields(block) for block in pieces.split(b"\n\n") if block]
    return [json.loads(block["data"]) for block in blocks if "data" in block]


def publish(stage: Stage, *types: str, **payload: Any) -> None:
    for event_type in types:
        stage.kernel.bus.events.publish(event_type, event_type.split(".")[0], payload)


def heard(client: FlaskClient, stage: Stage, query: str = "", **headers: str) -> list[dict[str, Any]]:
    """Return what is told until the bus stops, the last notice left out."""
    stream = listening(client, query, **headers)
    stage.kernel.bus.hang_up()
    return told(b"".join(stream))[:-1]


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["event_type"] for event in events]


def test_an_event_is_told_as_it_happens(client: FlaskClient, stage: Stage) -> None:
    stream = listening(client)
    opening = next(stream)
    job_id = submitted(client)

    block = fields(next(stream))

    assert opening == OPENING
    assert block["id"] == "boot-1-1"
    event = json.loads(block["data"])
    assert event.pop("timestamp").endswith("+00:00")
    assert event == {
        "event_type": "task.queued",
        "source_agent": "aafai-bus",
        "target_agent": None,
        "payload": job_payload(stage.engine.get(job_id)),
    }


def test_nothing_in_the_frame_is_left_to_chance(client: FlaskClient, stage: Stage) -> None:
    stream = listening(client)
    next(stream)

    publish(stage, "writer.done", text="a\nb\r\n\ndata: forged\u2028")

    assert next(stream).count(b"\n") == 3


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ["task.queued", "task.completed", "system.warning", "writer.done"]),
        ("?type=task.*", ["task.queued", "task.completed"]),
        ("?type=task.completed", ["task.completed"]),
        ("?type=writer.*&type=system.*", ["system.warning", "writer.done"]),
        ("?type=*.done", ["writer.done"]),
        ("?type=TASK.*", []),
    ],
)
def test_patterns_choose_what_is_told(
    client: FlaskClient, stage: Stage, query: str, wanted: list[str]
) -> None:
    stream = listening(client, query)
    publish(stage, "task.queued", "task.completed", "system.warning", "writer.done")
    stage.kernel.bus.hang_up()

    assert types(told(b"".join(stream))[:-1]) == wanted


def test_what_is_addressed_to_one_agent_is_not_told(client: FlaskClient, stage: Stage) -> None:
    stream = listening(client)
    stage.kernel.bus.events.publish("writer.secret", "writer", {}, target_agent="editor")
    publish(stage, "writer.done")
    stage.kernel.bus.hang_up()

    assert types(told(b"".join(stream))[:-1]) == ["writer.done"]


def test_who_comes_back_goes_on_where_the_stream_broke_off(client: FlaskClient, stage: Stage) -> None:
    publish(stage, "a.one", "a.two", "a.three")

    events = heard(client, stage, **{"Last-Event-ID": "boot-1-1"})

    assert types(events) == ["a.two", "a.three"]


@pytest.mark.parametrize("last_id", ["boot-0-1", "boot-1-9", "boot-1-x", "x", "", "boot-1-" + "9" * 50, "é"])
def test_who_comes_with_an_unknown_id_is_told_so_first(
    client: FlaskClient, stage: Stage, last_id: str
) -> None:
    publish(stage, "a.one", "a.two")
    stream = listening(client, **{"Last-Event-ID": last_id})
    stage.kernel.bus.hang_up()

    blocks = [fields(block) for block in b"".join(stream).split(b"\n\n") if block]

    assert [block.get("event") for block in blocks] == [None, "missed", None, None, "end"]
    assert json.loads(blocks[1]["data"])["count"] is None


def test_who_comes_back_too_late_is_told_how_many_are_missing(client: FlaskClient, stage: Stage) -> None:
    client.get("/health")
    publish(stage, *("a.b" for _ in range(4_100)))

    events = heard(client, stage, **{"Last-Event-ID": "boot-1-1"})

    assert events[0]["count"] == 3
    assert len(events) == 1 + 4_096


def test_a_silent_stream_gives_a_sign_of_life_with_the_id_to_come_back_with(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    stream = listening(stage.client(), "?type=task.*")
    next(stream)
    publish(stage, "system.warning")
    began = stage.clock.monotonic()

    sign = next(stream)

    assert sign == b": listening\nid: boot-1-1\n\n"
    assert stage.clock.monotonic() - began == pytest.approx(15, abs=1)


def test_a_stream_ends_when_the_bus_stops(client: FlaskClient, stage: Stage) -> None:
    stream = listening(client)
    publish(stage, "system.stopping")
    stage.kernel.bus.hang_up()

    text = b"".join(stream)

    assert text.startswith(OPENING)
    assert b"system.stopping" in text
    assert text.endswith(
        b'event: end\ndata: {"message": "The bus stops: come back to hear what follows."}\n\n'
    )


def test_whoever_sees_own_jobs_only_hears_of_these_only(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.doorkeeper.ANYBODY", Caller(name="ann", own_jobs_only=True))
    stream = listening(client)
    own = submitted(client)
    other = a_job(labels={"owner": "bob"})
    stage.kernel.bus.events.publish("task.queued", KERNEL, job_payload(other))
    publish(stage, "system.warning", "writer.done")
    stage.kernel.bus.hang_up()

    events = told(b"".join(stream))[:-1]

    assert [event["payload"]["job_id"] for event in events] == [own]


def test_secrets_in_what_others_publish_are_masked(client: FlaskClient, stage: Stage) -> None:
    publish(stage, "a.b", password="s3cr3t", fine=1)

    (event,) = heard(client, stage, **{"Last-Event-ID": "boot-1-0"})

    assert event["payload"] == {"password": "***", "fine": 1}


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"x"])
def test_a_payload_that_json_cannot_tell_does_not_break_the_stream(
    client: FlaskClient, stage: Stage, value: object
) -> None:
    publish(stage, "a.b", value=value)
    publish(stage, "a.c")

    events = heard(client, stage, **{"Last-Event-ID": "boot-1-0"})

    assert types(events) == ["a.b", "a.c"]
    assert list(events[0]["payload"]) == ["message"]


def test_a_stream_is_not_compressed_and_not_kept(client: FlaskClient) -> None:
    answer = client.get("/api/events", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    answer.close()


def test_only_so_many_may_listen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.MOST_LISTENERS", 2)
    client = stage.client()
    first, second = (client.get("/api/events") for _ in range(2))

    refused = client.get("/api/events")
    first.close()
    first.close()
    third = client.get("/api/events")

    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")
    assert int(refused.headers["Retry-After"]) > 0
    assert third.status_code == 200
    assert client.get("/api/events").status_code == 503
    second.close()
    third.close()


def test_listeners_that_hold_a_thread_share_the_places_of_long_polls(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, clock=FakeClock())
    client = stage.client(long_polls=1)
    job_id = submitted(client)
    listener = client.get("/api/events")
    began = stage.clock.monotonic()

    refused = client.get("/api/events")
    answer = client.get(f"/outbound?job_id={job_id}&wait=25")
    at_once = stage.clock.monotonic() == began
    listener.close()
    client.get(f"/outbound?job_id={job_id}&wait=2")

    assert (refused.status_code, answer.json["status"], at_once) == (503, "pending", True)
    assert stage.clock.monotonic() - began == pytest.approx(2)


def test_head_takes_nobodys_place(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.MOST_LISTENERS", 1)
    client = stage.client()

    for _ in range(2):
        answer = client.head("/api/events")
        answer.close()
        assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("type=", "invalid_request", "type"),
        ("type=" + "x" * 101, "invalid_request", "type"),
        ("type=a%20b", "invalid_request", "type"),
        ("type=%00", "invalid_request", "type"),
        ("type=task.*&type=%0a", "invalid_request", "type"),
        ("&".join(["type=a"] * 21), "out_of_range", "type"),
        ("types=task.*", "unknown_field", "types"),
    ],
)
def test_a_stream_of_nonsense_is_refused(client: FlaskClient, query: str, code: str, field: str) -> None:
    answer = client.get(f"/api/events?{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
