"""The arithmetic of the bill, to the cent; and what other idle times would have cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bill import Amounts, Window, always_on, month_of, on_demand, session_amounts
from core.bursts import Burst, RunTime, Work
from core.prices import Prices
from core.replay import Habit, play, times_on
from core.sessions import Session
from core.statement import statement_of

HOUR, DAY = 3_600.0, 86_400.0
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
WHOLE = Window(NOVEMBER, NOVEMBER + 30 * DAY)
HABIT = Habit(idle=900.0, boot=20.0)
PRICES = Prices(
    since=date(2026, 1, 1),
    currency="USD",
    machine="small",
    machine_per_hour=0.02,
    disk_gb=10,
    disk_per_gb_month=0.1,
    address="ephemeral",
    address_per_hour=0.005,
    address_idle_per_hour=0.01,
)


def a_session(start: float, seconds: float, **more: object) -> Session:
    return Session(**{"boot_id": str(start), "start": NOVEMBER + start, "seconds": seconds, **more})


def amounts_of(amounts: Amounts) -> tuple[float, ...]:
    return tuple(round(one, 6) for one in (amounts.compute, amounts.address, amounts.disk, amounts.free))


def test_a_session_costs_computing_and_the_address_by_the_second_and_the_disk_as_long_as_it_lasted() -> None:
    amounts = session_amounts(a_session(0, 720 * 5), [PRICES])

    assert amounts_of(amounts) == (0.02, 0.005, round(1 / 720, 6), 0)


def test_a_second_costs_a_minute() -> None:
    assert session_amounts(a_session(0, 1), [PRICES]).compute == pytest.approx(0.02 / 60)


def test_a_machine_that_is_always_on_costs_every_hour_of_the_month() -> None:
    assert amounts_of(always_on([PRICES], WHOLE)) == (14.4, 3.6, 1.0, 0)


def test_on_demand_the_disk_costs_as_much_as_ever() -> None:
    amounts = on_demand([a_session(0, HOUR), a_session(DAY, HOUR)], [PRICES], WHOLE)

    assert amounts_of(amounts) == (0.04, 0.01, 1.0, 0)


@pytest.mark.parametrize(
    ("address", "paid", "full"), [("none", 0.0, 0.0), ("ephemeral", 0.36, 3.6), ("static", 6.84, 3.6)]
)
def test_a_static_address_costs_more_while_the_machine_is_off(address: str, paid: float, full: float) -> None:
    prices = [replace(PRICES, address=address)]
    a_tenth = [a_session(0, 72 * HOUR)]

    assert on_demand(a_tenth, prices, WHOLE).address == pytest.approx(paid)
    assert always_on(prices, WHOLE).address == pytest.approx(full)


def test_a_free_tier_is_taken_off_both_sides() -> None:
    free = [replace(PRICES, free_machine_hours=744, free_disk_gb=30)]

    full, paid = always_on(free, WHOLE), on_demand([a_session(0, HOUR)], free, WHOLE)

    assert full.total == pytest.approx(3.6)  # the address is left
    assert (paid.free, paid.total) == (pytest.approx(-1.02), pytest.approx(0.005))


def test_a_free_tier_never_takes_off_more_than_was_charged() -> None:
    dearer = {"since": date(2026, 11, 16), "machine_per_hour": 0.04, "disk_per_gb_month": 0.3}
    prices = [PRICES, replace(PRICES, **dearer, free_machine_hours=744, free_disk_gb=30)]

    full, paid = always_on(prices, WHOLE), on_demand([a_session(0, HOUR)], prices, WHOLE)

    assert full.total == pytest.approx(full.address)
    assert paid.total == pytest.approx(paid.address)


def test_a_free_tier_of_some_hours_is_taken_off_the_whole_month() -> None:
    some = [replace(PRICES, free_machine_hours=72, free_disk_gb=1)]

    assert always_on(some, WHOLE).free == pytest.approx(-(0.02 * 72 + 0.1))
    assert on_demand([], some, WHOLE).free == pytest.approx(-0.1)


def test_a_new_price_holds_from_its_day_and_the_disk_is_split_there() -> None:
    dearer = replace(PRICES, since=date(2026, 11, 16), machine_per_hour=0.04, disk_per_gb_month=0.3)
    prices = [PRICES, dearer]

    assert amounts_of(always_on(prices, WHOLE)) == (21.6, 3.6, 2.0, 0)
    assert on_demand([a_session(0, HOUR), a_session(20 * DAY, HOUR)], prices, WHOLE).compute == pytest.approx(
        0.06
    )


@pytest.mark.parametrize(
    ("moment", "days"),
    [("2026-02-28T23:59:59", 28), ("2028-02-01T00:00:00", 29), ("2026-12-31T12:00:00", 31)],
)
def test_a_month_has_as_many_days_as_it_has(moment: str, days: int) -> None:
    assert month_of(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()).seconds == days * DAY


def work(*bursts: tuple[float, float], **seconds: float) -> Work:
    return Work(
        bursts=tuple(Burst(start, end, 1) for start, end in bursts),
        actions={name: RunTime(2, taken) for name, taken in seconds.items()},
    )


def test_each_action_pays_for_the_time_that_it_ran_and_idling_stands_apart() -> None:
    session = a_session(0, HOUR, ready=60.0, work=work((60, 960), crawl=900.0, fakejob=300.0))

    told = statement_of([session], [PRICES], at=NOVEMBER, now=NOVEMBER + DAY, habit=HABIT)

    by_second = 0.025 / HOUR
    assert [(one.action, one.jobs) for one in told.shares] == [("crawl", 2), ("fakejob", 2)]
    assert [one.cost for one in told.shares] == pytest.approx([675 * by_second, 225 * by_second])
    assert told.shares[0].cost_per_job == pytest.approx(675 * by_second / 2)
    assert told.booting == pytest.approx(60 * by_second)
    assert told.idle == pytest.approx((HOUR - 960) * by_second)


SESSIONS = st.builds(
    a_session,
    st.floats(-5 * DAY, 35 * DAY),
    st.floats(0, DAY),
    ready=st.none() | st.floats(0, 600),
    work=st.builds(
        work,
        st.tuples(st.floats(0, HOUR), st.floats(HOUR, 2 * HOUR)),
        fakejob=st.floats(0, HOUR),
        crawl=st.floats(0, HOUR),
    ),
    starts=st.booleans(),
)


@given(st.lists(SESSIONS, max_size=8), st.floats(-40 * DAY, 70 * DAY), st.sampled_from(["none", "static"]))
def test_the_shares_the_starts_and_the_idling_are_together_what_being_on_costs(
    sessions: list[Session], now: float, address: str
) -> None:
    prices = [replace(PRICES, address=address, address_idle_per_hour=0.0)]

    told = statement_of(sessions, prices, at=NOVEMBER, now=NOVEMBER + now, habit=HABIT)

    parts = [told.booting, told.idle, *(share.cost for share in told.shares)]
    assert sum(parts) == pytest.approx(told.on_demand.compute + told.on_demand.address, abs=1e-9)
    assert all(part >= -1e-9 for part in parts)
    assert told.window.seconds >= 0
    assert told.on_demand.disk == pytest.approx(told.always_on.disk)


def test_the_time_counts_from_the_first_session_that_is_kept() -> None:
    told = statement_of(
        [a_session(10 * DAY, HOUR)], [PRICES], at=NOVEMBER, now=NOVEMBER + 12 * DAY, habit=HABIT
    )

    assert (told.window.start, told.window.end) == (NOVEMBER + 10 * DAY, NOVEMBER + 12 * DAY)
    assert told.always_on.compute == pytest.approx(48 * 0.02)


def test_a_month_without_sessions_costs_the_disk_alone_once_somebody_keeps_books() -> None:
    october = a_session(-10 * DAY, HOUR)

    told = statement_of([october], [PRICES], at=NOVEMBER, now=WHOLE.end + DAY, habit=HABIT)

    assert (told.sessions, told.on_demand.total) == ((), pytest.approx(1.0))
    assert told.always_on.total == pytest.approx(19.0)


def test_a_month_that_is_over_is_told_by_its_own_prices() -> None:
    december = replace(PRICES, since=date(2026, 12, 1), machine_per_hour=1.0, free_machine_hours=744)

    told = statement_of(
        [a_session(0, HOUR)], [PRICES, december], at=NOVEMBER, now=WHOLE.end + DAY, habit=HABIT
    )

    assert told.prices == PRICES
    assert (told.on_demand.free, told.always_on.total) == (0, pytest.approx(19.0))


def test_without_any_books_nothing_is_reckoned_and_nothing_saved() -> None:
    told = statement_of([], [PRICES], at=NOVEMBER, now=NOVEMBER, habit=HABIT)

    assert (told.on_demand.total, told.saved, told.ratio, told.ratio_without_disk) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("idle", "on"),
    [
        (60.0, [(-20, 160), (980, 1_160), (9_980, 10_160)]),
        (899.0, [(-20, 1_999), (9_980, 10_999)]),
        (8_900.0, [(-20, 19_000)]),
    ],
)
def test_bursts_nearer_to_each_other_than_the_idle_time_share_a_session(
    idle: float, on: list[tuple[float, float]]
) -> None:
    bursts = [Burst(1_000, 1_100, 1), Burst(0, 100, 1), Burst(10_000, 10_100, 1)]

    assert list(times_on(bursts, Habit(idle=idle, boot=20.0))) == on


def test_a_machine_stays_on_for_its_boot_grace_and_pays_its_first_minute() -> None:
    alone = [Burst(0, 0, 1)]

    assert play(alone, Habit(idle=1.0, boot=2.0)).billed == 60
    assert play(alone, Habit(idle=60.0, boot=20.0, grace=300.0)).seconds == 320.0


@given(
    st.lists(st.tuples(st.floats(0, DAY), st.floats(0, HOUR)), max_size=20),
    st.floats(60, HOUR),
    st.floats(0, HOUR),
)
def test_a_longer_idle_time_never_starts_the_machine_more_often(
    bursts: list[tuple[float, float]], idle: float, more: float
) -> None:
    played = [Burst(start, start + seconds, 1) for start, seconds in bursts]

    short = play(played, Habit(idle=idle, boot=20.0))
    long = play(played, Habit(idle=idle + more, boot=20.0))

    assert long.starts <= short.starts
    assert short.billed >= short.seconds >= sum({one.end - one.start for one in played[:1]})
