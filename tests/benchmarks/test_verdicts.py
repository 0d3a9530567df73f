from __future__ import annotations

import pytest

from benchmarks.contenders import CELERY, DURABLE, HUEY_FILE, HUEY_REDIS, HUEY_SQLITE, PERSIST_SQLITE
from benchmarks.cut import figure_of
from benchmarks.figures import OURS, Row
from benchmarks.goals import standings
from benchmarks.verdicts import advantage, defeats, durable

KEEPERS = {OURS, HUEY_REDIS.name, HUEY_SQLITE.name, PERSIST_SQLITE.name}


def a_row(figure: str, who: str, median: float, *, unit: str = "jobs/s") -> Row:
    return Row(
        figure=figure, who=who, unit=unit, median=median, least=median, most=median, rounds=5, load=0.1
    )


def a_cut(kind: str, who: str, kept: int) -> Row:
    return a_row(figure_of(kind), who, kept, unit="of 300")


def test_durable_is_who_lost_nothing_on_any_file_system() -> None:
    cuts = [
        *[a_cut("ext4", OURS, 300), a_cut("xfs", OURS, 300)],
        *[a_cut("ext4", CELERY.name, 300), a_cut("xfs", CELERY.name, 299)],
        a_cut("ext4", HUEY_FILE.name, 0),
    ]

    assert durable(cuts) == {OURS}


def test_a_cut_in_which_everybody_loses_leaves_nobody_durable() -> None:
    assert durable([a_cut("ext4", OURS, 299), a_cut("ext4", CELERY.name, 0)]) == set()


def test_without_a_cut_everybody_is_taken_at_his_word() -> None:
    found = durable([a_row("submit, 32 clients", OURS, 1)])

    assert found == {OURS, *(contender.name for contender in DURABLE)}


@pytest.mark.parametrize(("unit", "times"), [("jobs/s", 2.0), ("ms", 0.5)])
def test_an_advantage_is_how_many_times_better_we_are(unit: str, times: float) -> None:
    ours, other = a_row("x", OURS, 200, unit=unit), a_row("x", HUEY_REDIS.name, 100, unit=unit)

    assert advantage(ours, other) == times


def test_a_defeat_is_by_more_than_chance() -> None:
    rows = [
        *[a_row("submit, 1 client", OURS, 100), a_row("submit, 1 client", HUEY_REDIS.name, 119)],
        *[a_row("submit, 32 clients", OURS, 100), a_row("submit, 32 clients", HUEY_REDIS.name, 121)],
    ]

    assert [(ours.figure, rival.who) for ours, rival in defeats(rows, KEEPERS)] == [
        ("submit, 32 clients", HUEY_REDIS.name)
    ]


def test_only_those_asked_about_can_defeat_us_and_a_reference_never_does() -> None:
    rows = [a_row("x", OURS, 1), a_row("x", HUEY_FILE.name, 100), a_row("x", "a bare loop", 1_000)]

    assert not list(defeats(rows, KEEPERS))
    assert [rival.who for _, rival in defeats(rows, {HUEY_FILE.name})] == [HUEY_FILE.name]


def test_a_goal_is_measured_by_the_best_peer_that_keeps_its_jobs() -> None:
    figure = "drain of 2,000"
    rows = [
        *[a_row(figure, OURS, 240), a_row(figure, HUEY_SQLITE.name, 100)],
        *[a_row(figure, HUEY_REDIS.name, 200), a_row(figure, HUEY_FILE.name, 9_000)],
    ]

    (standing,) = standings(rows, KEEPERS)

    assert (standing.reference.who, standing.ratio, standing.reached) == (HUEY_REDIS.name, 1.2, True)


@pytest.mark.parametrize(("milliseconds", "reached"), [(0.8, True), (0.9, False)])
def test_where_less_is_better_a_goal_is_a_ratio_not_to_exceed(milliseconds: float, reached: bool) -> None:
    figure = "submit to result, p50"
    rows = [a_row(figure, OURS, milliseconds, unit="ms"), a_row(figure, HUEY_REDIS.name, 1, unit="ms")]

    (standing,) = standings(rows, KEEPERS)

    assert standing.reached is reached


def test_a_goal_may_hold_us_against_another_figure_of_our_own() -> None:
    rows = [a_row("submit in batches of 1,000", OURS, 4_000), a_row("submit, 1 client", OURS, 1_000)]

    (standing,) = standings(rows, KEEPERS)

    assert (standing.ratio, standing.reached) == (4.0, False)


def test_bare_queues_decide_no_goal_of_memory() -> None:
    figure = "memory, resident"
    rows = [
        *[a_row(figure, OURS, 40, unit="MiB"), a_row(figure, PERSIST_SQLITE.name, 20, unit="MiB")],
        a_row(figure, HUEY_SQLITE.name, 45, unit="MiB"),
    ]

    (standing,) = standings(rows, KEEPERS)

    assert (standing.reference.who, standing.reached) == (HUEY_SQLITE.name, True)
