"""What a submission may hold, and how a bad one is refused by the name of its field."""

import dataclasses

import pytest

from core.errors import InvalidRequest
from core.submission import Submission, body_hash, submission_from
from tests.factories import NOW


def test_the_smallest_submission_names_an_action():
    asked = submission_from({"action": "fakejob"}, now=NOW)

    assert asked == Submission(action="fakejob")


def test_every_field_is_read():
    document = {
        "action": "fakejob",
        "params": {"delay_seconds": 2},
        "priority": 9,
        "run_after": 60,
        "timeout": "10m",
        "max_attempts": 2,
        "batch": "monday",
        "idempotency_key": "row 7",
        "callback_url": "https://example.org/done",
    }

    asked = submission_from(document, now=NOW)

    assert dataclasses.asdict(asked) == document | {
        "run_after": NOW + 60,
        "timeout": 600.0,
        "labels": {},
    }


def test_null_means_not_given():
    asked = submission_from({"action": "fakejob", "params": None, "priority": None}, now=NOW)

    assert asked == Submission(action="fakejob")


@pytest.mark.parametrize(
    ("document", "field", "code"),
    [
        ([], "body", "must_be_object"),
        ("fakejob", "body", "must_be_object"),
        ({}, "action", "missing_field"),
        ({"params": {}}, "action", "missing_field"),
        ({"action": None}, "action", "wrong_type"),
        ({"action": 7}, "action", "wrong_type"),
        ({"action": "a", "prms": {}}, "prms", "unknown_field"),
        ({"action": "a", "params": []}, "params", "wrong_type"),
        ({"action": "a", "params": {"x\x00": 1}}, "params", "bad_key"),
        ({"action": "a", "params": {"x": [{"deep\n": 1}]}}, "params", "bad_key"),
        ({"action": "a", "priority": 10}, "priority", "out_of_range"),
        ({"action": "a", "priority": -1}, "priority", "out_of_range"),
        ({"action": "a", "priority": True}, "priority", "wrong_type"),
        ({"action": "a", "priority": "5"}, "priority", "wrong_type"),
        ({"action": "a", "max_attempts": 0}, "max_attempts", "out_of_range"),
        ({"action": "a", "max_attempts": 10**9}, "max_attempts", "out_of_range"),
        ({"action": "a", "timeout": 0}, "timeout", "bad_time"),
        ({"action": "a", "timeout": -5}, "timeout", "bad_time"),
        ({"action": "a", "timeout": "soon"}, "timeout", "bad_time"),
        ({"action": "a", "timeout": "8 days"}, "timeout", "out_of_range"),
        ({"action": "a", "timeout": True}, "timeout", "wrong_type"),
        ({"action": "a", "run_after": "2026-02-32T00:00:00Z"}, "run_after", "bad_time"),
        ({"action": "a", "run_after": "2026-02-03T00:00:00"}, "run_after", "bad_time"),
        ({"action": "a", "run_after": {}}, "run_after", "wrong_type"),
        ({"action": "a", "batch": "../x"}, "batch", "bad_batch"),
        ({"action": "a", "batch": "x" * 129}, "batch", "bad_batch"),
        ({"action": "a", "idempotency_key": ""}, "idempotency_key", "bad_idempotency_key"),
        ({"action": "a", "idempotency_key": "k" * 300}, "idempotency_key", "bad_idempotency_key"),
        ({"action": "a", "idempotency_key": "a\nb"}, "idempotency_key", "bad_idempotency_key"),
        ({"action": "a", "callback_url": "ftp://x"}, "callback_url", "bad_url"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(document, field, code):
    with pytest.raises(InvalidRequest) as refusal:
        submission_from(document, now=NOW)

    assert (refusal.value.field, refusal.value.code) == (field, code)
    assert refusal.value.message.startswith(f"{field}: ")


def test_the_hash_tells_another_body_and_not_another_moment():
    one = Submission(action="a", params={"x": 1, "y": 2}, run_after=NOW)

    assert body_hash(one) == body_hash(Submission(action="a", params={"y": 2, "x": 1}, run_after=NOW + 5))
    assert body_hash(one) != body_hash(Submission(action="a", params={"x": 1, "y": 3}))
    assert body_hash(one) != body_hash(Submission(action="b", params={"x": 1, "y": 2}))
