"""Results that the bus has left in a bucket, read while its machine is off."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.apps_script.internet import Asked, Reply
from tests.apps_script.scene import Scene

ROWS = [["url"], *([f"https://example.org/{n}"] for n in range(3))]


class Bucket:
    """The bucket `results-of-ours`, as its REST interface has it."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def __call__(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.url)
        path, query = parts.path.removeprefix("/storage/v1/b/results-of-ours/o"), parse_qs(parts.query)
        if asked.headers.get("Authorization", "")[:7] != "Bearer " or path == parts.path:
            return 403, {}, json.dumps({"error": {"message": "No access."}}).encode()
        if path:
            return 200, {}, json.dumps(self.objects[unquote(path[1:])]).encode()
        prefix, start = query["prefix"][0], query["startOffset"][0]
        names = [name for name in sorted(self.objects) if name.startswith(prefix) and name >= start]
        return 200, {}, json.dumps({"items": [{"name": name} for name in names]} if names else {}).encode()


@pytest.fixture
def bucket(scene: Scene) -> Bucket:
    scene.settings["AAFAI_BUCKET"] = "results-of-ours/bus"
    scene.internet.places["storage.googleapis.com"] = made = Bucket()
    return made


def test_results_are_read_from_the_bucket_and_no_machine_is_started(scene: Scene, bucket: Bucket) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    first, second, _ = scene.jobs()
    scene.end()
    bucket.objects = {
        "bus/results/00000000-0000-7000-8000-000000000000.json": {"job_id": "older", "status": "complete"},
        f"bus/results/{first}.json": {"job_id": first, "status": "complete", "result": {"text": "Hello"}},
        f"bus/results/{second}.json": {
            "job_id": second,
            "status": "failed",
            "error": "No.",
            "code": "http_error",
        },
    }

    script.wait(10)

    assert script.column("status") == ["complete", "failed", "pending"]
    assert script.column("result") == ["Hello", "No.", ""]
    assert scene.google.compute.instance()["status"] == "TERMINATED"


def test_a_list_that_holds_nothing_of_ours_costs_one_request(scene: Scene, bucket: Bucket) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    scene.end()
    script.wait(1)

    polls = script.wait(30)

    assert {poll["fetches"] for poll in polls} == {2}  # One is for Compute Engine.


def test_a_bucket_that_may_not_be_read_is_said_and_nothing_is_lost(scene: Scene, bucket: Bucket) -> None:
    scene.settings["AAFAI_BUCKET"] = "of-others"
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    scene.end()

    script.wait(10)
    script.run("refreshNow")

    assert script.toasts()[-1].startswith("The bucket cannot be read.")
    assert script.column("status") == ["pending"] * 3
    assert script.triggers() == [5]
