"""Cron expressions are due when Debian's cron would run them, wherever and whenever clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest

from core.cron import Cron
from tests.core import cron_reference

DAYS = 400
EXPRESSIONS = (
    """
* * * * *|*/5 * * * *|*/7 * * * *|*/15 * * * *|0 * * * *|30 * * * *|59 * * * *
0,30 * * * *|5-10 * * * *|10-40/10 * * * *|1,2,3-5,50-58/4 * * * *|*/90 * * * *|17 */2 * * *|0 */2 * * *
0 */5 * * *|*/20 */6 * * *|* 2 * * *|*/10 2-3 * * *|*/30 1,2,3 * * *|15 0-23/3 * * *|0 9 * * *|30 2 * * *
0 2 * * *|0 3 * * *|0,30 2 * * *|15 2,3 * * *|5 1-4 * * *|0 0 * * *|59 23 * * *|0 9-17 * * 1-5|0 9 * * 1
0 0 * * 0|0 0 * * 7|0 0 * * 0,7|0 0 * * sun|0 0 * * Mon-FRI|30 2 * * sun|0 12 * * 5-7|0 12 * * 0-7
0 12 * * 1-5/2|0 12 * * */2|0 12 * * */3|0 12 * * */7|0 0 1 * *|0 0 15 * *|0 0 31 * *|0 0 29 2 *
0 0 1,15 * *|0 0 1-7 * *|0 0 */2 * *|0 0 */10 * *|0 0 2-30/7 * *|0 0 1 1 *|0 0 1 jan,JUL *|0 0 * 3-5 *
0 0 * */4 *|0 0 1 2-11/3 *|0 0 13 * 5|0 0 13 * fri|30 4 1,15 * 5|0 0 1-7 * 1|0 0 */2 * 1|0 0 1 * */2
0 0 */5 * */2|0 0 31 * 0|30 2 29 3 *|30 2 25 10 *|*/30 2 28 3 *|0 2 * * 0|23 0-20/2 * * *|0 22 * * 1-5
5 4 * * sun|15 14 1 * *|0-59 23 31 12 *|45 23 * 12 6|0 6,18 */3 1-6 1,3
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

#: Those in which every way to follow a clock that is set can be told.
SOME = [
    *("30 2 * * *", "0 0 * * *", "15 0,1,2,3 * * *", "*/20 * * * *", "*/10 0-3 * * *"),
    *("45 */2 * * 0", "0 1 1 * 0"),
]


def begin_of(zone: str, year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).timestamp())


def times(expression: str, zone: str, start: int, days: int) -> list[int]:
    end = start + days * 86_400
    return list(takewhile(lambda due: due < end, Cron(expression, zone).times(start - 1)))


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_there_are_enough_expressions_to_speak_of_a_table() -> None:
    assert len(set(EXPRESSIONS)) >= 60


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_due_as_cron_runs_it(expression: str) -> None:
    start = begin_of("Europe/Berlin", 2026)

    found = times(expression, "Europe/Berlin", start, DAYS)

    assert found == cron_reference.due_times(expression, "Europe/Berlin", start, DAYS)


