"""Every door, fed by what its document allows and by what it forbids: it answers as documented, and stores
exactly what it accepted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from jsonschema_rs import Draft202012Validator
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from core.errors import InvalidRequest
from core.jobs import Query
from core.submission import submission_from
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
#: What people write in more ways than a schema can tell from nonsense: the document shows the plain ones.
IN_WORDS = ("timeout", "run_after", "callback_url", "idempotency_key")

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


@pytest.mark.parametrize(
    ("timeout", "other"),
    [(" 10 minutes ", True), ("1 hour", True), ("10 minutes", False), ("soon", False), (5, False)],
)
def test_only_words_that_the_bus_takes_and_the_document_does_not_show_are_other_words(
    stage: Stage, timeout: Any, other: bool
) -> None:
    shown, job = shown_words(stage), {"action": "fakejob", "timeout": timeout}

    for body, query in ((job, {}), ({"jobs": [{}, job]}, {}), (None, job)):
        assert is_in_other_words(body, query, shown) is other


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
    shown = shown_words(stage)

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
            case.headers.pop("Idempotency-Key", None)  # No schema can say that it must not contradict these,
            use_no_key_twice(case.body.get("jobs"))  # nor that those must not contradict each other.
        if path == CANCEL and mode is GenerationMode.POSITIVE:
            case.path_parameters["task_id"] = a_task(stage)
            before += 1

        # Hypothesis tries texts of all modules that are loaded: in a whole run ' 10 minutes ' is among them.
        other = is_in_other_words(case.body, case.query, shown) or is_in_other_letters(case.body)
        taken = [negative_data_rejection] if other else []
        answer = case.call_and_validate(headers={"Accept-Encoding": "identity"}, excluded_checks=taken)

        assert answer.status_code < 500 or answer.status_code == 503
        assert answer.status_code < 400 or stored(stage) == before, "what was refused was stored"

    is_answered_as_documented()


def use_no_key_twice(jobs: Any) -> None:
    """Take a key away from each job of a batch but the first that has it."""
    seen: set[str] = set()
    for job in jobs if isinstance(jobs, list) else []:
        key = job.get("idempotency_key") if isinstance(job, dict) else None
        if isinstance(key, str) and key in seen:
            del job["idempotency_key"]
        elif isinstance(key, str):
            seen.add(key)


def a_task(stage: Stage) -> str:
    return str(stage.client().post("/api/v1/tasks", json={"problem_id": "fakejob"}).json["id"])


def stored(stage: Stage) -> int:
    return sum(stage.engine.count(Query()).values())


def shown_words(stage: Stage) -> dict[str, Draft202012Validator]:
    """Return by field what tells the ways of writing it that the document shows."""
    content = document_of(stage)["paths"]["/inbound"]["post"]["requestBody"]["content"]
    properties = content["application/json"]["schema"]["anyOf"][0]["properties"]
    return {name: Draft202012Validator(properties[name], validate_formats=True) for name in IN_WORDS}


def is_in_other_words(body: Any, query: Any, shown: dict[str, Draft202012Validator]) -> bool:
    """Return whether the bus takes a text that its document does not show."""
    jobs = body.get("jobs") if isinstance(body, dict) else None
    given = [body, query, *(jobs if isinstance(jobs, list) else [])]
    return any(
        isinstance(one.get(name), str) and not shown[name].is_valid(one[name]) and is_taken(name, one[name])
        for one in given
        if isinstance(one, dict)
        for name in IN_WORDS
    )


def is_in_other_letters(body: Any) -> bool:
    """Return whether a hold is explained in letters of the world: no schema can say which are printable."""
    said = [body.get("by"), body.get("why")] if isinstance(body, dict) else []
    return any(isinstance(text, str) and text.isprintable() and not text.isascii() for text in said)


def is_taken(name: str, text: str) -> bool:
    try:
        submission_from({"action": "fakejob", name: text}, now=0.0)
    except InvalidRequest:
        return False
    return True
