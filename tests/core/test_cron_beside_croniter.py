"""Cron beside croniter: they agree but for three things, in which croniter is not Debian's cron.

1. A day field that begins with `*`, such as `*/2`, beside a day field that does not: cron wants both days to
   match, croniter either. cron(8) goes by the first character.
2. The hour that is shown twice in autumn: croniter is due twice at a time that cron runs once.
3. The hour that is left out in spring: croniter is due when the next one begins also for `0 */2 * * *`, which
   cron leaves out, and there at minute 0 whatever minute was asked for.
"""

from __future__ import annotations

import os
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.core.test_cron import DAYS, EXPRESSIONS, begin_of, times

ZONE = ZoneInfo("Europe/Berlin")
START = begin_of("Europe/Berlin", 2026)
#: The days on which the clock is set.
SET = {date(2026, 3, 29), date(2026, 10, 25)}
#: Those that are due several times an hour all day tell nothing more, and take croniter very long.
COMPARED = [one for one in EXPRESSIONS if not one.endswith(" * * * *") or one.split()[0].isdigit()]


def croniter_times(expression: str) -> list[int]:
    if not os.environ.get("CI"):
        pytest.importorskip("croniter")
    from croniter import croniter

    found: list[int] = []
    theirs = croniter(expression, datetime.fromtimestamp(START - 1, ZONE))
    while (due := int(theirs.get_next(float))) < START + DAYS * 86_400:
        found.append(due)
    return found


def usual(due: list[int]) -> list[int]:
    return [one for one in due if datetime.fromtimestamp(one, ZONE).date() not in SET]


def wants_both_days(expression: str) -> bool:
    _, _, day, _, weekday = expression.split()
    return "*" not in {day, weekday} and (day.startswith("*") or weekday.startswith("*"))


def test_there_are_enough_expressions_to_speak_of_a_table() -> None:
    assert len(set(COMPARED)) >= 60


@pytest.mark.parametrize("expression", COMPARED)
def test_croniter_agrees_but_for_days_of_two_kinds_and_for_clocks_that_are_set(expression: str) -> None:
    ours, theirs = times(expression, "Europe/Berlin", START, DAYS), croniter_times(expression)

    if wants_both_days(expression):
        assert set(usual(ours)) < set(usual(theirs))
    else:
        assert usual(ours) == usual(theirs)
