"""The dialects of Robotni and of the Agent Scheduler held against the OpenAPI document."""

from __future__ import annotations

import pytest
import schemathesis

from tests.api.stage import Stage
from tests.api.test_agents import DIGEST, run

JOB = "/api/worker/jobs/{job_id}"
EXECUTION = "/api/scheduler/executions/{execution_id}"


@pytest.mark.parametrize(
    ("path", "method"), [(JOB, "GET"), (JOB, "DELETE"), (EXECUTION, "GET"), (f"{EXECUTION}/cancel", "POST")]
)
def test_a_job_in_any_state_is_told_as_the_document_says(stage: Stage, path: str, method: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", stage.client().application)
    name = path.partition("{")[2].partition("}")[0]
    statuses = []

    for job_id in in_every_state(stage):
        case = schema[path][method].Case(path_parameters={name: job_id})
        statuses.append(case.call_and_validate(headers={"Accept-Encoding": "identity"}).status_code)

    assert statuses == ([200] * 5 if method == "GET" else [200, 200, 409, 409, 409]) + [410]


@pytest.mark.parametrize("path", ["/api/worker/jobs", "/api/scheduler/executions"])
def test_a_list_of_jobs_in_all_states_is_as_the_document_says(stage: Stage, path: str) -> None:
    in_every_state(stage)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", stage.client().application)

    answer = schema[path]["GET"].Case().call_and_validate(headers={"Accept-Encoding": "identity"})

    assert answer.text.count("018bcfe5-") >= 5


def in_every_state(stage: Stage) -> list[str]:
    """Make a job for each state, queued first, and one that has expired."""
    expired = run(stage)
    stage.succeeded(expired, {})
    stage.clock.advance(1)
    stage.engine.purge(stage.clock.now())
    queued, running, done, failed, cancelled = (run(stage, DIGEST, delay_seconds=3) for _ in range(5))
    stage.claimed(running)
    stage.succeeded(done, {"waited": 3})
    stage.failed(failed, "timeout", "Too slow.")
    stage.kernel.bus.cancel(cancelled)
    return [queued, running, done, failed, cancelled, expired]
