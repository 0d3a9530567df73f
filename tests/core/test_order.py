"""An order arrives as it was sent, and says of itself what JSON would not bring over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.order import Order, is_plain

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 1


@dataclass
class Thing:
    name: str


def test_an_order_arrives_as_it_was_sent() -> None:
    order = Order(
        job_id="0193518c-0000-7000-8000-000000000001",
        attempt=2,
        path=Path("/actions/act.py"),
        stamp="1-2-3",
        params={"url": "http://example.org/"},
        arguments=None,
        wants_context=True,
        files=Path("/files/1"),
        deadline=12.5,
        result_limit=100,
        environment={"PATH": "/bin"},
    )

    assert Order.from_json(json.loads(json.dumps(order.to_json()))) == order


@given(JSON)
def test_whatever_is_json_arrives_as_what_it_was(value: Any) -> None:
    assert is_plain(value)
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [date(2026, 2, 3), Path("/"), Colour.RED, Size.BIG, Thing("x"), (1, 2), {1}, {1: "x"}, b"x", 1j],
    ids=repr,
)
def test_what_would_arrive_as_something_else_is_not_plain_however_deep_it_is(value: Any) -> None:
    assert not is_plain(value)
    assert not is_plain({"list": [{"deep": value}]})
