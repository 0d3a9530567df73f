"""Polling in the Agent Scheduler dialect: ETag and 304, what a poll costs, delivery, and bad queries."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.stage import Stage
from tests.api.test_agents import DIGEST, EXECUTIONS, listed, run
from tests.api.test_robotni_polls import Reads


@pytest.fixture
def reads(stage: Stage) -> Reads:
    stage.kernel.bus.engine = reads = Reads(stage.engine)
    return reads


def tag(client: FlaskClient, path: str) -> str:
    return client.get(path).headers["ETag"]


@pytest.mark.parametrize("spelling", ['"{}"', "{}", 'W/"{}"'])
@pytest.mark.parametrize("path", [EXECUTIONS, f"{EXECUTIONS}/{{}}"])
def test_what_the_client_has_already_is_answered_with_an_empty_304(
    client: FlaskClient, stage: Stage, path: str, spelling: str
) -> None:
    execution_id = run(stage)
    path = path.format(execution_id)
    stage.succeeded(execution_id, {"n": 1})
    known = tag(client, path)

    again = client.get(path, headers={"If-None-Match": spelling.format(known.strip('"'))})

    assert (known[0], known[-1]) == ('"', '"')
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", known)


def test_a_poll_that_finds_nothing_new_reads_neither_kwargs_nor_result(
    client: FlaskClient, stage: Stage, reads: Reads
) -> None:
    execution_id = run(stage)
    stage.succeeded(execution_id, {"n": 1})
    paths = (EXECUTIONS, f"{EXECUTIONS}/{execution_id}")
    tags = [tag(client, path) for path in paths]
    before = list(reads.whole)

    again = [
        client.get(path, headers={"If-None-Match": known}) for path, known in zip(paths, tags, strict=True)
    ]

    assert (before, reads.whole) == ([execution_id] * 2, [execution_id] * 2)
    assert [answer.status_code for answer in again] == [304, 304]


def test_a_list_reads_whole_only_what_it_shows(client: FlaskClient, stage: Stage, reads: Reads) -> None:
    ids = [run(stage) for _ in range(9)][::-1]

    client.get(f"{EXECUTIONS}?limit=2&offset=3")

    assert reads.whole == ids[3:5]


def test_the_tag_of_a_list_changes_with_any_execution_in_it(client: FlaskClient, stage: Stage) -> None:
    older, _ = run(stage), run(stage)
    tags = [tag(client, EXECUTIONS)]
    stage.progressed(older, 0.5, "half")
    tags.append(tag(client, EXECUTIONS))
    stage.kernel.bus.cancel(older)
    tags.append(tag(client, EXECUTIONS))
    run(stage, DIGEST)
    tags.append(tag(client, EXECUTIONS))
    tags.append(tag(client, f"{EXECUTIONS}?limit=2"))

    assert len(set(tags)) == 5


def test_the_tag_of_an_execution_changes_with_state_and_progress(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    path = f"{EXECUTIONS}/{execution_id}"
    queued = tag(client, path)
    stage.progressed(execution_id, 0.5, "half")
    running = tag(client, path)
    stage.kernel.bus.cancel(execution_id)

    assert len({queued, running, tag(client, path)}) == 3


def test_a_head_is_a_get_without_its_body(client: FlaskClient, stage: Stage) -> None:
    for path in (f"{EXECUTIONS}/{run(stage)}", EXECUTIONS):
        got, asked = client.get(path), client.head(path)

        assert (asked.status_code, asked.data) == (200, b"")
        assert asked.headers["ETag"] == got.headers["ETag"]
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (EXECUTIONS, {"GET", "HEAD", "OPTIONS"}),
        (f"{EXECUTIONS}/x", {"GET", "HEAD", "OPTIONS"}),
        (f"{EXECUTIONS}/x/cancel", {"OPTIONS", "POST"}),
    ],
)
def test_options_name_the_methods_without_a_body(client: FlaskClient, path: str, allowed: set[str]) -> None:
    answer = client.options(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_only_reading_how_an_execution_ended_counts_as_delivery(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    path = f"{EXECUTIONS}/{execution_id}"
    client.get(path)
    stage.succeeded(execution_id, {"n": 1})
    client.head(path)
    client.get(EXECUTIONS)
    unread = list(stage.kernel.deliveries.unread())

    client.get(path)

    assert unread == [execution_id]
    assert not stage.kernel.deliveries.unread()


def test_reading_changes_nothing(client: FlaskClient, stage: Stage) -> None:
    execution_id = run(stage)
    stage.succeeded(execution_id, {"n": 1})
    before = stage.engine.get(execution_id)

    client.get(f"{EXECUTIONS}/{execution_id}")
    listed(client)

    assert stage.engine.get(execution_id) == before


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        *((f"status={wrong}", "out_of_range", "status") for wrong in ("done", "Queued", "%00", "x" * 4096)),
        *((f"limit={wrong}", "out_of_range", "limit") for wrong in ("0", "-1", "201", "9" * 5000)),
        *((f"limit={wrong}", "wrong_type", "limit") for wrong in ("1.5", "all", "1e2", "%EF%BC%91")),
        *((f"offset={wrong}", "out_of_range", "offset") for wrong in ("-1", "1000001", "9" * 5000)),
        *((f"offset={wrong}", "wrong_type", "offset") for wrong in ("1.5", "first", "%00")),
    ],
)
def test_a_list_that_cannot_be_made_is_refused(
    client: FlaskClient, query: str, code: str, field: str
) -> None:
    answer = client.get(f"{EXECUTIONS}?{query}")

    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (400, code, field)
    assert answer.json["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize("name", ["agent_name", "task_id", "status", "limit", "offset"])
def test_what_is_asked_twice_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.get(f"{EXECUTIONS}?{name}=1&{name}=2")

    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")
    assert answer.json["detail"].startswith(f"{name}: ")
