"""Every door, fed by what its document allows and by what it forbids: it answers as documented, and stores
exactly what it accepted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.generation import GenerationMode

from core.jobs import Query
from tests.api.stage import Stage

#: Door → how its paths begin. The first that fits counts.
DOORS = {
    "executor": ("/api/v1/",),
    "robotni": ("/api/worker/",),
    "agents": ("/api/scheduler/",),
    "jobs": ("/api/jobs", "/api/actions", "/api/events"),
    "aafai": ("/inbound", "/outbound", "/queues", "/purge"),
    "monitor": ("/health", "/metrics", "/api/power", "/openapi.json", "/docs"),
    "rescuebox": ("/",),
}
CASES = 1_000
#: Where clients of the seed are told 400 of a task that is not there.
CANCEL = "/api/v1/tasks/{task_id}/cancel"

Operation = tuple[str, str]


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A stage whose streams end at once."""
    stage.kernel.bus.hang_up()
    return stage


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("door", DOORS)
def test_a_door_answers_what_its_document_says(stage: Stage, door: str, mode: GenerationMode) -> None:
    operations = [one for one in operations_of(stage, door) if mode in modes_of(stage, one)]
    each = math.ceil(CASES / 2 / max(1, len(operations)))

    for path, method in operations:
        hold_against_the_document(stage, path, method, mode, cases=each)


def test_every_operation_stands_behind_one_door(stage: Stage) -> None:
    found = [one for door in DOORS for one in operations_of(stage, door)]

    assert sorted(found) == sorted(all_operations(stage))
    assert all(operations_of(stage, door) for door in DOORS)


def operations_of(stage: Stage, door: str) -> list[Operation]:
    return [one for one in all_operations(stage) if door_of(one[0]) == door]


def all_operations(stage: Stage) -> Iterator[Operation]:
    paths = document_of(stage)["paths"]
    yield from ((path, method) for path in paths for method in paths[path])


def door_of(path: str) -> str:
    return next(door for door, beginnings in DOORS.items() if path.startswith(beginnings))


def modes_of(stage: Stage, operation: Operation) -> set[GenerationMode]:
    """Nothing can be wrong with a request of which the document says nothing."""
    said = document_of(stage)["paths"][operation[0]][operation[1]]
    can_err = bool(said.get("parameters")) or "requestBody" in said
    return {GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if can_err else [])}


def document_of(stage: Stage) -> dict:
    return stage.client().get("/openapi.json").json


def hold_against_the_document(
    stage: Stage,
    path: str,
    method: str,
    mode: GenerationMode,
    *,
    cases: int,
    can_be_judged: Callable[[schemathesis.Case], bool] = lambda case: True,
) -> None:
    """Send cases of an operation, but for those of which its schema cannot say whether they are right."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", stage.client().application)

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def is_answered_as_documented(case: schemathesis.Case) -> None:
        assume(can_be_judged(case))
        before = stored(stage)
        if isinstance(case.body, dict) and {"idempotency_key", "jobs"} & case.body.keys():
            case.headers.pop("Idempotency-Key", None)  # No schema can say that it must not contradict these.
        if path == CANCEL and mode is GenerationMode.POSITIVE:
            case.path_parameters["task_id"] = a_task(stage)
            before += 1

        answer = case.call_and_validate(headers={"Accept-Encoding": "identity"})

        assert answer.status_code < 500 or answer.status_code == 503
        assert answer.status_code < 400 or stored(stage) == before, "what was refused was stored"

    is_answered_as_documented()


def a_task(stage: Stage) -> str:
    return str(stage.client().post("/api/v1/tasks", json={"problem_id": "fakejob"}).json["id"])


def stored(stage: Stage) -> int:
    return sum(stage.engine.count(Query()).values())
