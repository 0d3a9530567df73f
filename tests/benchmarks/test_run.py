from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.__main__ import MODULES, main, take_round
from benchmarks.contenders import ALL, BUS, BUS_PROCESSES, Contender
from benchmarks.figures import OURS, Figure
from benchmarks.goals import GOALS
from benchmarks.sections import SECTIONS
from benchmarks.turns import in_turn


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, *, failing: bool = False) -> None:
    """Put a module in the place of one that measures."""

    def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002
        if failing:
            raise RuntimeError("no disk")
        return [Figure(name, OURS, round, "ms")]

    monkeypatch.setitem(sys.modules, f"benchmarks.{name}", SimpleNamespace(measure=measure))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_a_round_can_measure(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.figure)
def test_every_goal_is_about_a_figure_that_has_a_section(goal) -> None:
    for figure in filter(None, (goal.figure, goal.other)):
        assert next(section for section in SECTIONS if section.holds(figure)).title != "Further figures"


def test_a_module_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "drain,speed"])

    assert "speed: not among submit, drain" in capsys.readouterr().err


def test_a_module_that_fails_costs_the_round_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, "submit", failing=True)
    stand_in(monkeypatch, "drain")

    readings = list(take_round(tmp_path, ("submit", "drain"), 2))

    assert [(reading.round, reading.figure.figure) for reading in readings] == [(2, "drain")]
    assert "submit failed: no disk" in capsys.readouterr().err


def test_every_module_has_a_fresh_folder_in_every_round(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(monkeypatch, "drain")

    for number in range(2):
        list(take_round(tmp_path, ("drain",), number))

    assert sorted(path.name for path in (tmp_path / "drain").iterdir()) == ["0", "1"]


def test_a_contender_that_fails_costs_the_others_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def take(contender: Contender) -> list[Figure]:
        if contender == BUS:
            raise RuntimeError("it hung")
        return [Figure("drain", contender.store, 1, "jobs/s")]

    figures = in_turn((BUS, BUS_PROCESSES), 0, take)

    assert [figure.who for figure in figures] == ["process"]
    assert f"{OURS} gave no figure: it hung" in capsys.readouterr().err


def test_contenders_are_told_apart_by_name_and_by_folder() -> None:
    for names in ([contender.name for contender in ALL], [contender.key for contender in ALL]):
        assert len(set(names)) == len(ALL)
