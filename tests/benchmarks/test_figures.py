from __future__ import annotations

import pytest

from benchmarks.figures import (
    QUICK_VARIABLE,
    Figure,
    Reading,
    effort,
    from_line,
    more_is_better,
    quantile,
    rotated,
    rows,
    to_line,
)


def a_reading(value: float, *, number: int = 0, figure: str = "submit", who: str = "Huey") -> Reading:
    return Reading(number, 0.5, Figure(figure, who, value, "jobs/s"))


def test_a_line_of_a_file_holds_a_whole_reading() -> None:
    reading = a_reading(12.5, number=3)

    assert from_line(to_line(reading)) == reading


def test_the_rounds_of_a_figure_become_one_row_with_median_and_spread() -> None:
    values = [30.0, 10.0, 20.0, 90.0, 15.0]

    (row,) = rows(a_reading(value, number=number) for number, value in enumerate(values))

    assert (row.median, row.least, row.most, row.rounds, row.load) == (20.0, 10.0, 90.0, 5, 0.5)


def test_rows_stand_in_the_order_in_which_they_were_first_taken() -> None:
    taken = [("drain", "RQ"), ("drain", "Huey"), ("submit", "RQ"), ("drain", "RQ")]

    found = rows(a_reading(1, figure=figure, who=who) for figure, who in taken)

    assert [(row.figure, row.who) for row in found] == taken[:3]


@pytest.mark.parametrize(
    ("unit", "more"), [("jobs/s", True), ("requests/s", True), ("ms", False), ("s", False)]
)
def test_rates_are_better_when_higher_and_all_else_when_lower(unit: str, more: bool) -> None:
    assert more_is_better(unit) is more


def test_everybody_goes_first_once_in_as_many_rounds_as_there_are_contenders() -> None:
    orders = [rotated("abc", number) for number in range(4)]

    assert ["".join(order) for order in orders] == ["abc", "bca", "cab", "abc"]


def test_nobody_has_no_order() -> None:
    assert rotated([], 3) == []


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_the_smallest_value_that_enough_values_do_not_exceed(share: float, value: int) -> None:
    assert quantile(range(1, 101), share) == value


def test_a_quick_run_does_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUICK_VARIABLE, raising=False)
    whole = effort(1, 100)
    monkeypatch.setenv(QUICK_VARIABLE, "1")

    assert (whole, effort(1, 100)) == (100, 1)
