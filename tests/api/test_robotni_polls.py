"""Polling in the Robotni dialect: ETag and 304, what a poll costs, and what counts as delivery."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Job
from tests.api.stage import Stage
from tests.api.test_robotni import JOBS, submit


class Reads:
    """An engine that takes down which jobs were read whole, with their params and results."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.whole: list[str] = []

    def get(self, job_id: str) -> Job:
        self.whole.append(job_id)
        return self._engine.get(job_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@pytest.fixture
def reads(stage: Stage) -> Reads:
    stage.kernel.bus.engine = reads = Reads(stage.engine)
    return reads


def test_the_tag_is_quoted(client: FlaskClient) -> None:
    tag = client.get(f"{JOBS}/{submit(client)}").headers["ETag"]

    assert (tag[0], tag[-1]) == ('"', '"')


@pytest.mark.parametrize("spelling", ['"{}"', "{}", 'W/"{}"', '"other", "{}"', "*"])
def test_what_the_client_has_already_is_answered_with_an_empty_304(
    client: FlaskClient, stage: Stage, spelling: str
) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"waited": 7})
    tag = client.get(f"{JOBS}/{job_id}").headers["ETag"]

    again = client.get(f"{JOBS}/{job_id}", headers={"If-None-Match": spelling.format(tag.strip('"'))})

    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)


def test_the_tag_changes_with_state_and_progress(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)

    def tag() -> str:
        return client.get(f"{JOBS}/{job_id}").headers["ETag"]

    queued = tag()
    stage.progressed(job_id, 0.5, "half")
    running = tag()
    stage.kernel.bus.cancel(job_id)

    assert len({queued, running, tag()}) == 3


def test_an_old_tag_gets_the_job_as_it_stands(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    tag = client.get(f"{JOBS}/{job_id}").headers["ETag"]
    stage.succeeded(job_id, {"waited": 7})

    answer = client.get(f"{JOBS}/{job_id}", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.json["result"]) == (200, {"waited": 7})


def test_a_poll_that_finds_nothing_new_reads_neither_params_nor_result(
    client: FlaskClient, stage: Stage, reads: Reads
) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"waited": 7})
    tag = client.get(f"{JOBS}/{job_id}").headers["ETag"]
    first = list(reads.whole)

    client.get(f"{JOBS}/{job_id}", headers={"If-None-Match": tag})

    assert (first, reads.whole) == ([job_id], [job_id])


def test_a_list_reads_no_job_whole(client: FlaskClient, stage: Stage, reads: Reads) -> None:
    stage.succeeded(submit(client), {"waited": 7})

    client.get(JOBS)

    assert reads.whole == []


def test_a_head_is_a_get_without_its_body(client: FlaskClient) -> None:
    job_id = submit(client)

    for path in (JOBS, f"{JOBS}/{job_id}", "/api/worker/status", "/api/worker/types"):
        got, asked = client.get(path), client.head(path)
        assert (asked.status_code, asked.data) == (200, b"")
        assert asked.headers.get("ETag") == got.headers.get("ETag")
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (JOBS, {"GET", "HEAD", "OPTIONS", "POST"}),
        (f"{JOBS}/x", {"DELETE", "GET", "HEAD", "OPTIONS"}),
        ("/api/worker/status", {"GET", "HEAD", "OPTIONS"}),
        ("/api/worker/types", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_options_name_the_methods_without_a_body(client: FlaskClient, path: str, allowed: set[str]) -> None:
    answer = client.options(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_only_reading_how_a_job_ended_counts_as_delivery(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    client.get(f"{JOBS}/{job_id}")
    stage.succeeded(job_id, {"waited": 7})
    client.head(f"{JOBS}/{job_id}")
    client.get(JOBS)
    unread = list(stage.kernel.deliveries.unread())

    client.get(f"{JOBS}/{job_id}")

    assert unread == [job_id]
    assert not stage.kernel.deliveries.unread()


def test_reading_changes_nothing(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"waited": 7})
    before = stage.engine.get(job_id)

    for path in (JOBS, f"{JOBS}/{job_id}", "/api/worker/status", "/api/worker/types"):
        client.get(path)

    assert stage.engine.get(job_id) == before
