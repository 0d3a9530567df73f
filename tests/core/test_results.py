from __future__ import annotations

import dataclasses
import enum
import math
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from core.errors import Fail
from core.results import checked_result


@dataclasses.dataclass
class Point:
    x: int
    when: date


class Model(BaseModel):
    day: date


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        ("ä\u2028\x00", "ä\u2028\x00"),
        ((1, [2]), [1, [2]]),
        ({"a": {"b": ()}}, {"a": {"b": []}}),
        (datetime(2026, 2, 3, 4, 5, tzinfo=UTC), "2026-02-03T04:05:00+00:00"),
        (time(4, 5), "04:05:00"),
        (Point(1, date(2026, 2, 3)), {"x": 1, "when": "2026-02-03"}),
        (Model(day=date(2026, 2, 3)), {"day": "2026-02-03"}),
        ([Colour.RED], ["red"]),
        (Path("/a/b"), "/a/b"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        pytest.param(10**3000, 10**3000, id="3,001 digits"),
    ],
)
def test_what_has_one_obvious_json_form_gets_it(value: Any, expected: Any) -> None:
    assert checked_result(value) == expected


def circular() -> list[Any]:
    within: list[Any] = []
    within.append([within])
    return within


def deep() -> list[Any]:
    within: list[Any] = []
    for _ in range(5_000):
        within = [within]
    return within


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"x", "result is of type bytes"),
        ({"a": [1, {2}]}, "result.a[1] is of type set"),
        ({"a": math.nan}, "result.a is nan, which JSON cannot express"),
        ([math.inf], "result[0] is inf, which JSON cannot express"),
        ({"a": "\ud800"}, "result.a holds half of a surrogate pair, which UTF-8 cannot express"),
        ({"\ud800": 1}, "result holds half of a surrogate pair, which UTF-8 cannot express"),
        ({1: 2}, "result has a key of type int"),
        (circular(), "result[0][0] contains itself"),
        (deep(), "is nested more than 100 deep"),
        pytest.param(10**5000, "result is an integer of thousands of digits", id="many digits"),
        (object, "result is of type type"),
        (Model, "result is of type ModelMetaclass"),
    ],
)
def test_what_json_cannot_express_is_refused_by_place_and_type(value: Any, why: str) -> None:
    with pytest.raises(Fail) as refusal:
        checked_result(value)

    assert refusal.value.code == "bad_result"
    assert str(refusal.value).startswith("The result is not JSON: result")
    assert why in str(refusal.value)


def test_the_same_object_may_occur_twice() -> None:
    shared = [1]

    assert checked_result([shared, shared]) == [[1], [1]]


def test_the_size_is_that_of_the_json_in_bytes() -> None:
    assert checked_result("ä" * 4, limit=10) == "ääää"
    with pytest.raises(Fail) as refusal:
        checked_result("ä" * 5, limit=10)

    assert refusal.value.code == "too_large"
    assert str(refusal.value) == "The result has 12 bytes as JSON; at most 10 are kept."
