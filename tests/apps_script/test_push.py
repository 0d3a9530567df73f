"""Results that come by themselves: the web app takes in what is addressed to one of its rows, no more."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.apps_script.scene import Scene
from tests.apps_script.script import Script

ROWS = [["url"], ["https://example.org/1"], ["https://example.org/2"]]
WEB_APP = "https://script.google.com/macros/s/AKfy/exec"


@pytest.fixture
def script(scene: Scene) -> Script:
    """A sheet whose rows have been sent, each with an address of its own."""
    scene.settings |= {"AAFAI_PUSH_URL": WEB_APP, "AAFAI_PUSH_SECRET": "a secret of the script"}
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    return script


def told_of(scene: Scene, number: int, **changes: Any) -> dict[str, Any]:
    """Return the event by which a script hears of the end of a job, as the bus sends it."""
    job = scene.stage.engine.get(scene.jobs()[number])
    assert job.callback_url is not None
    data = {
        "job_id": job.id,
        "action": job.action,
        "state": "succeeded",
        "result": "Hello",
        "error": None,
        **changes,
    }
    contents = json.dumps({"type": "task.completed", "timestamp": "2026-11-22T09:00:00+00:00", "data": data})
    parameter = dict(parse_qsl(urlsplit(job.callback_url).query))
    return {"parameter": parameter, "postData": {"contents": contents, "type": "application/json"}}


def posted(script: Script, event: dict[str, Any]) -> Any:
    run = script.run("doPost", event, kind="web app")
    assert run["error"] == ""
    return run["value"]


def test_a_pushed_result_is_written_without_a_request(scene: Scene, script: Script) -> None:
    asked = len(scene.internet.asked)

    answers = [posted(script, told_of(scene, number)) for number in (0, 1)]

    assert answers == ["taken", "taken"]
    assert script.column("result") == ["Hello", "Hello"]
    assert len(scene.internet.asked) == asked


def test_with_push_the_trigger_only_looks_after_what_was_missed(scene: Scene, script: Script) -> None:
    assert script.triggers() == [30]

    posted(script, told_of(scene, 0))
    posted(script, told_of(scene, 1))
    polls = script.wait(31)

    assert [poll["fetches"] for poll in polls] == [0]
    assert script.triggers() == []


def test_a_result_that_is_left_out_is_fetched_by_the_poll(scene: Scene, script: Script) -> None:
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, "x" * 100_000)

    posted(script, told_of(scene, 0, result=None, result_left_out=True))
    script.wait(1)

    assert [result[:10] for result in script.column("result")] == ["x" * 10] * 2


def test_a_push_that_comes_twice_or_late_changes_nothing(scene: Scene, script: Script) -> None:
    posted(script, told_of(scene, 0))

    assert posted(script, told_of(scene, 0, result="Again")) == "nothing to do"
    assert script.column("result") == ["Hello", ""]


@pytest.mark.parametrize("token", ["", "0" * 64, "that of the other row"])
def test_whoever_does_not_know_the_address_of_a_row_is_refused(
    scene: Scene, script: Script, token: str
) -> None:
    event = told_of(scene, 0)
    event["parameter"]["token"] = token if len(token) != 21 else told_of(scene, 1)["parameter"]["token"]

    assert posted(script, event) == "refused"
    assert script.column("result") == ["", ""]


@pytest.mark.parametrize(
    "contents",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"data": {"state": "running"}}',
        '{"data": {"state": "succeeded", "job_id": "=1"}}',
    ],
)
def test_nonsense_at_the_right_address_changes_nothing(scene: Scene, script: Script, contents: str) -> None:
    event = told_of(scene, 0)
    event["postData"]["contents"] = contents

    assert posted(script, event) == "nothing to do"


def test_the_address_of_one_row_speaks_for_no_other_job(scene: Scene, script: Script) -> None:
    other = scene.jobs()[1]

    assert posted(script, told_of(scene, 0, job_id=other)) == "nothing to do"
    assert script.column("result") == ["", ""]


def test_a_failure_is_pushed_with_its_reason(scene: Scene, script: Script) -> None:
    error = {"code": "http_error", "message": "The server answered with status 404."}

    posted(script, told_of(scene, 0, state="failed", result=None, error=error))

    assert (script.column("status")[0], script.column("result")[0]) == (
        "failed",
        "The server answered with status 404.",
    )
