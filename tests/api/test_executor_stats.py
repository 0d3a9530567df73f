"""Statistics of all tasks: true, and cheap enough to be asked for all the time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import lifecycle
from core.jobs import JobError
from tests.api.stage import Stage
from tests.api.task_stage import TASKS, a_task_stage, create
from tests.api.test_executor_lists import in_every_status
from tests.fakes import FakeClock


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_task_stage(tmp_path)


def stats(client: FlaskClient) -> dict[str, Any]:
    answer = client.get(f"{TASKS}/stats")
    assert answer.status_code == 200, answer.json
    return answer.json


def test_before_the_first_task_there_is_nothing_to_tell(client: FlaskClient) -> None:
    assert stats(client) == {
        "total_tasks": 0,
        "pending_tasks": 0,
        "running_tasks": 0,
        "completed_tasks": 0,
        "failed_tasks": 0,
        "timeout_tasks": 0,
        "cancelled_tasks": 0,
        "avg_execution_time": None,
        "success_rate": 0.0,
        "tasks_by_problem": {},
        "tasks_by_worker": {},
    }


def test_every_task_is_counted_once_by_each(client: FlaskClient, stage: Stage) -> None:
    in_every_status(stage, client)
    create(client, problem_id="another")

    told = stats(client)

    assert told == {
        "total_tasks": 7,
        "pending_tasks": 2,
        "running_tasks": 1,
        "completed_tasks": 1,
        "failed_tasks": 1,
        "timeout_tasks": 1,
        "cancelled_tasks": 1,
        "avg_execution_time": 0.0,
        "success_rate": 1 / 3,
        "tasks_by_problem": {"p": 6, "another": 1},
        "tasks_by_worker": {"worker-1": 4},
    }


def test_the_execution_time_is_the_mean_from_start_to_end_of_the_completed(
    client: FlaskClient, stage: Stage
) -> None:
    for seconds in (1, 4):
        claimed = stage.claimed(create(client))
        done = lifecycle.succeeded(claimed, result=None, now=stage.clock.now() + seconds)
        stage.engine.swap(claimed, done)
    claimed = stage.claimed(create(client))
    error = JobError(code="action_error", message="No.")
    failed = lifecycle.failed(claimed, error=error, now=stage.clock.now() + 60, final=True)
    stage.engine.swap(claimed, failed)

    assert stats(client)["avg_execution_time"] == 2.5


class Slow(FakeClock):
    """A clock on which each look at the steady time takes a second."""

    def monotonic(self) -> float:
        self.advance(1)
        return self.steady


def test_a_count_that_took_long_is_handed_out_again_but_not_for_ever(tmp_path: Path) -> None:
    stage = a_task_stage(tmp_path, clock=Slow())
    client = stage.client()
    create(client, problem_id="a")
    stats(client)
    create(client, problem_id="b")

    soon = stats(client)
    stage.clock.advance(60)
    later = stats(client)

    assert (soon["total_tasks"], soon["tasks_by_problem"]) == (2, {"a": 1})
    assert later["tasks_by_problem"] == {"a": 1, "b": 1}


def test_nobody_waits_for_a_count_while_there_is_an_older_one(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(client)
    stats(client)
    find, counting, release = stage.engine.find, threading.Event(), threading.Event()

    def hang(query: Any) -> Any:
        counting.set()
        release.wait(30)
        return find(query)

    monkeypatch.setattr(stage.engine, "find", hang)
    first = threading.Thread(target=stats, args=[client.application.test_client()])
    first.start()
    assert counting.wait(30)

    told, still_counting = stats(client), first.is_alive()
    release.set()
    first.join(30)

    assert told["tasks_by_problem"] == {"p": 1}
    assert still_counting
