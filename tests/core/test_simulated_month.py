"""Four bursts of 15 minutes a day for a month, through the real ledger: on-demand is a tenth of always-on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.prices import load_prices
from core.statement import Statement
from examples import simulated_month
from tests.house.sources import ROOT


@pytest.fixture(scope="module")
def statement() -> Statement:
    return simulated_month.simulated(900.0, load_prices(ROOT / "prices.toml"))


def table_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("| machine", "| e2-"))]


def test_on_demand_costs_a_tenth_of_always_on_at_most_without_the_disk(statement: Statement) -> None:
    assert statement.ratio_without_disk <= 0.10
    assert statement.ratio_without_disk == pytest.approx(120 * (24 + 900 + 900) / (30 * 86_400))


def test_with_the_disk_it_costs_what_is_said_of_it(statement: Statement) -> None:
    assert statement.on_demand.disk == statement.always_on.disk == pytest.approx(2.0)
    assert statement.ratio == pytest.approx((1.3224 + 2.0) / (15.66 + 2.0))


def test_a_small_disk_keeps_it_at_a_tenth_with_everything() -> None:
    prices = load_prices(ROOT / "prices.toml")
    lean = [replace(one, machine_per_hour=0.03351, disk_gb=10, disk_per_gb_month=0.04) for one in prices]

    statement = simulated_month.simulated(900.0, tuple(lean))

    assert statement.ratio <= 0.10
    assert statement.ratio == pytest.approx((2.342 + 0.4) / (27.73 + 0.4), rel=1e-3)


def test_the_ledger_kept_each_session_and_each_job(statement: Statement) -> None:
    sessions = statement.sessions

    assert len(sessions) == 120
    assert sum(one.jobs for one in sessions) == 1_800
    assert {one.seconds for one in sessions} == {1_824.0}
    assert all(one.clean for one in sessions)


def test_playing_the_month_again_with_its_own_idle_time_comes_to_the_same(statement: Statement) -> None:
    (same,) = (trial for trial in statement.trials if trial.idle == 900.0)

    assert (same.played.starts, same.played.seconds) == (120, pytest.approx(120 * 1_824.0))
    assert same.amounts.total == pytest.approx(statement.on_demand.total)


def test_the_program_prints_the_tables_and_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    status = simulated_month.main()

    printed = capsys.readouterr().out
    assert status == 0
    assert "30 days, 120 starts, 1,800 jobs of 60 s in 4 bursts a day." in printed
    assert "| e2-small | 15 minutes | 60.8 | 1.32 | 15.66 | 8.4% | 3.32 | 17.66 | 18.8% |" in printed
    assert "| e2-medium | 15 minutes | 60.8 | 2.34 | 27.73 | 8.4% | 4.34 | 29.73 | 14.6% | 2.74 |" in printed
    assert "| 15 minutes | 120 | 60.8 | 3.32 |" in printed
    assert table_in((ROOT / "docs/power.md").read_text()) == table_in(printed)
