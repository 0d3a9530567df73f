from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.idle import Facts, Hold, Policy, judge, reasons_to_stay, wake_at
from tests.factories import NOW

POLICY = Policy(idle_timeout=900, min_sleep=600, boot_grace=300, paid_minute=60, max_uptime=36_000)
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
        ({"next_due": NOW + 600}, "due_soon", "a deferred or scheduled job is due in 10 minutes", NOW + 600),
        (
            {"next_due": NOW + 640, "lead": 40},
            "due_soon",
            "a deferred or scheduled job is due in 10 minutes 40 seconds",
            NOW + 640,
        ),
        ({"next_due": NOW - 5}, "due_soon", "a deferred or scheduled job is due now", None),
        ({"unread": (8_100.0, 8_260.0)}, "undelivered", "1 result has not been read", NOW + 60),
        ({"unread": (8_300.0, 8_260.0)}, "undelivered", "2 results have not been read", NOW + 100),
        ({"pending_webhooks": (8_100.0, 8_260.0)}, "webhook_pending", "1 webhook waits", NOW + 60),
        ({"unpublished": (8_260.0, 8_100.0)}, "unpublished", "1 result is not in the mirror yet", NOW + 60),
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


def test_the_first_minute_since_the_machine_woke_up_is_paid_anyway() -> None:
    facts = Facts(now=NOW, boottime=9_045, started=9_000, awake=9_000)

    (reason,) = reasons_to_stay(facts, replace(POLICY, boot_grace=0))

    assert (reason.code, reason.until) == ("paid_minute", NOW + 15)


def test_the_first_minute_since_boot_is_paid_anyway() -> None:
    facts = Facts(now=NOW, boottime=45, started=40, last_activity=None)

    (reason,) = reasons_to_stay(facts, replace(POLICY, boot_grace=0))

    assert (reason.code, reason.until) == ("paid_minute", NOW + 15)


@pytest.mark.parametrize(
    "change",
    [
        {"next_due": NOW + 601},
        {"next_due": NOW + 641, "lead": 40},
        {"next_webhook": NOW + 1},
        {"unread": (8_200.0, 100.0)},
        {"pending_webhooks": (8_200.0, 100.0)},
        {"unpublished": (8_200.0, 100.0)},
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


@pytest.mark.parametrize(
    ("change", "moment"),
    [
        ({}, None),
        ({"next_due": NOW + 5_000}, NOW + 5_000),
        ({"next_due": NOW + 5_000, "lead": 45}, NOW + 4_955),
        ({"next_due": NOW + 20}, NOW + 600),
        ({"next_due": NOW - 5_000}, NOW + 600),
        ({"queued": 1}, NOW + 600),
        ({"running": 1, "next_due": NOW + 5_000}, NOW + 600),
        ({"next_webhook": NOW + 20}, NOW + 3_600),
        ({"next_webhook": NOW + 9_000, "lead": 45}, NOW + 8_955),
        ({"next_webhook": NOW + 20, "next_due": NOW + 2_000}, NOW + 2_000),
        ({"unread": (8_300.0,), "pending_webhooks": (8_300.0,), "unpublished": (8_300.0,)}, None),
    ],
    ids=[
        *("nothing", "a job", "early by the lead", "too soon", "overdue", "waiting jobs", "running jobs"),
        *("a webhook", "a later webhook", "a webhook and a job", "what waits for others"),
    ],
)
def test_the_machine_is_to_be_started_for_the_first_that_needs_it_after_some_sleep(
    change: dict[str, Any], moment: float | None
) -> None:
    assert wake_at(replace(QUIET, **change), POLICY) == moment


seconds = st.floats(0, 50_000)
moments = st.one_of(st.none(), st.floats(NOW - 20_000, NOW + 50_000))
#: Whatever may be the case, with all clocks running.
anything = st.builds(
    Facts,
    queued=st.integers(0, 3),
    running=st.integers(0, 3),
    next_due=moments,
    next_webhook=moments,
    unread=st.tuples(seconds),
    pending_webhooks=st.tuples(seconds),
    last_activity=st.one_of(st.none(), seconds),
    unknown=st.sampled_from(["", "disk error"]),
    hold=st.one_of(st.none(), st.builds(Hold, until=seconds, by=st.just("ann"), why=st.just("demo"))),
    now=st.just(NOW),
    boottime=st.just(20_000.0),
    started=st.floats(0, 20_000),
    awake=st.floats(0, 20_000),
    lead=st.floats(0, 600),
)


@given(anything)
def test_a_machine_stops_by_itself_only_over_nothing_and_is_back_in_time_for_all_jobs(facts: Facts) -> None:
    verdict, moment = judge(facts, POLICY), wake_at(facts, POLICY)

    if not verdict.stop or verdict.forced:
        return
    assert (facts.queued, facts.running, facts.unknown) == (0, 0, "")
    if facts.next_due is not None:
        assert moment is not None
        assert moment + facts.lead <= facts.next_due + 1e-6


@given(anything)
def test_whoever_sleeps_sleeps_for_a_while_and_for_nothing_does_not_wake(facts: Facts) -> None:
    moment = wake_at(facts, POLICY)

    assert moment is None or moment - facts.now >= POLICY.min_sleep
    work = facts.queued or facts.running or facts.next_due is not None or facts.next_webhook is not None
    assert (moment is not None) == bool(work)


@given(anything, st.floats(0, 100_000))
def test_a_reason_that_names_its_end_is_gone_then_and_not_before(facts: Facts, later: float) -> None:
    after = replace(facts, now=facts.now + later, boottime=facts.boottime + later)

    still = {reason.code for reason in reasons_to_stay(after, POLICY)}

    for reason in reasons_to_stay(facts, POLICY):
        if reason.until is None:
            assert reason.code in still
        elif abs(reason.until - after.now) > 1e-3:  # else the rounding of Unix seconds decides
            gone = reason.until < after.now and reason.code != "due_soon"
            assert (reason.code not in still) == gone


@given(anything)
def test_only_the_longest_uptime_stops_a_machine_against_its_reasons(facts: Facts) -> None:
    verdict = judge(facts, POLICY)

    assert verdict.forced == (facts.uptime >= POLICY.max_uptime)
    assert verdict.stop == (verdict.forced or not verdict.reasons)
