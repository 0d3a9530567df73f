"""/health explains itself, and answers whatever hangs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import checkup
from api.checkup import Checkup
from core.clock import SystemClock
from core.errors import EngineUnavailable, SwitchFailed
from tests.api.stage import Stage, StillClock, a_stage
from tests.api.test_aafai import submit


def test_health_says_all_there_is_to_say(client: FlaskClient, stage: Stage) -> None:
    submit(client)

    answer = client.get("/health")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "status": "degraded",
            "version": "1.2.3",
            "accepting": True,
            "timestamp": "2023-11-14T22:13:20+00:00",
            "boot_id": "boot-1",
            "database": {"engine": "memory", "connected": True, "latency_ms": 0.0, "problem": None},
            "workers": {"total": 0, "idle": 0, "busy": 0, "offline": 0},
            "queue": {"pending": 1, "running": 0, "completed": 0, "failed": 0, "cancelled": 0},
            "actions": {"download_website": "Fetch a page.", "fakejob": "Wait."},
            "broken_actions": {"broken": stage.kernel.registry.broken["broken"]},
            "power": answer.json["power"],
            "warnings": stage.engine.check(),
        },
    )
    assert answer.json["power"]["reasons"][0]["code"] == "boot_grace"


def test_without_broken_actions_and_warnings_it_is_healthy(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.engine, "check", list)
    (stage.folder / "actions" / "broken.py").unlink()
    stage.kernel.registry.load()

    assert client.get("/health").json["status"] == "healthy"


def test_a_janitor_that_fails_degrades_health_until_it_works_again(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(now: float) -> bool:
        raise EngineUnavailable("A folder is missing.")

    with monkeypatch.context() as trouble:
        trouble.setattr(stage.engine, "upkeep", fail)
        stage.kernel.janitor.round()
    failing = client.get("/health")
    stage.kernel.janitor.round()
    stage.clock.advance(checkup.FRESH)
    working = client.get("/health")

    warning = "The janitor fails, so lost jobs are not rescued: A folder is missing."
    assert (failing.status_code, failing.json["status"]) == (200, "degraded")
    assert warning in failing.json["warnings"]
    assert warning not in working.json["warnings"]


def test_a_closed_gate_is_unhealthy(client: FlaskClient, stage: Stage) -> None:
    stage.kernel.bus.gate.shut()

    answer = client.get("/health")

    assert (answer.status_code, answer.json["status"], answer.json["accepting"]) == (503, "unhealthy", False)
    assert "Retry-After" in answer.headers


def test_a_store_that_cannot_store_is_unhealthy_and_says_why(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise EngineUnavailable("/var/queues is mounted read-only.")

    monkeypatch.setattr(stage.engine, "check", fail)

    answer = client.get("/health")

    assert (answer.status_code, answer.json["status"]) == (503, "unhealthy")
    assert answer.json["database"]["connected"] is False
    assert answer.json["database"]["problem"] == "/var/queues is mounted read-only."
    assert answer.json["queue"]["pending"] is None


def test_a_store_that_hangs_does_not_hang_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "DEADLINE", 0.01)
    release, begun, started = threading.Event(), threading.Event(), []
    hanging = Checkup(lambda: (started.append(1), begun.set(), release.wait(30)), SystemClock())

    first, second = hanging.finding(), hanging.finding()
    assert begun.wait(30)
    release.set()

    assert first.problem == second.problem == "The store has not answered for 0.01 seconds."
    assert started == [1]


def test_what_was_found_is_found_again_once_it_is_old() -> None:
    clock, looks = StillClock(), []
    counting = Checkup(lambda: looks.append(1), clock)

    counting.finding()
    counting.finding()
    clock.advance(1.5)
    counting.finding()

    assert looks == [1, 1]


def test_a_check_that_breaks_is_a_problem_and_no_error() -> None:
    found = Checkup(lambda: 1 / 0, StillClock()).finding()

    assert "ZeroDivisionError" in (found.problem or "")


def test_power_tells_why_the_machine_is_on(client: FlaskClient) -> None:
    answer = client.get("/api/power")

    assert answer.json["state"] == "accepting"
    assert [reason["code"] for reason in answer.json["reasons"]] == ["boot_grace"]


def test_metrics_are_prometheus_text(client: FlaskClient) -> None:
    submit(client)

    answer = client.get("/metrics")

    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert 'task_queue_size{status="queued"} 1.0' in answer.text


class RefusedSwitch:
    """A power switch that is not allowed to do its work."""

    name = "systemd"

    def check(self) -> str | None:
        return "the polkit rule is missing."

    def off(self) -> None:
        raise SwitchFailed("no permission")


def test_a_power_switch_that_will_not_work_degrades_health_and_says_why(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, switches=[RefusedSwitch()])
    stage.kernel.power.step()

    answer = stage.client().get("/health")

    assert answer.status_code == 200
    assert answer.json["status"] == "degraded"
    assert "The power switch systemd will not work: the polkit rule is missing." in answer.json["warnings"]


def test_asking_for_health_asks_no_power_switch_which_may_take_long(tmp_path: Path) -> None:
    class AskedSwitch(RefusedSwitch):
        def check(self) -> str | None:
            raise AssertionError("asked in the request's own thread")

    stage = a_stage(tmp_path, switches=[AskedSwitch()])

    answer = stage.client().get("/health")

    assert answer.json["power"]["switches"] == [{"name": "systemd", "problem": None}]
