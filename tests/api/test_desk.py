"""The desk: whatever a dialect asks for, it gets as the caller may have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, g

from api.callers import OWNER, Caller
from api.desk import Desk
from api.errors import Refused
from core.errors import IdempotencyConflict, InvalidRequest, JobNotFound
from core.jobs import Query
from core.submission import Submission
from tests.api.stage import Stage

FAKEJOB = Submission(action="fakejob")
ANNE = Caller(name="anne", own_jobs_only=True)
BOB = Caller(name="bob")


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk(stage.kernel)


@contextmanager
def calling(who: Caller, **headers: str) -> Iterator[None]:
    """Stand at the desk as that caller."""
    with Flask(__name__).test_request_context(headers=headers):
        g.caller = who
        yield


def test_the_key_of_the_header_makes_a_repeated_submission_the_same_job(desk: Desk) -> None:
    with calling(Caller(), **{"Idempotency-Key": "k"}):
        first, again = desk.submit(FAKEJOB), desk.submit(FAKEJOB)

    assert first.id == again.id


def test_the_key_of_the_header_must_not_contradict_that_of_the_body(desk: Desk) -> None:
    with calling(Caller(), **{"Idempotency-Key": "k"}), pytest.raises(Refused) as refused:
        desk.submit(Submission(action="fakejob", idempotency_key="other"))

    assert refused.value.code == "conflicting_fields"


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x7f"])
def test_a_key_that_is_none_is_refused(desk: Desk, key: str) -> None:
    with calling(Caller(), **{"Idempotency-Key": key}), pytest.raises(InvalidRequest) as refused:
        desk.submit(FAKEJOB)

    assert refused.value.code == "bad_idempotency_key"


def test_another_body_under_the_same_key_is_refused(desk: Desk) -> None:
    with calling(Caller(), **{"Idempotency-Key": "k"}):
        desk.submit(FAKEJOB)

        with pytest.raises(IdempotencyConflict):
            desk.submit(Submission(action="fakejob", params={"delay_seconds": 1}))


def test_the_same_key_of_two_callers_makes_two_jobs(desk: Desk) -> None:
    jobs = []
    for who in (ANNE, BOB):
        with calling(who, **{"Idempotency-Key": "k"}):
            jobs.append(desk.submit(FAKEJOB))

    assert jobs[0].id != jobs[1].id


def test_many_jobs_cannot_have_one_key(desk: Desk) -> None:
    with calling(Caller(), **{"Idempotency-Key": "k"}), pytest.raises(Refused) as refused:
        desk.submit_many([FAKEJOB])

    assert refused.value.code == "conflicting_fields"


def test_a_job_bears_the_name_of_who_submitted_it_and_the_labels_of_the_dialect(desk: Desk) -> None:
    with calling(ANNE):
        one = desk.submit(Submission(action="fakejob", labels={"problem_id": "p"}))
        (other,) = desk.submit_many([FAKEJOB])

    assert (one.labels, other.labels) == ({"problem_id": "p", OWNER: "anne"}, {OWNER: "anne"})


def test_whoever_sees_the_own_jobs_only_neither_finds_nor_touches_those_of_others(desk: Desk) -> None:
    with calling(BOB):
        bobs = desk.submit(FAKEJOB)
    with calling(ANNE):
        annes = desk.submit(FAKEJOB)

        assert [job.id for job in desk.find(Query()).jobs] == [annes.id]
        assert [job.id for job in desk.all(Query())] == [annes.id]
        for touch in (desk.get, desk.peek, desk.logs, desk.cancel, desk.retry):
            with pytest.raises(JobNotFound):
                touch(bobs.id)
        with pytest.raises(JobNotFound):
            desk.wait(bobs.id, 0)


def test_whoever_sees_all_jobs_sees_those_of_others(desk: Desk) -> None:
    with calling(ANNE):
        annes = desk.submit(FAKEJOB)

    with calling(BOB):
        assert desk.get(annes.id).id == annes.id
        assert [job.id for job in desk.find(Query()).jobs] == [annes.id]


@pytest.mark.parametrize("ask", ["submit", "submit_many", "retry"])
def test_an_action_that_the_caller_may_not_run_is_refused(desk: Desk, stage: Stage, ask: str) -> None:
    with calling(Caller()):
        job = desk.submit(FAKEJOB)
    asks: dict[str, tuple[Any, Any]] = {
        "submit": (desk.submit, FAKEJOB),
        "submit_many": (desk.submit_many, [FAKEJOB]),
        "retry": (desk.retry, job.id),
    }
    call, argument = asks[ask]

    with calling(Caller(name="c", actions=frozenset({"other"}))), pytest.raises(Refused) as refused:
        call(argument)

    assert (refused.value.code, "other" in refused.value.hint) == ("action_not_allowed", True)
    assert len(stage.engine.find(Query()).jobs) == 1


def test_all_jobs_of_a_query_are_yielded_however_many_pages_they_fill(desk: Desk) -> None:
    with calling(Caller()):
        stored = desk.submit_many([FAKEJOB] * 1_000) + desk.submit_many([FAKEJOB] * 5)

        assert sum(1 for _ in desk.all(Query())) == len(stored)
