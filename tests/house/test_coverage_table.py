"""The table "Every endpoint of the seeds" in docs/http.md: complete, and true of the tests and of the app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from tests.house.sources import ROOT, Source

#: What the five systems serve: first what their own texts name, then what their servers and clients show.
SEEDS = {
    "1 aafai-bus": """
        POST /inbound
        GET /outbound

        POST /outbound
        GET /queues
        POST /purge
    """,
    "2 Agent Scheduler": """
        POST /api/scheduler/tasks
        GET /api/scheduler/tasks
        GET /api/scheduler/tasks/{task_id}
        DELETE /api/scheduler/tasks/{task_id}
        POST /api/scheduler/tasks/{task_id}/enable
        POST /api/scheduler/tasks/{task_id}/disable
        GET /api/scheduler/executions
        GET /api/scheduler/executions/{execution_id}
        POST /api/scheduler/executions/{execution_id}/cancel
    """,
    "3 RescueBox": """
        POST /audio/transcribe
        GET /audio/transcribe/result/{task_id}

        GET /audio/transcribe/task_schema
        GET /audio/api/routes
        GET /audio/api/app_metadata
        GET /probes/liveness/
    """,
    "4 Robotni": """
        POST /api/worker/jobs
        GET /api/worker/jobs/{jobId}
        GET /api/worker/status
        GET /api/worker/types
        GET /docs

        GET /api/worker/jobs
        DELETE /api/worker/jobs/{id}
    """,
    "5 Task Executor": """
        POST /api/v1/tasks
        GET /api/v1/tasks
        GET /api/v1/tasks/{id}
        PUT /api/v1/tasks/{id}/cancel
        GET /api/v1/tasks/{id}/logs
        GET /api/v1/tasks/stats
        GET /api/v1/workers
        GET /api/v1/workers/{id}
        GET /api/v1/workers/{id}/stats
        GET /api/v1/workers/internal/status
        POST /api/v1/workers/internal/scale
        POST /api/v1/workers/internal/stop
        POST /api/v1/workers/internal/start
        GET /health
        GET /metrics

        POST /api/v1/tasks/{id}/cancel
    """,
}
#: Where the bus speaks its own words; of what lies there no row is asked.
OWN = ("/api/actions", "/api/cost", "/api/events", "/api/jobs", "/api/power", "/docs/", "/openapi.json")
#: Stands in place of a test while an endpoint is not there.
NOT_YET = "not served yet"

_ROW = re.compile(r"^\| (\d [^|]+) \| `([A-Z]+) (\S+)` \| ?(.*?) ?\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_PLACEHOLDER = re.compile(r"<[^>]+>|{[^}]+}")
_AN_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    seed: str
    method: str
    path: str
    #: The last cell as it stands there.
    tests: str

    @property
    def endpoint(self) -> str:
        return _bare(f"{self.method} {self.path}")


def rows_of(text: str) -> list[Row]:
    """Return the rows of the table in a document."""
    _, _, section = text.partition("\n## Every endpoint of the seeds\n")
    return [Row(*cells) for cells in _ROW.findall(section)]


def faults(row: Row) -> Iterator[str]:
    """Yield what is wrong with the tests that a row names."""
    named = _TEST.findall(row.tests)
    if row.tests != "<br>".join(f"`{file}::{test}`" for file, test in named) or not named:
        yield f"{row.endpoint}: the last cell must name tests as `tests/….py::test_…`, not {row.tests!r}"
    for file, test in named:
        if test not in _tests_in(file):
            yield f"{row.endpoint}: there is no {file}::{test}"


@cache
def _tests_in(file: str) -> frozenset[str]:
    path = ROOT / file
    tree = Source(file, path.read_text(encoding="utf-8") if path.exists() else "").tree
    return frozenset(node.name for node in tree.body if getattr(node, "name", "").startswith("test_"))


def _bare(endpoint: str) -> str:
    """Return an endpoint whatever its placeholders are called."""
    return _PLACEHOLDER.sub("*", endpoint)


ROWS = rows_of((ROOT / "docs" / "http.md").read_text(encoding="utf-8"))
SERVED = [row for row in ROWS if row.tests != NOT_YET]


def served(app: Flask, row: Row) -> tuple[str, str] | None:
    """Return the route that answers a row's requests, None when nothing does."""
    path = _PLACEHOLDER.sub(_AN_ID, row.path)
    try:
        rule, _ = app.url_map.bind("localhost").match(path, row.method, return_rule=True)
    except HTTPException:
        return None
    return row.method, rule.rule


@pytest.mark.parametrize("seed", SEEDS)
def test_every_endpoint_of_a_seed_has_one_row(seed: str) -> None:
    named = sorted(_bare(line.strip()) for line in SEEDS[seed].splitlines() if line.strip())

    assert sorted(row.endpoint for row in ROWS if row.seed == seed) == named


def test_the_table_is_about_the_seeds() -> None:
    assert list(dict.fromkeys(row.seed for row in ROWS)) == list(SEEDS)


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.endpoint)
def test_every_row_names_tests_that_there_are(row: Row) -> None:
    assert not list(faults(row))


def test_every_row_is_served_unless_it_says_otherwise(app: Flask) -> None:
    assert [row.endpoint for row in SERVED if not served(app, row)] == []
    assert [row.endpoint for row in ROWS if row.tests == NOT_YET and served(app, row)] == []


def test_every_route_stands_in_a_row_or_is_the_bus_s_own(app: Flask) -> None:
    in_rows = {served(app, row) for row in SERVED}
    others = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if (method, rule.rule) not in in_rows and not rule.rule.startswith(OWN)
    ]

    assert others == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "must name tests"),
        ("by hand", "must name tests"),
        ("`tests/house/test_coverage_table.py::test_nothing`", "there is no"),
        ("`tests/house/no_such_file.py::test_nothing`", "there is no"),
        ("`tests/house/test_coverage_table.py::test_the_table_is_about_the_seeds` and more", "must name"),
    ],
)
def test_a_row_without_its_test_is_caught(cell: str, said: str) -> None:
    table = f"\n## Every endpoint of the seeds\n\n| 4 Robotni | `GET /api/worker/types` | {cell} |\n"

    (row,) = rows_of(table)

    assert any(said in fault for fault in faults(row))
