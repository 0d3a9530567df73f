"""Tasks by pages: numbered, filtered, sorted, with a total that is true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import executor_lists
from core import lifecycle
from core.jobs import Job, JobError, Page, Query
from tests.api.stage import Stage
from tests.api.task_stage import SEED, TASKS, a_task_stage, create
from tests.factories import NOW, a_job


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return a_task_stage(tmp_path)


def listed(client: FlaskClient, query: str = "") -> dict[str, Any]:
    answer = client.get(f"{TASKS}?{query}")
    assert answer.status_code == 200, answer.json
    return answer.json


def ids(client: FlaskClient, query: str = "") -> list[str]:
    return [task["id"] for task in listed(client, query)["tasks"]]


def in_every_status(stage: Stage, client: FlaskClient) -> dict[str, str]:
    """Make a task in each status and return their ids by it."""
    tasks = {status: create(client) for status in ("completed", "failed", "timeout", "cancelled", "running")}
    stage.succeeded(tasks["completed"], {})
    stage.failed(tasks["failed"], "action_error", "No.")
    stage.failed(tasks["timeout"], "timeout", "Too slow.")
    stage.kernel.bus.cancel(tasks["cancelled"])
    stage.claimed(tasks["running"])
    return {**tasks, "pending": create(client)}


def test_a_page_shows_whole_tasks_and_says_how_many_there_are(client: FlaskClient, stage: Stage) -> None:
    created = client.post(TASKS, json=SEED).json

    assert listed(client) == {"tasks": [created], "total": 1, "page": 1, "page_size": 20}


def test_without_tasks_the_page_is_empty(client: FlaskClient) -> None:
    assert listed(client) == {"tasks": [], "total": 0, "page": 1, "page_size": 20}


@pytest.mark.parametrize("query", ["", "&problem_id=p", "&sort=priority"])
def test_the_pages_show_each_task_once(client: FlaskClient, query: str) -> None:
    created = [create(client) for _ in range(7)]

    pages = [listed(client, f"page={page}&page_size=3{query}") for page in (1, 2, 3, 4)]

    assert [len(page["tasks"]) for page in pages] == [3, 3, 1, 0]
    assert {page["total"] for page in pages} == {7}
    assert sorted(task["id"] for page in pages for task in page["tasks"]) == sorted(created)


def test_many_tasks_are_counted_to_the_last(client: FlaskClient, stage: Stage) -> None:
    for number in range(2_500):
        stage.engine.add(a_job(labels={"problem_id": f"p-{number % 2}"}))

    whole, odd = (
        listed(client, "page=25&page_size=100"),
        listed(client, "page=13&page_size=100&problem_id=p-1"),
    )

    assert (whole["total"], len(whole["tasks"])) == (2_500, 100)
    assert (odd["total"], len(odd["tasks"])) == (1_250, 50)


@pytest.mark.parametrize("status", ["completed", "failed", "timeout", "cancelled", "running", "pending"])
def test_a_list_is_narrowed_by_status(client: FlaskClient, stage: Stage, status: str) -> None:
    tasks = in_every_status(stage, client)

    page = listed(client, f"status={status}")

    assert [(task["id"], task["status"]) for task in page["tasks"]] == [(tasks[status], status)]
    assert page["total"] == 1


def test_a_list_is_narrowed_by_problem_and_worker(client: FlaskClient, stage: Stage) -> None:
    wanted, other = create(client, problem_id="a"), create(client, problem_id="b")
    stage.claimed(wanted)

    assert ids(client, "problem_id=a") == [wanted]
    assert ids(client, "worker_id=worker-1") == [wanted]
    assert ids(client, "problem_id=b&worker_id=worker-1") == []
    assert ids(client, "problem_id=b&status=pending") == [other]
    assert listed(client, "problem_id=c")["total"] == 0


def test_a_job_of_another_door_is_found_by_its_action(client: FlaskClient) -> None:
    job_id = client.post("/inbound", json={"action": "fakejob"}).json["job_id"]
    named = create(client, problem_id="fakejob")

    assert sorted(ids(client, "problem_id=fakejob")) == sorted([job_id, named])


def ended(stage: Stage, *, submitted: float, started: float, end: float, **fields: Any) -> str:
    """Put a task that has ended into the store, and return its id."""
    job: Job = stage.engine.add(a_job(submitted_at=submitted, **fields))
    claimed = stage.engine.claim_one(job.id, "worker-2", now=started, lease=60)
    assert claimed is not None
    stage.engine.swap(claimed, lifecycle.succeeded(claimed, result=None, now=end))
    return job.id


def test_a_list_is_sorted_by_what_is_asked_for(client: FlaskClient, stage: Stage) -> None:
    a = ended(stage, submitted=NOW, started=NOW + 3, end=NOW + 9, priority=1)
    b = ended(stage, submitted=NOW + 1, started=NOW + 2, end=NOW + 8, priority=9)
    c = stage.engine.add(a_job(submitted_at=NOW + 2, labels={"problem_id": "aa"})).id

    assert ids(client) == ids(client, "sort=-created_at") == [c, b, a]
    assert ids(client, "sort=created_at") == [a, b, c]
    assert ids(client, "sort=-priority") == [b, c, a]
    assert ids(client, "sort=started_at") == [c, b, a]
    assert ids(client, "sort=-completed_at") == [a, b, c]
    assert ids(client, "sort=-updated_at") == [a, b, c]
    assert ids(client, "sort=problem_id") == [c, a, b]
    assert ids(client, "sort=status&page_size=2") == [a, b]


def test_what_is_equal_by_the_order_stands_by_age(client: FlaskClient) -> None:
    created = [create(client) for _ in range(5)]

    assert ids(client, "sort=priority") == created
    assert ids(client, "sort=-priority") == created[::-1]


def test_a_usual_page_reads_no_more_than_it_shows(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [create(client) for _ in range(30)]
    find, read = stage.engine.find, []

    def spy(query: Query) -> Page:
        page = find(query)
        read.extend(page.jobs)
        return page

    monkeypatch.setattr(stage.engine, "find", spy)

    page = listed(client, "page=3&page_size=2&status=pending")

    assert (page["total"], [task["id"] for task in page["tasks"]]) == (30, [created[25], created[24]])
    assert len(read) == 6


def test_an_engine_that_gives_few_at_once_is_asked_again(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [create(client) for _ in range(9)][::-1]
    find = stage.engine.find
    monkeypatch.setattr(stage.engine, "find", lambda query: find(replace(query, limit=min(query.limit, 2))))

    assert ids(client, "page=2&page_size=4") == created[4:8]
    assert ids(client, "page=3&page_size=4") == created[8:]
    assert ids(client, "page=4&page_size=4") == []


def test_results_beyond_the_limit_are_left_out_and_marked(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_lists, "MOST_RESULTS", 60)
    for _ in range(3):
        stage.succeeded(create(client), "x" * 40)
    failed = create(client)
    stage.failed(failed, "action_error", "No.")

    tasks = listed(client, "sort=created_at")["tasks"]

    assert [task["result"] for task in tasks] == ["x" * 40, None, None, None]
    assert [task.get("result_left_out", False) for task in tasks] == [False, True, True, False]


def test_a_task_that_leaves_while_it_is_listed_is_passed_over(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(client), create(client)
    stage.succeeded(first, {})
    peek = stage.kernel.bus.peek

    def purge_first(job_id: str) -> Any:
        stage.engine.purge(NOW + 1)
        return peek(job_id)

    monkeypatch.setattr(stage.kernel.bus, "peek", purge_first)

    assert ids(client) == [second]


def test_reading_a_list_delivers_nothing(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    stage.succeeded(task_id, {})

    listed(client)

    assert list(stage.kernel.deliveries.unread()) == [task_id]


def test_an_error_of_an_attempt_shows_in_the_list(client: FlaskClient, stage: Stage) -> None:
    task_id = create(client)
    claimed = stage.claimed(task_id)
    error = JobError(code="action_error", message="No.")
    stage.engine.swap(claimed, lifecycle.failed(claimed, error=error, now=NOW, delay=60))

    (task,) = listed(client)["tasks"]

    assert (task["status"], task["error_details"]["message"]) == ("pending", "No.")
