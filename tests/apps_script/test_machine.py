"""The machine that is not there, not allowed, not to be had, or not ready: plain words, no lost row."""

from __future__ import annotations

import pytest

from tests.apps_script.internet import Line
from tests.apps_script.scene import Scene
from tests.cloud.refused import Refused

ROWS = [["url"], ["https://example.org/1"], ["https://example.org/2"]]
STOCK_OUT = Refused(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources available.")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("AAFAI_INSTANCE", "bsu", "There is no machine bsu in zone europe-west1-b of project quiet-project."),
        ("AAFAI_ZONE", "us-east1-b", "There is no machine bus in zone us-east1-b of project quiet-project."),
        ("AAFAI_ZONE", "", "The setting AAFAI_ZONE is missing: Project settings → Script properties."),
    ],
)
def test_a_machine_that_is_not_there_is_said_to_be_so(
    scene: Scene, setting: str, value: str, said: str
) -> None:
    scene.settings[setting] = value
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("status") == ["failed", "failed"]
    assert script.column("result")[0].startswith(said)
    assert script.triggers() == []


@pytest.mark.parametrize("permission", ["compute.instances.get", "compute.instances.start"])
def test_a_missing_permission_is_named(scene: Scene, permission: str) -> None:
    scene.google.forbidden = {permission}
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("result")[0].startswith("You may not use the machine bus in zone europe-west1-b")
    assert permission in script.column("result")[0]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (
            Refused(403, "accessNotConfigured", "Compute Engine API has not been used."),
            "The Compute Engine API is off",
        ),
        (Refused(403, "quotaExceeded", "Quota 'CPUS' exceeded."), "The quota of the project does not allow"),
        (Refused(401, "authError", "Invalid Credentials"), "Google does not know who asks."),
    ],
)
def test_what_google_refuses_for_good_is_said_in_the_rows(scene: Scene, refusal: Refused, said: str) -> None:
    scene.google.fail("instances/bus", refusal)
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert all(result.startswith(said) for result in script.column("result"))


def test_a_quota_that_the_start_meets_is_said_in_the_rows(scene: Scene) -> None:
    def over_quota(_: str) -> None:
        raise Refused(403, "QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 0.0 in region europe-west1.")

    scene.start = over_quota  # type: ignore[method-assign]
    scene.google.compute._hooks["start"] = over_quota
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert script.column("result")[0].startswith(
        "The quota of the project does not allow the machine to run."
    )


def test_a_zone_out_of_stock_is_tried_again_until_it_has_a_machine(scene: Scene) -> None:
    tries = []

    def out_of_stock_twice(name: str) -> None:
        tries.append(name)
        if len(tries) < 3:
            raise STOCK_OUT
        scene.start(name)

    scene.google.compute._hooks["start"] = out_of_stock_twice
    script = scene.script(ROWS)

    script.run("runSelectedRows")
    script.wait(20)

    assert len(tries) == 3
    assert script.column("status") == ["pending", "pending"]
    assert len(scene.jobs()) == 2


def test_a_zone_that_stays_out_of_stock_is_given_up_after_an_hour(scene: Scene) -> None:
    def out_of_stock(_: str) -> None:
        raise STOCK_OUT

    scene.google.compute._hooks["start"] = out_of_stock
    script = scene.script(ROWS)

    run = script.run("runSelectedRows")
    runs = script.wait(90)

    assert run["seconds"] < 360
    assert script.column("status") == ["failed", "failed"]
    assert "stock-out" in script.column("result")[0]
    assert script.triggers() == []
    assert sum(one["seconds"] for one in runs) < 15 * 60


def test_a_machine_that_is_stopping_is_waited_for_and_started_again(scene: Scene) -> None:
    instance = scene.google.compute.instance()
    instance["status"] = "STOPPING"
    script = scene.script(ROWS)

    def off() -> None:
        instance["status"] = "TERMINATED"

    script.meanwhile = [lambda: None, lambda: None, off]
    script.run("runSelectedRows")

    assert script.column("status") == ["pending", "pending"]
    assert len(scene.jobs()) == 2


def test_a_machine_that_sleeps_is_resumed(scene: Scene) -> None:
    scene.google.compute._hooks["resume"] = scene.start
    scene.google.compute.instance()["status"] = "SUSPENDED"
    script = scene.script(ROWS)

    script.run("runSelectedRows")

    assert "POST resume" in scene.internet.words()
    assert script.column("status") == ["pending", "pending"]


def test_a_bus_that_never_comes_up_is_given_up_after_a_quarter_of_an_hour(scene: Scene) -> None:
    scene.bus_is_up = False
    script = scene.script(ROWS)

    run = script.run("runSelectedRows")
    waiting = script.column("status")[0]
    script.wait(30)

    assert run["seconds"] < 360
    assert waiting == "waiting: The machine is on, its bus not ready yet."
    assert "no bus has answered at http://203.0.113." in script.column("result")[0]
    assert "journalctl -u aafai-bus" in script.column("result")[0]


def test_an_address_that_swallows_everything_leaves_each_run_within_six_minutes(scene: Scene) -> None:
    scene.internet.fail(":8000", *[Line.SILENT] * 1000)
    script = scene.script(ROWS)

    runs = [script.run("runSelectedRows"), *script.wait(60)]

    assert all(run["error"] == "" for run in runs)
    assert max(run["seconds"] for run in runs) < 360


def test_an_address_that_changes_between_start_and_submit_is_asked_for_anew(scene: Scene) -> None:
    script = scene.script(ROWS)

    def moved() -> None:
        scene.end()
        scene.begin()

    script.meanwhile = [lambda: None] * 5 + [moved]
    script.run("runSelectedRows")

    addresses = {one.url.split("/")[2] for one in scene.internet.asked if ":8000" in one.url}
    assert len(addresses) == 2
    assert script.column("status") == ["pending", "pending"]
    assert len(scene.jobs()) == 2


def test_a_bus_that_is_stopping_is_waited_for_and_started_again_with_the_same_keys(scene: Scene) -> None:
    scene.begin()
    script = scene.script(ROWS)
    gate = scene.stage.kernel.bus.gate

    def switching_off() -> None:
        gate.close(retry_after=5.0)

    def off_and_open() -> None:
        scene.end()
        gate.open()

    script.meanwhile = [lambda: None, lambda: None, switching_off, off_and_open]
    script.run("runSelectedRows")

    sent = [one for one in scene.internet.asked if one.target == "/inbound"]
    assert len(sent) == 2
    assert sent[0].body == sent[1].body
    assert "POST start" in scene.internet.words()
    assert len(scene.jobs()) == 2
