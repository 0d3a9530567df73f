from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.idle import Facts, Hold, Policy, judge, reasons_to_stay
from tests.factories import NOW

POLICY = Policy(idle_timeout=900, due_window=600, boot_grace=300, paid_minute=60, max_uptime=36_000)
#: Two hours after the start nothing is left, and the last work was an hour ago.
QUIET = Facts(now=NOW, boottime=8_200, started=1_000, last_activity=4_600)


def test_a_machine_without_anything_left_to_do_stops() -> None:
    verdict = judge(QUIET, POLICY)

    assert verdict.stop
    assert not verdict.forced
    assert verdict.reasons == ()
    assert verdict.message == "Stopping: nothing is left to do."


@pytest.mark.parametrize(
    ("change", "code", "message", "until"),
    [
        ({"queued": 1}, "queued", "1 job waits", None),
        ({"queued": 1_200}, "queued", "1,200 jobs wait", None),
        ({"running": 2}, "running", "2 jobs run", None),
        ({"next_due": NOW + 600}, "due_soon", "a deferred or scheduled job is due in 10 minutes", None),
        ({"next_due": NOW - 5}, "due_soon", "a deferred or scheduled job is due now", None),
        ({"unread": (8_100.0, 8_260.0)}, "undelivered", "1 result has not been read", NOW + 60),
        ({"unread": (8_300.0, 8_260.0)}, "undelivered", "2 results have not been read", NOW + 100),
        ({"pending_webhooks": (8_100.0, 8_260.0)}, "webhook_pending", "1 webhook waits", NOW + 60),
        ({"hold": Hold(until=8_230, by="ann", why="demo")}, "hold", "ann holds it (demo)", NOW + 30),
        ({"last_activity": 8_080.0}, "idle_timeout", "the last work was 2 minutes ago", NOW + 780),
        ({"started": 8_170}, "boot_grace", "it started 30 seconds ago", NOW + 270),
        ({"unknown": "disk error"}, "unknown", "the jobs cannot be counted (disk error)", None),
    ],
)
def test_each_fact_is_a_reason_of_its_own_that_says_how_long_it_holds(
    change: dict[str, object], code: str, message: str, until: float | None
) -> None:
    facts = replace(QUIET, **change)  # type: ignore[arg-type]

    (reason,) = reasons_to_stay(facts, POLICY)

    assert (reason.code, reason.message, reason.until) == (code, message, until)
    assert judge(facts, POLICY).message == f"On because {message}."


def test_the_first_minute_since_boot_is_paid_anyway() -> None:
    facts = Facts(now=NOW, boottime=45, started=40, last_activity=None)

    (reason,) = reasons_to_stay(facts, replace(POLICY, boot_grace=0))

    assert (reason.code, reason.until) == ("paid_minute", NOW + 15)


@pytest.mark.parametrize(
    "change",
    [
        {"next_due": NOW + 601},
        {"unread": (8_200.0, 100.0)},
        {"pending_webhooks": (8_200.0, 100.0)},
        {"hold": Hold(until=8_200, by="ann", why="demo")},
        {"last_activity": 7_300.0},
        {"last_activity": None},
        {"started": 7_900},
    ],
)
def test_a_reason_ends_at_its_moment(change: dict[str, object]) -> None:
    assert reasons_to_stay(replace(QUIET, **change), POLICY) == ()  # type: ignore[arg-type]


def test_reasons_are_listed_in_one_sentence() -> None:
    verdict = judge(replace(QUIET, queued=2, running=1, pending_webhooks=(8_300.0,) * 3), POLICY)

    assert verdict.message == "On because 2 jobs wait, 1 job runs and 3 webhooks wait."


def test_the_longest_uptime_overrides_every_reason_and_says_so() -> None:
    facts = replace(QUIET, boottime=37_000, running=1, hold=Hold(until=90_000, by="ann", why="demo"))

    verdict = judge(facts, POLICY)

    assert verdict.stop
    assert verdict.forced
    assert [reason.code for reason in verdict.reasons] == ["running", "hold"]
    assert verdict.message.startswith(
        "Stopping: the longest uptime, 10 hours, is over, although 1 job runs and"
    )


@pytest.mark.parametrize("jump", [-10 * 365 * 86_400, -3_600, 3_600, 10 * 365 * 86_400])
def test_a_jump_of_the_wall_clock_changes_neither_the_reasons_nor_how_long_they_last(jump: float) -> None:
    facts = replace(QUIET, last_activity=8_000.0, unread=(8_900.0,), started=8_100)

    before, after = reasons_to_stay(facts, POLICY), reasons_to_stay(replace(facts, now=NOW + jump), POLICY)

    assert [reason.code for reason in before] == [reason.code for reason in after]
    assert [reason.until for reason in after] == [reason.until + jump for reason in before if reason.until]


@pytest.mark.parametrize(
    ("change", "until"),
    [
        ({}, None),
        ({"queued": 1}, None),
        ({"last_activity": 8_080.0}, NOW + 780),
        ({"last_activity": 8_080.0, "unread": (9_000.0,)}, NOW + 800),
        ({"last_activity": 8_080.0, "running": 1}, None),
    ],
    ids=["no reason", "work", "time", "two times", "time and work"],
)
def test_a_verdict_knows_how_long_it_lasts_when_only_time_can_end_its_reasons(
    change: dict[str, Any], until: float | None
) -> None:
    assert judge(replace(QUIET, **change), POLICY).until == until
