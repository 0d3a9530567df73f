"""The table of errors: complete, and the same for every dialect."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from api.errors import ERRORS, refusal_of, status_of
from core import errors
from core.errors import (
    BusError,
    DiskFull,
    EngineUnavailable,
    InvalidRequest,
    OutcomeUnknown,
    QueueFull,
    RecordDamaged,
)
from tests.api.stage import Stage
from tests.factories import an_id

ROOT = Path(__file__).parents[2]
#: Raised only where no request is being answered.
_NEVER_ANSWERED = {"unknown_name", "error", "alarm_failed", "switch_failed"}


def codes_in(folder: str) -> Iterator[str]:
    """Yield every code that a file of the room hands to an error."""
    for path in (ROOT / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                refused = node.args[:1] if getattr(node.func, "id", "") == "Refused" else []
                yield from (one.value for one in (*named, *refused) if isinstance(one, ast.Constant))


def test_every_error_of_the_kernel_is_in_the_table() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BusError)]

    missing = {kind.code for kind in kinds} - ERRORS.keys() - _NEVER_ANSWERED

    assert not missing


def test_every_code_of_the_dialects_is_in_the_table() -> None:
    assert not set(codes_in("api")) - ERRORS.keys()


def test_every_code_of_a_submission_is_in_the_table() -> None:
    tree = ast.parse((ROOT / "core/submission.py").read_text())
    codes = {
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }

    assert codes
    assert not codes - ERRORS.keys()


def test_no_mistake_of_a_client_is_answered_with_5xx() -> None:
    assert status_of(InvalidRequest("x", "is wrong.", code="never_heard_of")) == 400
    assert status_of(BusError("?")) == 500


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (QueueFull("1,000 jobs wait already."), 429, "10"),
        (DiskFull("No room."), 507, "60"),
        (EngineUnavailable("The disk is gone."), 503, "5"),
        (OutcomeUnknown(an_id(), "the disk failed."), 503, "5"),
    ],
)
def test_what_may_work_later_says_when(stage: Stage, error: BusError, status: int, retry_after: str) -> None:
    stage.engine.add = Mock(side_effect=error)  # type: ignore[method-assign]

    answer = stage.client().post("/inbound", json={"action": "fakejob"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (status, retry_after)
    assert answer.json == refusal_of(error).body
    assert answer.json["status"] == "error"


def test_an_unknown_outcome_names_the_job() -> None:
    job_id = an_id()

    assert refusal_of(OutcomeUnknown(job_id, "the disk failed.")).body["job_id"] == job_id


def test_a_damaged_record_is_500_for_that_job_alone_and_stops_every_client(stage: Stage) -> None:
    damaged = an_id()
    stage.engine.peek = Mock(side_effect=RecordDamaged(damaged, "it is empty."))  # type: ignore[method-assign]

    answer = stage.client().get(f"/outbound?job_id={damaged}")

    assert (answer.status_code, answer.json["status"]) == (500, "failed")
    assert (answer.json["code"], answer.json["job_id"]) == ("record_damaged", damaged)
