"""Intervals keep their beat, and the latest of many due times are found at once."""

from __future__ import annotations

from itertools import islice

import pytest

from core.timetable import Interval, first, latest, parse_interval, timetable
from tests.factories import NOW

START = int(NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 seconds", 30),
        ("1 second", 1),
        ("5 minutes", 300),
        ("1 hour", 3_600),
        ("2 days", 172_800),
        ("1 week", 604_800),
        ("2  weeks", 1_209_600),
        (" 10 minutes ", 600),
    ],
)
def test_an_interval_is_read_as_people_say_it(text: str, seconds: int) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "minutes",
        "0 minutes",
        "-5 minutes",
        "1.5 hours",
        "5 min",
        "five minutes",
        "5 minutes ago",
        "1 month",
        "99999 weeks",
        "5\nminutes",
        "\u0665 minutes",
        "1" * 400 + " seconds",
    ],
)
def test_what_is_no_interval_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="is no interval: write a whole number and a unit"):
        parse_interval(text)


def test_an_interval_is_first_due_one_interval_after_its_start() -> None:
    table = Interval(300, START)

    assert first(table, START - 1_000_000) == START + 300
    assert first(table, START) == START + 300
    assert first(table, START + 299.9) == START + 300
    assert first(table, START + 300) == START + 600


def test_the_beat_does_not_depend_on_when_it_is_asked_for() -> None:
    table = Interval(7, START)

    beats = list(islice(table.times(START), 100))

    assert [first(table, beat - 0.5) for beat in beats] == beats


def test_a_timetable_is_made_of_words() -> None:
    assert timetable("interval", "1 minute", zone="UTC", start=NOW + 0.7) == Interval(60, START)
    assert first(timetable("cron", "0 9 * * *", zone="UTC", start=NOW), NOW) == 1_700_038_800


def test_all_due_times_of_a_span_are_found() -> None:
    table = Interval(60, START)

    assert latest(table, after=START, until=START + 180, most=10) == [START + 60, START + 120, START + 180]
    assert latest(table, after=START, until=START + 59, most=10) == []


@pytest.mark.parametrize(("task_type", "schedule"), [("interval", "1 second"), ("cron", "* * * * *")])
def test_of_ten_years_only_the_latest_are_looked_at(task_type: str, schedule: str) -> None:
    table = timetable(task_type, schedule, zone="Europe/Berlin", start=NOW)
    until = START + 10 * 365 * 86_400

    found = latest(table, after=NOW, until=until, most=1_000)

    assert len(found) == 1_000
    assert found[-1] > until - 60
    assert found == sorted(set(found))


def test_a_rare_due_time_of_long_ago_is_found() -> None:
    table = timetable("cron", "0 0 29 2 *", zone="UTC", start=NOW)

    found = latest(table, after=NOW, until=NOW + 10 * 365 * 86_400, most=1_000)

    assert len(found) == 3
