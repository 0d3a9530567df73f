"""The OpenAPI document and the app are held against each other with requests made from the document."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from tests.api.stage import Stage

ASKING = [("/inbound", "POST"), ("/outbound", "GET"), ("/outbound", "POST"), ("/purge", "POST")]
TELLING = ["/queues", "/health", "/metrics", "/api/power", "/openapi.json", "/docs"]
OPERATIONS = ASKING + [(path, "GET") for path in TELLING]

FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_document_allows_is_answered_as_it_says(stage: Stage, path: str, method: str) -> None:
    hold_against_its_document(stage, path, method, GenerationMode.POSITIVE)


@pytest.mark.parametrize(("path", "method"), ASKING)
def test_what_the_document_forbids_is_refused_as_it_says(stage: Stage, path: str, method: str) -> None:
    hold_against_its_document(stage, path, method, GenerationMode.NEGATIVE)


def test_every_operation_is_tried(stage: Stage) -> None:
    paths = stage.client().get("/openapi.json").json["paths"]

    assert sorted(OPERATIONS) == sorted((path, method.upper()) for path in paths for method in paths[path])


def hold_against_its_document(stage: Stage, path: str, method: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", stage.client().application)

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @FEW
    def is_answered_as_documented(case: schemathesis.Case) -> None:
        if isinstance(case.body, dict) and {"idempotency_key", "jobs"} & case.body.keys():
            case.headers.pop("Idempotency-Key", None)  # No schema can say that it must not contradict these.
        case.call_and_validate(headers={"Accept-Encoding": "identity"})

    is_answered_as_documented()
