from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timing import LONGEST, backoff, format_duration, parse_duration, parse_when
from tests.factories import NOW


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5 minutes", 300),
        ("1 hour", 3_600),
        ("30 seconds", 30),
        ("2 days", 172_800),
        ("1 week", 604_800),
        ("10m", 600),
        ("90s", 90),
        ("7d", 604_800),
        ("1.5 h", 5_400),
        ("2 MIN", 120),
        ("  45 sec ", 45),
        ("90", 90),
        (90, 90),
        (0.25, 0.25),
        (LONGEST, LONGEST),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_a_number_and_a_unit(value: str | float, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *[
            "",
            " ",
            "soon",
            "s",
            "5 parsecs",
            "5 ss",
            "5 ms",
            "1h30m",
            "-5 minutes",
            "1e3",
            "1_000",
            "٣ seconds",
        ],
        *["5\nminutes then some", "0", "0 s", "9" * 400],
        *[0, -1, True, float("nan"), float("inf"), LONGEST + 1],
        pytest.param(10**5000, id="a number that Python does not spell out"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_remedy(value: str | float) -> None:
    with pytest.raises(ValueError, match="such as '30 seconds', '5 minutes'") as refusal:
        parse_duration(value)

    assert len(str(refusal.value)) < 300


@given(st.integers(1, 5_000), st.sampled_from(["second", "minute", "hour", "day", "week"]))
def test_a_duration_means_the_same_in_the_singular_the_plural_and_without_the_space(
    count: int, unit: str
) -> None:
    assert (
        parse_duration(f"{count} {unit}")
        == parse_duration(f"{count}{unit}s")
        == count * parse_duration(f"1{unit}")
    )


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2023-11-14T22:14:20Z", NOW + 60),
        ("2023-11-14T22:14:20+00:00", NOW + 60),
        ("2023-11-15T00:14:20+02:00", NOW + 60),
        ("2023-11-14T22:14:20.500-00:00", NOW + 60.5),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
        (60, NOW + 60),
        (0.5, NOW + 0.5),
        (0, NOW),
    ],
)
def test_a_moment_is_a_time_with_an_offset_or_seconds_from_now(value: str | float, moment: float) -> None:
    assert parse_when(value, now=NOW) == moment


@pytest.mark.parametrize("value", ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_moment_in_the_past_means_now(value: str) -> None:
    assert parse_when(value, now=NOW) == NOW


@pytest.mark.parametrize("value", ["2030-01-01T00:00:00", "2030-01-01"])
def test_a_time_without_an_offset_is_asked_for_one(value: str) -> None:
    with pytest.raises(ValueError, match="has no offset from UTC: end it with 'Z'"):
        parse_when(value, now=NOW)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("2030-02-32T00:00:00Z", "day is out of range"),
        ("2030-02-30T00:00:00Z", "day is out of range"),
        ("tomorrow", "is no time"),
        ("", "is no time"),
        ("60", "or as a number of seconds"),
        ("x" * 10_000, "is no time"),
        ("\ud800", "is no time"),
        (-1, "must be from 0 to 3,153,600,000"),
        (LONGEST + 1, "must be from 0 to 3,153,600,000"),
        (float("nan"), "must be from 0"),
        (True, "must be from 0"),
        pytest.param(10**5000, "must be from 0", id="a number that Python does not spell out"),
        (1e300, "must be from 0"),
        ("9999-12-31T23:59:59-01:00", "after the year 9999"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(value: str | float, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        parse_when(value, now=NOW)

    assert len(str(refusal.value)) < 300


def test_backoff_doubles_from_its_base_up_to_its_ceiling() -> None:
    shortest = [backoff(attempt, jitter=0.0, base=2.0, ceiling=600.0) for attempt in range(1, 11)]

    assert shortest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True), st.floats(0.001, 3_600))
def test_backoff_waits_at_least_half_and_never_longer_than_its_ceiling(
    attempt: int, jitter: float, base: float
) -> None:
    wait = backoff(attempt, jitter=jitter, base=base, ceiling=600.0)

    assert min(base, 600.0) / 2 <= wait <= 600.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 ms"),
        (0, "0 ms"),
        (0.25, "250 ms"),
        (0.9996, "1 second"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (90, "1 minute 30 seconds"),
        (3_605, "1 hour"),
        (7_500, "2 hours 5 minutes"),
        (183_605, "2 days 3 hours"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@given(st.integers(0, 6), st.integers(1, 23))
def test_two_units_that_are_said_are_understood_again(days: int, hours: int) -> None:
    words = format_duration(days * 86_400 + hours * 3_600).split()

    understood = sum(
        parse_duration(f"{count} {unit}") for count, unit in zip(words[::2], words[1::2], strict=True)
    )
    assert understood == days * 86_400 + hours * 3_600
