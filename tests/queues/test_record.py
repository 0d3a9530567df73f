"""A job written down and read back."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RecordDamaged
from core.jobs import Job, JobError, Progress, State
from queues.record import decoded, document_of, encoded, job_from, job_of, summary_of
from tests.factories import NOW, a_job, an_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)

FULL = a_job(
    state=State.FAILED,
    params={"a": 1},
    timeout=5,
    run_after=NOW,
    started_at=NOW,
    ended_at=NOW,
    worker="w",
    lease_until=NOW,
    cancel_requested=True,
    cancel_reason="why",
    progress=Progress(fraction=0.5, message="half", at=NOW),
    error=JobError(code="c", message="m", attempt=1, at=NOW),
    errors=(JobError(code="c", message="m", attempt=1, at=NOW),),
    batch="b",
    labels={"k": "v"},
    retried_from=an_id(),
    idempotency_key="key",
    body_hash="hash",
    callback_url="https://example.org",
    result={"r": 1},
    extra={"later": [1]},
)


def test_every_field_of_a_job_is_written_and_read_back() -> None:
    document = document_of(FULL)

    assert set(document) == {field.name for field in fields(Job)} - {"extra"} | {"later"}
    assert job_of(json.loads(encoded(document))) == FULL


@given(params=st.dictionaries(TEXT, VALUES, max_size=3), result=VALUES, labels=st.dictionaries(TEXT, TEXT))
def test_whatever_json_a_job_carries_comes_back(params: object, result: object, labels: object) -> None:
    job = a_job(state=State.SUCCEEDED, params=params, result=result, labels=labels)

    again = job_from(decoded(encoded(document_of(job)), job_id=job.id), job_id=job.id)

    assert again == job


def test_fields_stand_in_the_same_order_and_unknown_ones_last() -> None:
    names = list(document_of(FULL))

    assert names[:4] == ["id", "state", "action", "queue"]
    assert names[-1] == "later"


def test_the_place_says_the_state_before_the_end() -> None:
    document = document_of(a_job())

    assert "state" not in document
    assert job_of(document, state=State.RUNNING).state is State.RUNNING


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "../../etc/passwd"),
        ("action", 5),
        ("params", []),
        ("priority", 10),
        ("priority", True),
        ("version", -1),
        ("attempt", 1.5),
        ("submitted_at", "now"),
        ("timeout", "5"),
        ("cancel_requested", 1),
        ("labels", {"a": 1}),
        ("errors", {}),
        ("error", "oops"),
        ("progress", {"fraction": "half"}),
        ("worker", 7),
    ],
)
def test_a_field_of_another_kind_is_named(field: str, value: object) -> None:
    document = document_of(FULL) | {field: value}

    with pytest.raises(ValueError, match=r"must be") as refusal:
        job_of(document)

    assert field in str(refusal.value) or field in {"labels", "progress", "error"}


@pytest.mark.parametrize("field", ["id", "action"])
def test_a_missing_field_is_named(field: str) -> None:
    document = document_of(FULL)
    del document[field]

    with pytest.raises(ValueError, match=f"'{field}' is missing"):
        job_of(document)


def test_a_record_of_another_job_is_damaged() -> None:
    with pytest.raises(RecordDamaged):
        decoded(encoded(document_of(FULL)), job_id=an_id())


def test_a_summary_has_the_fields_of_the_job() -> None:
    summary = summary_of(FULL)

    assert (summary.id, summary.error, summary.labels) == (FULL.id, FULL.error, FULL.labels)
