"""A janitor that fails says so for as long as it does, whatever the fault is."""

import threading

import pytest

from core.errors import EngineUnavailable
from core.janitor import Janitor


@pytest.fixture
def janitor(engine, events, clock, tmp_path):
    return Janitor(
        engine,
        events,
        clock,
        wake_all=lambda: None,
        sweep=lambda job_id: None,
        backoff=lambda attempt: 8.0,
        downloads=tmp_path / "downloads",
        result_ttl=86_400.0,
    )


def test_a_janitor_that_works_warns_of_nothing(janitor):
    janitor.round()

    assert janitor.warnings == []


def test_a_janitor_warns_until_the_store_answers_again(engine, janitor, monkeypatch):
    def refuse(now):
        raise EngineUnavailable("The disk is away.")

    with monkeypatch.context() as trouble:
        trouble.setattr(engine, "upkeep", refuse)
        janitor.round()
    warned = janitor.warnings
    janitor.round()

    assert warned == ["The janitor fails, so lost jobs are not rescued: The disk is away."]
    assert janitor.warnings == []


def test_a_fault_of_each_round_is_told_once_and_warned_of_until_it_is_over(
    engine, janitor, heard, monkeypatch
):
    upkeep, warned, done, rounds = engine.upkeep, [], threading.Event(), iter(range(4))

    def fail_thrice(now):
        warned.append(janitor.warnings)
        if next(rounds, 9) < 3:
            raise ZeroDivisionError("a bug")
        if len(warned) > 4:
            done.set()
        return upkeep(now)

    monkeypatch.setattr(engine, "upkeep", fail_thrice)
    janitor.start()

    assert done.wait(30)
    janitor.stop()
    warning = ["The janitor fails, so lost jobs are not rescued: ZeroDivisionError: a bug"]
    assert warned[:5] == [[], warning, warning, warning, []]
    assert heard == [("system.janitor_failed", None)]
