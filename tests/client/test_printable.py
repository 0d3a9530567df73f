"""What is printed disturbs no terminal, and is still what was meant."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from client.printable import columns_of, in_columns, local_time, printable, printable_json, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07\x9b31m\x7f", "\\x1b[2J\\x07\\x9b31m\\x7f"),
        ("a\rb\nc\u2028d", "a\\rb\\nc\\u2028d"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
        ("a\xa0b\u3000é 字", "a\xa0b\u3000é 字"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    ],
)
def test_what_could_disturb_a_terminal_is_escaped_and_nothing_else(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize("indent", [None, 1])
def test_json_stays_json_whatever_stands_in_it(indent: int | None) -> None:
    document = {"a": ["x\xa0y", "\x1b[2J\x9b\u202e\ud800\n\t", "é"]}

    text = printable_json(document, indent=indent)

    assert json.loads(text) == document
    assert printable(text.replace("\n", "")) == text.replace("\n", "")


def test_columns_are_those_that_a_terminal_takes() -> None:
    rows = [("字字", "a"), ("b", "c")]

    assert list(in_columns(rows)) == ["字字  a", "b     c"]
    assert columns_of("a字👩") == 5
    assert (shortened("a字👩", 4), shortened("abc", 3)) == ("a字", "abc")


@pytest.fixture
def in_new_york() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_moment_is_told_by_the_clock_of_this_computer() -> None:
    assert local_time(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2026-01-01 22:04:05"
