"""Every order in which clients, workers, power and fate can act, in a model, and the real thing beside it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from core.power import Power
from tests.conftest import Effort, Evidence
from tests.faults.power_model import Design, Taken, beginning
from tests.faults.power_mutants import MUTANTS
from tests.faults.power_replay import Differs, Replay
from tests.faults.power_walk import (
    FORSAKEN,
    OVER_A_JOB,
    OVER_A_SUBMISSION,
    TOO_LATE,
    UNALARMED,
    all_ways,
    stroll,
    walk,
)

pytestmark = pytest.mark.timeout(900)

#: Programs of a power logic that are wrong, and what is seen of it.
PROGRAMS = {
    "decide close wait arm record switch": OVER_A_JOB,
    "decide look close wait arm record switch": OVER_A_JOB,
    "decide wait look arm record switch": TOO_LATE,
    "decide close look arm record switch": OVER_A_SUBMISSION,
    "decide close wait arm look record switch": UNALARMED,
    "decide close wait look record switch": FORSAKEN,
    "decide close wait look arm switch": OVER_A_JOB,
    "decide close wait look arm switch record": OVER_A_JOB,
}
#: Other mistakes, and what the sound design takes for granted, where that does not hold.
DESIGNS = {
    "the gate opens, and the program goes on": (Design(begins_anew=False), OVER_A_JOB),
    "a stop takes longer than the shortest sleep": (Design(min_sleep=0), FORSAKEN),
    "a bus that is started again knows nothing of the stop": (Design(goes_on=False), OVER_A_JOB),
    "a switch that was given up takes effect": (Design(switches_late=True), OVER_A_JOB),
    "it does, and the alarm is not set anew": (Design(switches_late=True, drains=False), FORSAKEN),
}


def test_in_whatever_order_all_act_no_accepted_job_is_left_behind(effort: Effort, evidence: Evidence) -> None:
    jobs = effort(3, 4)

    found = walk(jobs)

    worlds = len(found.origins)
    print(f"{worlds:,} worlds of {jobs} jobs, {found.transitions:,} transitions between them.")
    evidence("P15", "worlds of the model, all orders of events", trials=worlds, transitions=found.transitions)
    assert not found.faults
    assert worlds > 20_000


@pytest.mark.parametrize(("program", "fault"), PROGRAMS.items(), ids=PROGRAMS)
def test_a_power_logic_that_does_things_in_another_order_is_caught(
    program: str, fault: str, evidence: Evidence
) -> None:
    found = walk(2, Design(program=tuple(program.split())))

    caught = int(fault in found.faults)
    evidence("P15", "programs in another order", trials=len(found.origins), mutants=1, caught=caught)
    assert caught


@pytest.mark.parametrize(("design", "fault"), DESIGNS.values(), ids=DESIGNS)
def test_a_design_that_is_wrong_elsewhere_is_caught(design: Design, fault: str, evidence: Evidence) -> None:
    found = walk(2, design)

    caught = int(fault in found.faults)
    evidence("P15", "designs with a mistake", trials=len(found.origins), mutants=1, caught=caught)
    assert caught


def test_a_switch_that_works_after_it_was_given_up_interrupts_jobs_and_forsakes_none() -> None:
    found = walk(2, Design(switches_late=True))

    assert found.faults.keys() == {OVER_A_JOB, OVER_A_SUBMISSION, TOO_LATE}


def test_a_fault_is_told_with_the_shortest_way_to_it() -> None:
    found = walk(2, Design(program=("decide", "close", "wait", "arm", "record", "switch")))

    way = found.way_to(found.faults[OVER_A_JOB])

    names = [step.name for step, _ in way]
    assert names == ["enter", "decide", "store", "close", "wait", "arm", "record", "switch", "off"]


def test_the_real_power_logic_takes_every_step_as_the_model_does(effort: Effort, evidence: Evidence) -> None:
    jobs = effort(1, 2)

    taken = 0
    for way in walk(jobs).ways():
        replay(way, jobs)
        taken += 1

    evidence("P15", "transitions of the model, taken by the real power logic", trials=taken)
    assert taken > 500


def test_the_real_power_logic_goes_every_short_way(effort: Effort, evidence: Evidence) -> None:
    length = effort(4, 6)

    ways = 0
    for way in all_ways(beginning(2), length):
        replay(way, 2)
        ways += 1

    evidence("P15", f"all ways of {length} steps, gone by the real power logic", trials=ways)
    assert ways > 2_000


def test_the_real_power_logic_goes_long_ways_of_chance(effort: Effort, evidence: Evidence) -> None:
    strolls = effort(40, 1_000)

    steps = 0
    for seed in range(strolls):
        way = list(stroll(beginning(4), random.Random(seed)))
        replay(way, 4)
        steps += len(way)

    evidence("P15", "ways of chance, gone by the real power logic", trials=strolls, steps=steps)
    assert steps > 20 * strolls


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_power_logic_that_departs_from_the_model_is_caught(mutant: str, evidence: Evidence) -> None:
    caught = 0
    try:
        for way in walk(1).ways():
            replay(way, 1, spoil=MUTANTS[mutant])
    except Differs:
        caught = 1

    evidence("P15", "power logic that departs from the model", trials=1, mutants=1, caught=caught)
    assert caught


def replay(way: list[Taken], jobs: int, *, spoil: Callable[[Power], None] = lambda power: None) -> None:
    Replay(beginning(jobs), spoil=spoil).play(way)
