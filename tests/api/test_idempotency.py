"""One idempotency key is one job, in every dialect that takes jobs in."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from api.ml_service import MLService
from api.rescuebox_schema import TaskSchema
from core.jobs import Json, Query
from queues.file.engine import FileEngine
from tests.api.stage import Stage, a_stage
from tests.factories import NOW

CROWD = 20


@dataclass(frozen=True)
class Submit:
    """A submission in one dialect, and another one under the same key."""

    path: str
    body: Mapping[str, Json]
    other: Mapping[str, Json]
    names: str = "job_id"  # the field of the answer


SUBMITS = {
    "aafai": Submit("/inbound", {"action": "fakejob"}, {"action": "fakejob", "priority": 9}),
    "jobs": Submit("/api/jobs", {"action": "fakejob"}, {"action": "fakejob", "priority": 9}),
    "actions": Submit("/api/actions/fakejob", {}, {"delay_seconds": 1}),
    "robotni": Submit(
        "/api/worker/jobs", {"type": "fakejob"}, {"type": "fakejob", "params": {"delay_seconds": 1}}
    ),
    "executor": Submit(
        "/api/v1/tasks", {"problem_id": "fakejob"}, {"problem_id": "fakejob", "priority": 9}, names="id"
    ),
    "rescuebox": Submit(
        "/waits/wait", {"inputs": {}, "parameters": {}}, {"no": "second body"}, names="value"
    ),
}
OTHER_BODIES = [door for door in SUBMITS if door != "rescuebox"]  # whose task here takes nothing


def a_service() -> MLService:
    service = MLService("waits")
    service.add_ml_service(
        rule="/wait", ml_function="fakejob", task_schema=TaskSchema(), short_title="Wait", is_async=True
    )
    return service


def an_app(stage: Stage) -> Flask:
    return stage.client(services=[a_service()]).application


def submitted(app: Flask, submit: Submit, body: Mapping[str, Json]) -> TestResponse:
    return app.test_client().post(submit.path, json=body, headers={"Idempotency-Key": "k"})


@pytest.mark.parametrize("door", SUBMITS)
def test_a_crowd_that_submits_under_one_key_makes_one_job(tmp_path: Path, door: str) -> None:
    submit = SUBMITS[door]
    stage = a_stage(tmp_path, engine=FileEngine(str(tmp_path / "queue")))
    app = an_app(stage)

    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(lambda _: submitted(app, submit, submit.body), range(CROWD)))

    assert {answer.status_code // 100 for answer in answers} == {2}
    assert len({answer.json[submit.names] for answer in answers}) == 1
    assert len(stage.engine.find(Query()).jobs) == 1


@pytest.mark.parametrize("door", SUBMITS)
def test_a_key_is_known_after_a_restart_and_after_its_job_was_purged(tmp_path: Path, door: str) -> None:
    submit = SUBMITS[door]
    first = a_stage(tmp_path, engine=FileEngine(str(tmp_path / "queue")))
    job_id = submitted(an_app(first), submit, submit.body).json[submit.names]
    first.succeeded(job_id, {})
    first.engine.purge(NOW + 1_000)
    first.engine.close()

    (tmp_path / "again").mkdir()
    again = a_stage(tmp_path / "again", engine=FileEngine(str(tmp_path / "queue")))
    answer = submitted(an_app(again), submit, submit.body)

    assert (answer.status_code // 100, answer.json[submit.names]) == (2, job_id)
    assert not again.engine.find(Query()).jobs


@pytest.mark.parametrize("door", OTHER_BODIES)
def test_another_body_under_the_same_key_is_refused_and_names_the_first_job(stage: Stage, door: str) -> None:
    submit = SUBMITS[door]
    job_id = submitted(an_app(stage), submit, submit.body).json[submit.names]

    answer = submitted(an_app(stage), submit, submit.other)

    assert (answer.status_code, answer.json["code"], answer.json["job_id"]) == (
        409,
        "idempotency_conflict",
        job_id,
    )
    assert len(stage.engine.find(Query()).jobs) == 1
