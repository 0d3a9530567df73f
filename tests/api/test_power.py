"""The power logic over HTTP: why the machine is on, and the hold that keeps it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.doors import Door
from tests.api.stage import Stage, a_stage
from tests.core.power_bench import AnAlarm, ASwitch

HOLD = "/api/power/hold"


def test_power_tells_why_the_machine_is_on(client: FlaskClient) -> None:
    answer = client.get("/api/power")

    assert answer.json["state"] == "accepting"
    assert [reason["code"] for reason in answer.json["reasons"]] == ["boot_grace"]
    assert answer.json["wake"] == {"alarm": "none", "problem": None, "next_due": None, "armed_for": None}
    assert (answer.json["hold"], answer.json["preempted"], answer.json["last_stop"]) == (None, False, None)


def test_a_hold_keeps_the_machine_on_and_is_shown(stage: Stage, client: FlaskClient) -> None:
    answer = client.post(HOLD, json={"for": "2 hours", "by": "ann", "why": "a demonstration"})

    until = stage.clock.now() + 7_200
    assert answer.status_code == 201
    assert answer.json == {"hold": {"until": until, "by": "ann", "why": "a demonstration"}}
    shown = client.get("/api/power").json
    assert shown["hold"] == answer.json["hold"]
    assert shown["message"] == "On because ann holds it (a demonstration) and it started 0 ms ago."


def test_another_hold_takes_the_place_of_the_first(stage: Stage, client: FlaskClient) -> None:
    client.post(HOLD, json={"for": "2 hours", "by": "ann"})

    answer = client.post(HOLD, json={"for": 60, "by": "bob"})

    assert answer.status_code == 200
    assert client.get("/api/power").json["hold"] == {
        "until": stage.clock.now() + 60,
        "by": "bob",
        "why": "no reason given",
    }


def test_a_released_hold_is_gone_and_to_release_none_is_no_error(client: FlaskClient) -> None:
    client.post(HOLD, json={"for": "2 hours"})

    answers = [client.delete(HOLD), client.delete(HOLD)]

    assert [(answer.status_code, answer.json) for answer in answers] == [(200, {"hold": None})] * 2
    assert client.get("/api/power").json["hold"] is None


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "for"),
        ({"by": "ann"}, "missing_field", "for"),
        ({"for": None}, "missing_field", "for"),
        ({"for": True}, "wrong_type", "for"),
        ({"for": ["1 hour"]}, "wrong_type", "for"),
        ({"for": "for ever"}, "bad_time", "for"),
        ({"for": 0}, "bad_time", "for"),
        ({"for": -1}, "bad_time", "for"),
        ({"for": "25 hours"}, "out_of_range", "for"),
        ({"for": 86_401}, "out_of_range", "for"),
        ({"for": "1 hour", "by": ""}, "out_of_range", "by"),
        ({"for": "1 hour", "by": 7}, "wrong_type", "by"),
        ({"for": "1 hour", "why": "a\nforged line"}, "wrong_type", "why"),
        ({"for": "1 hour", "why": "x" * 201}, "out_of_range", "why"),
        ({"for": "1 hour", "until": "tomorrow"}, "unknown_field", "until"),
    ],
)
def test_a_hold_that_is_wrong_is_refused_by_name(
    client: FlaskClient, body: dict[str, Any], code: str, field: str
) -> None:
    answer = client.post(HOLD, json=body)

    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert answer.json["message"].startswith(f"{field}: ")
    assert client.get("/api/power").json["hold"] is None


def test_a_hold_of_a_whole_day_is_the_longest(client: FlaskClient) -> None:
    assert client.post(HOLD, json={"for": "1 day"}).status_code == 201


def test_a_hold_that_comes_when_the_gate_is_closed_is_refused(stage: Stage, client: FlaskClient) -> None:
    stage.kernel.bus.gate.close(patience=0.0)

    answer = client.post(HOLD, json={"for": "1 hour"})

    assert (answer.status_code, answer.json["code"]) == (503, "shutting_down")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("scope", "statuses"), [("read", [403, 403]), ("submit", [403, 403]), ("admin", [201, 200])]
)
def test_only_admins_hold_and_release_and_hold_by_their_name(
    stage: Stage, tmp_path: Path, scope: str, statuses: list[int]
) -> None:
    door = Door(stage, tmp_path / "tokens.json")
    token = door.token(name="ops", scopes=[scope])

    held = door.ask("POST", HOLD, token, json={"for": "1 hour"})
    by = stage.kernel.power.held and stage.kernel.power.held.by
    released = door.ask("DELETE", HOLD, token)

    assert [held.status_code, released.status_code] == statuses
    assert by == ("ops" if scope == "admin" else None)


def test_a_wake_alarm_that_will_not_work_degrades_health_and_says_why(tmp_path: Path) -> None:
    alarm = AnAlarm(problem="the role is missing.")
    stage = a_stage(tmp_path, switches=[ASwitch()], alarm=alarm)
    stage.kernel.power.step()

    answer = stage.client().get("/health")

    assert answer.json["status"] == "degraded"
    assert "The wake alarm fake: the role is missing." in answer.json["warnings"]
