"""Transcripts of the Task Executor's worker control, on a real pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.clock import SystemClock
from core.event_bus import KERNEL, EventMessage, job_payload
from core.jobs import State
from core.pool import Pool
from tests.api.stage import Stage, a_stage
from tests.core.test_pool import Recorder
from tests.factories import NOW, a_job

WORKERS = "/api/v1/workers"
INTERNAL = f"{WORKERS}/internal"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage with three workers for the default queue and one for browsers, not started, whose jobs wait."""
    stage = a_stage(tmp_path, clock=SystemClock())  # type: ignore[arg-type]
    events, clock = stage.kernel.bus.events, SystemClock()
    runner = Recorder(stage.engine, clock, hold=True)
    pool = Pool(stage.engine, runner, events, clock, slots={"default": 3, "browser": 1})  # type: ignore[arg-type]
    stage.kernel = replace(stage.kernel, pool=pool)
    yield stage
    runner.release.set()
    pool.drain(30)


@pytest.fixture
def runner(stage: Stage) -> Recorder:
    return stage.kernel.pool._runner  # type: ignore[return-value]


def posted(client: FlaskClient, path: str, **options: Any) -> Any:
    answer = client.post(f"{INTERNAL}/{path}", **options)
    assert answer.status_code == 200, answer.json
    return answer.json


def control(client: FlaskClient) -> Any:
    return client.get(f"{INTERNAL}/status").json


def running_job(stage: Stage, runner: Recorder) -> str:
    job = stage.engine.add(a_job())
    stage.kernel.pool.wake("default")
    assert runner.started.acquire(timeout=30)
    return job.id


def gone(stage: Stage) -> bool:
    return all(slot.gone.wait(30) for slot in stage.kernel.pool.status() if not slot.wanted)


def test_workers_that_were_not_started_are_none(client: FlaskClient) -> None:
    assert control(client) == {"running": False, "num_workers": 0, "workers": {}}
    assert client.get(WORKERS).json == {"workers": [], "total": 0}


def test_started_workers_are_told_in_the_words_of_the_seed(client: FlaskClient) -> None:
    started = posted(client, "start")

    assert started == {"status": "started", "workers": 3}
    assert control(client) == {
        "running": True,
        "num_workers": 3,
        "workers": {
            f"worker-00{number}-internal": {"status": "running", "has_executor": True} for number in (1, 2, 3)
        },
    }


def test_an_idle_worker_is_told_in_the_words_of_the_seed(client: FlaskClient) -> None:
    posted(client, "start")

    answer = client.get(f"{WORKERS}/worker-001-internal")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "id": "worker-001-internal",
            "backend_type": "internal",
            "status": "idle",
            "last_heartbeat": answer.json["last_heartbeat"],
            "current_task_id": None,
            "tasks_completed": 0,
            "tasks_failed": 0,
            "registered_at": answer.json["registered_at"],
        },
    )
    assert answer.json["last_heartbeat"] >= answer.json["registered_at"]
    assert answer.json["registered_at"].endswith("+00:00")


def test_the_list_has_the_workers_of_every_queue(client: FlaskClient) -> None:
    posted(client, "start")

    listed = client.get(WORKERS).json

    assert [worker["id"] for worker in listed["workers"]] == [f"worker-00{n}-internal" for n in (1, 2, 3, 4)]
    assert listed["total"] == 4


def test_a_busy_worker_names_its_task(client: FlaskClient, stage: Stage, runner: Recorder) -> None:
    posted(client, "start")
    job_id = running_job(stage, runner)

    (busy,) = client.get(f"{WORKERS}?status=busy").json["workers"]

    assert (busy["status"], busy["current_task_id"]) == ("busy", job_id)
    assert client.get(f"{WORKERS}?status=idle").json["total"] == 3
    assert client.get(f"{WORKERS}?status=offline").json == {"workers": [], "total": 0}


@pytest.mark.parametrize(
    "options",
    [{"query_string": {"num_workers": "5"}}, {"json": {"num_workers": 5}}, {"json": {"num_workers": 5.0}}],
)
def test_workers_are_scaled_by_query_or_body(client: FlaskClient, options: dict[str, Any]) -> None:
    posted(client, "start")

    up = posted(client, "scale", **options)
    down = posted(client, "scale?num_workers=3")

    assert up == {"previous_workers": 3, "current_workers": 5, "status": "scaled"}
    assert down == {"previous_workers": 5, "current_workers": 3, "status": "scaled"}
    assert control(client)["num_workers"] == 3


def test_scaling_down_lets_running_tasks_end(client: FlaskClient, stage: Stage, runner: Recorder) -> None:
    posted(client, "start")
    jobs = [running_job(stage, runner) for _ in range(3)]

    posted(client, "scale?num_workers=0")
    leaving = control(client)
    runner.release.set()

    assert leaving["num_workers"] == 0
    assert {worker["status"] for worker in leaving["workers"].values()} == {"stopping"}
    assert gone(stage)
    assert {stage.engine.get(job_id).state for job_id in jobs} == {State.SUCCEEDED}
    assert control(client) == {"running": True, "num_workers": 0, "workers": {}}


def test_stopped_workers_end_what_they_run_and_begin_nothing(
    client: FlaskClient, stage: Stage, runner: Recorder
) -> None:
    posted(client, "start")
    job_id = running_job(stage, runner)

    stopped = posted(client, "stop")
    waiting = stage.engine.add(a_job())
    stage.kernel.pool.wake("default")
    runner.release.set()

    assert stopped == {"status": "stopped", "message": "All internal workers stopped"}
    assert gone(stage)
    assert stage.engine.get(job_id).state is State.SUCCEEDED
    assert stage.engine.get(waiting.id).state is State.QUEUED
    assert control(client) == {"running": False, "num_workers": 0, "workers": {}}
    assert {worker["status"] for worker in client.get(WORKERS).json["workers"]} == {"offline"}