@pytest.mark.parametrize(
    "zone",
    [
        "America/New_York",
        "America/Havana",  # It leaves out midnight, and shows it twice.
        "Africa/Cairo",  # It leaves out midnight.
        "Africa/Casablanca",  # It is set back for Ramadan.
        "Australia/Lord_Howe",  # It is set by half an hour.
        "America/St_Johns",  # It is not a whole number of hours away.
        "Asia/Kathmandu",  # It is never set.
        "UTC",
    ],
)
def test_expressions_are_due_as_cron_runs_them_wherever_clocks_are_set(zone: str) -> None:
    start = begin_of(zone, 2026)

    found = {expression: times(expression, zone, start, 366) for expression in SOME}

    for expression, due in found.items():
        assert due == cron_reference.due_times(expression, zone, start, 366), expression


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # In spring the clock goes from 02:00 to 03:00 …
        ("30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0,30 2 * * *", "2026-03-29T00:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        ("0 2,3 * * *", "2026-03-29T00:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        ("*/30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-30T02:00+02:00", "2026-03-30T02:30+02:00"]),
        ("*/30 * * * *", "2026-03-29T01:00+01:00", ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"]),
        # … and in autumn from 03:00 to 02:00.
        ("30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("30 2 * * *", "2026-10-25T02:10+01:00", ["2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00"]),
        ("30 * * * *", "2026-10-25T02:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]),
        ("*/30 2 * * *", "2026-10-25T02:10+02:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00"]),
        ("0 3 * * *", "2026-10-25T02:10+01:00", ["2026-10-25T03:00+01:00", "2026-10-26T03:00+01:00"]),
    ],
)
def test_a_day_on_which_the_clock_is_set_is_told_as_cron_tells_it(
    expression: str, after: str, expected: list[str]
) -> None:
    found = islice(Cron(expression, "Europe/Berlin").times(moment(after)), 2)

    assert [datetime.fromtimestamp(due, UTC) for due in found] == [
        datetime.fromtimestamp(moment(text), UTC) for text in expected
    ]


def test_a_day_that_a_zone_left_out_altogether_is_due_when_the_next_one_begins() -> None:
    # Samoa crossed the date line: the 30th of December 2011 was not.
    found = list(islice(Cron("0 9 30 12 *", "Pacific/Apia").times(moment("2011-12-01T00:00Z")), 2))

    assert found == [moment("2011-12-31T00:00+14:00"), moment("2012-12-30T09:00+14:00")]


def test_what_is_due_now_is_not_due_again() -> None:
    cron = Cron("0 9 * * *")

    due = next(cron.times(moment("2026-01-01T09:00Z") - 0.4))

    assert due == moment("2026-01-01T09:00Z")
    assert next(cron.times(due)) == moment("2026-01-02T09:00Z")
    assert next(cron.times(due + 0.5)) == moment("2026-01-02T09:00Z")
    assert next(cron.times(due - 1)) == due


def test_a_leap_day_is_waited_for() -> None:
    assert next(Cron("0 0 29 2 *").times(moment("2026-01-01T00:00Z"))) == moment("2028-02-29T00:00Z")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 0 9 * * *", "five fields"),
        ("@daily", "five fields"),
        ("* " * 200, "five fields"),
        ("60 * * * *", "look at its minute"),
        ("* 24 * * *", "look at its hour"),
        ("* * 0 * *", "look at its day of the month"),
        ("* * 32 * *", "look at its day of the month"),
        ("* * * 13 *", "look at its month"),
        ("* * * * 8", "look at its day of the week"),
        ("* * * foo *", "look at its month"),
        ("*/0 * * * *", "look at its minute"),
        ("30-10 * * * *", "look at its minute"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 2 */2", "never comes"),
        ("5/15 * * * *", "The minute '5/15' cannot be read"),
        ("* * L * *", "The day of the month 'L' cannot be read"),
        ("* * * * 5L", "The day of the week '5L' cannot be read"),
        ("* * * * 1#2", "The day of the week '1#2' cannot be read"),
        ("-1 * * * *", "The minute '-1' cannot be read"),
        ("1, * * * *", "The minute '1,' cannot be read"),
        ("٣ * * * *", "The minute '٣' cannot be read"),
        ("0 9 * * * ; rm", "five fields"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_with_its_field(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(").replace("#", r"\#")):
        Cron(expression)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "europe berlin", "x" * 500, "\0"]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        Cron("0 9 * * *", zone)


def test_a_range_of_one_value_is_that_value_whatever_its_step() -> None:
    found = islice(Cron("5-5/2 0 * * *").times(moment("2026-01-01T00:00Z")), 2)

    assert list(found) == [moment("2026-01-01T00:05Z"), moment("2026-01-02T00:05Z")]
