"""Four bursts of 15 minutes a day for a month, through the real ledger: on-demand is a tenth of always-on."""

from __future__ import annotations

import pytest

from core.prices import load_prices
from core.statement import Statement
from examples import simulated_month
from tests.house.sources import ROOT


@pytest.fixture(scope="module")
def statement() -> Statement:
    return simulated_month.simulated(900.0, load_prices(ROOT / "prices.toml"))


def test_on_demand_costs_a_tenth_of_always_on_at_most_without_the_disk(statement: Statement) -> None:
    assert statement.ratio_without_disk <= 0.10
    assert statement.ratio_without_disk == pytest.approx(120 * (24 + 900 + 900) / (30 * 86_400))


def test_with_the_disk_it_costs_what_is_said_of_it(statement: Statement) -> None:
    assert statement.on_demand.disk == statement.always_on.disk == pytest.approx(1.0)
    assert 0.10 < statement.ratio < 0.15


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


def test_the_program_prints_the_tables_and_is_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], statement: Statement
) -> None:
    monkeypatch.setattr(simulated_month, "simulated", lambda idle, prices: statement)

    status = simulated_month.main()

    printed = capsys.readouterr().out
    assert status == 0
    assert "30 days, 120 starts, 1,800 jobs of 60 s in 4 bursts a day." in printed
    assert "| e2-small | 15 minutes | 60.8 | 1.32 | 15.66 | 8.4% | 2.32 | 16.66 | 13.9% |" in printed
    assert "| 15 minutes | 120 | 60.8 | 2.32 |" in printed