def test_started_again_they_are_as_many_as_before_and_take_up_what_waits(
    client: FlaskClient, stage: Stage, runner: Recorder
) -> None:
    posted(client, "scale?num_workers=2")
    posted(client, "stop")
    stage.engine.add(a_job())

    started = posted(client, "start")

    assert started == {"status": "started", "workers": 2}
    assert runner.started.acquire(timeout=30)


def test_scaling_starts_workers_that_were_stopped(client: FlaskClient) -> None:
    posted(client, "start")
    posted(client, "stop")

    scaled = posted(client, "scale?num_workers=2")

    assert scaled == {"previous_workers": 0, "current_workers": 2, "status": "scaled"}
    assert (control(client)["running"], control(client)["num_workers"]) == (True, 2)


def test_whoever_scales_the_workers_is_heard_of(client: FlaskClient, stage: Stage) -> None:
    heard: list[EventMessage] = []
    stage.kernel.bus.events.subscribe("test", "system.workers", heard.append)

    posted(client, "scale?num_workers=2")

    assert [message.payload for message in heard] == [{"status": "scaled", "workers": 2}]


def test_what_a_worker_has_done_is_told_with_its_rate_and_mean(client: FlaskClient, stage: Stage) -> None:
    posted(client, "start")
    for event, state, seconds in (
        ("completed", State.SUCCEEDED, 1),
        ("completed", State.SUCCEEDED, 2),
        ("completed", State.SUCCEEDED, 3),
        ("failed", State.FAILED, 6),
    ):
        job = a_job(state=state, worker="worker-002-internal", started_at=NOW, ended_at=NOW + seconds)
        stage.kernel.bus.events.publish(f"task.{event}", KERNEL, job_payload(job))

    answer = client.get(f"{WORKERS}/worker-002-internal/stats")

    assert answer.json == {
        "worker_id": "worker-002-internal",
        "total_tasks": 4,
        "success_rate": 0.75,
        "average_task_duration": 3.0,
        "uptime_seconds": answer.json["uptime_seconds"],
        "current_status": "idle",
    }
    assert answer.json["uptime_seconds"] > 0
    assert client.get(f"{WORKERS}/worker-002-internal").json["tasks_completed"] == 3


def test_a_worker_that_has_done_nothing_has_no_mean(client: FlaskClient) -> None:
    posted(client, "start")
    posted(client, "stop")

    told = client.get(f"{WORKERS}/worker-001-internal/stats").json

    assert (told["total_tasks"], told["success_rate"], told["average_task_duration"]) == (0, 0.0, None)
    assert (told["uptime_seconds"], told["current_status"]) == (0.0, "offline")


@pytest.mark.parametrize("path", ["", "/stats"])
@pytest.mark.parametrize("worker_id", ["worker-999-internal", "internal", "%22%27%3C"])
def test_an_unknown_worker_is_not_found(client: FlaskClient, worker_id: str, path: str) -> None:
    answer = client.get(f"{WORKERS}/{worker_id}{path}")

    told = worker_id.replace("%22%27%3C", "\"'<")
    assert (answer.status_code, answer.json) == (404, {"detail": f"Worker {told} not found"})


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, "missing_field"),
        ({"query_string": "num_workers="}, "missing_field"),
        ({"query_string": "num_workers=51"}, "out_of_range"),
        ({"query_string": "num_workers=-1"}, "out_of_range"),
        ({"query_string": "num_workers=many"}, "wrong_type"),
        ({"query_string": "num_workers=2.5"}, "wrong_type"),
        ({"json": {}}, "missing_field"),
        ({"json": {"num_workers": 51}}, "out_of_range"),
        ({"json": {"num_workers": -1}}, "out_of_range"),
        ({"json": {"num_workers": "5"}}, "wrong_type"),
        ({"json": {"num_workers": True}}, "wrong_type"),
        ({"json": {"num_workers": None}}, "wrong_type"),
        ({"json": {"num_workers": 10**30}}, "out_of_range"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    client: FlaskClient, options: dict[str, Any], code: str
) -> None:
    posted(client, "start")

    answer = client.post(f"{INTERNAL}/scale", **options)

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (422, code, "num_workers")
    assert answer.json["detail"].startswith("num_workers: ")
    assert control(client)["num_workers"] == 3


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"json": {"workers": 5}}, 422, "unknown_field"),
        ({"json": [5]}, 400, "must_be_object"),
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_json"),
        ({"data": b'{"num_workers":5}', "content_type": "text/plain"}, 415, "not_json_type"),
        ({"query_string": "num_workers=1&num_workers=2"}, 400, "repeated_parameter"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(
    client: FlaskClient, options: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(f"{INTERNAL}/scale", **options)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.json["detail"]


def test_a_status_that_no_worker_can_have_is_refused(client: FlaskClient) -> None:
    answer = client.get(f"{WORKERS}?status=lazy")

    assert (answer.status_code, answer.json["field"]) == (422, "status")


def test_health_counts_the_workers_that_there_are(
    client: FlaskClient, stage: Stage, runner: Recorder
) -> None:
    posted(client, "start")
    running_job(stage, runner)

    workers = client.get("/health").json["workers"]

    assert workers == {"total": 4, "idle": 3, "busy": 1, "offline": 0}
