"""The action of tasks that name none: it really looks, step by step, and says what it found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest

from actions import solve_problem
from actions._investigation import SUBJECTS, Investigation
from actions._machine import Machine
from core.errors import Cancel, InvalidParams
from core.jobs import State
from core.registry import Registry
from tests.actions.machine import a_machine, a_process
from tests.actions.visitor import Silent, Visitor, a_context

SEED = {"max_steps": 10, "agent_config": {"name": "test-agent"}}
#: What no machine exceeds, so that what a test sees does not hang on the machine it runs on.
CALM = {"limits": {subject.name: 1e9 for subject in SUBJECTS}}


def an_investigation(proc: Path, **limits: float) -> Investigation:
    calm = {"disk": 2.0} | limits
    return Investigation(Machine(proc), calm, wait=lambda seconds: None)


def said(investigation: Investigation, most: int = 1_000) -> Iterator[tuple[str, str, str]]:
    for step in islice(investigation.steps(), most):
        yield step.kind, step.subject, step.said


def test_a_calm_machine_is_looked_at_once_and_is_healthy(tmp_path: Path) -> None:
    investigation = an_investigation(a_machine(tmp_path))

    steps = list(said(investigation))

    assert [(kind, subject) for kind, subject, _ in steps] == [("observe", known.name) for known in SUBJECTS]
    assert steps[0][2] == "0.50 processes wanted each processor, the limit is 1.5"
    assert investigation.planned == len(steps)
    assert investigation.conclusion(finished=True)[0] == "healthy"


def test_what_is_too_high_is_explained_and_confirmed(tmp_path: Path) -> None:
    investigation = an_investigation(a_machine(tmp_path, available=50))
    a_process(tmp_path, 5, "small", pages=1)
    a_process(tmp_path, 6, "hog", pages=512)

    *_, explained, confirmed = said(investigation)

    assert explained[:2] == ("explain", "memory")
    assert explained[2].startswith("hog (process 6) holds 2 MiB; small")
    assert confirmed == ("confirm", "memory", "still too high")
    (finding,) = investigation.findings
    assert (finding.value, finding.limit, finding.persists) == (0.95, 0.9, True)
    assert investigation.conclusion(finished=True) == ("problem", "Too high at both looks: memory.")


def test_what_has_passed_at_the_second_look_is_no_problem(tmp_path: Path) -> None:
    investigation = an_investigation(a_machine(tmp_path, io=80))
    a_process(tmp_path, 5, "writer", state="D")
    steps = investigation.steps()
    for _ in SUBJECTS:
        next(steps)
    a_machine(tmp_path, io=0)

    explained, confirmed = steps

    assert explained.said == "writer (process 5) waits for a disk"
    assert confirmed.said == "it has passed"
    assert investigation.conclusion(finished=True) == (
        "passing",
        "Too high at the first look only: io_pressure.",
    )


def test_the_busiest_processes_are_those_that_ran_meanwhile(tmp_path: Path) -> None:
    investigation = an_investigation(a_machine(tmp_path, load=9))
    for pid, ticks in ((5, 100), (6, 1)):
        a_process(tmp_path, pid, f"p{pid}", ticks=ticks)
    investigation.wait = lambda seconds: a_process(tmp_path, 6, "p6", ticks=31)

    explained = next(said for kind, _, said in said(investigation) if kind == "explain")

    assert explained.startswith("p6 (process 6) used 0.")


def test_ended_children_are_laid_at_their_parents_door(tmp_path: Path) -> None:
    investigation = an_investigation(a_machine(tmp_path), zombies=1)
    a_process(tmp_path, 5, "neglectful")
    for pid in (6, 7):
        a_process(tmp_path, pid, "child", state="Z", parent=5)

    explained = next(said for kind, _, said in said(investigation) if kind == "explain")

    assert explained == "neglectful (process 5) has not waited for 2 ended children"


def test_what_a_machine_does_not_tell_is_no_finding(tmp_path: Path) -> None:
    investigation = an_investigation(tmp_path)

    steps = {subject: words for _, subject, words in said(investigation)}

    assert steps["load"] == "this machine does not tell"
    assert "load" not in investigation.observed
    assert investigation.findings == []


@pytest.mark.parametrize("most", [0, 1, 8])
def test_an_investigation_that_is_cut_short_concludes_nothing(tmp_path: Path, most: int) -> None:
    investigation = an_investigation(a_machine(tmp_path, available=50))

    taken = len(list(said(investigation, most)))

    assert taken == most < investigation.planned + 1
    assert investigation.conclusion(finished=taken == investigation.planned)[0] == "inconclusive"


def test_it_may_be_given_limits_for_every_subject() -> None:
    assert set(get_args(solve_problem._Subject)) == {subject.name for subject in SUBJECTS}


def test_a_task_of_the_seed_is_investigated_on_this_machine(visitor: Visitor) -> None:
    parameters = {**SEED, "agent_config": {"name": "test-agent", "version": "1.0", **CALM}, "task_number": 1}

    job = visitor.run("solve_problem", {"problem_id": "test-problem-001", "parameters": parameters})

    assert job.state is State.SUCCEEDED, job.error
    assert job.result == {
        "problem_id": "test-problem-001",
        "agent": "test-agent",
        "verdict": "healthy",
        "reason": job.result["reason"],
        "steps_taken": len(SUBJECTS) + 1,
        "observed": job.result["observed"],
        "findings": [],
        "max_steps": 10,
        "unused": ["task_number", "agent_config.version"],
    }
    assert job.result["observed"]["load"] >= 0
    assert 0 < job.result["observed"]["memory"] < 1


def test_each_step_is_logged_and_the_last_one_concludes(visitor: Visitor) -> None:
    job = visitor.run("solve_problem", {"parameters": {**SEED, "agent_config": CALM}})

    log = [(entry.level, entry.message) for entry in visitor.engine.logs(job.id)]
    assert log[0] == ("info", "observer investigates unnamed in 10 steps at most")
    assert log[-1][1].startswith("Step 8: conclude healthy: ")
    assert [message.partition(":")[0] for _, message in log[1:]] == [
        f"Step {number}" for number in range(1, 9)
    ]


@pytest.mark.parametrize(("params", "most"), [({"max_steps": 3}, 3), ({"parameters": {"max_steps": 1}}, 1)])
def test_it_takes_no_more_steps_than_it_may(visitor: Visitor, params: dict[str, Any], most: int) -> None:
    job = visitor.run("solve_problem", params)

    assert (job.result["steps_taken"], job.result["max_steps"]) == (most, most)
    assert job.result["verdict"] == "inconclusive"


def test_it_finds_what_is_too_high_for_whoever_asks(visitor: Visitor) -> None:
    limits = {**CALM["limits"], "memory": 0.0}

    job = visitor.run("solve_problem", {"parameters": {"agent_config": {"limits": limits}}})

    (finding,) = job.result["findings"]
    assert (finding["subject"], finding["limit"], finding["persists"]) == ("memory", 0.0, True)
    assert finding["suspects"]
    assert (job.result["verdict"], job.result["steps_taken"]) == ("problem", len(SUBJECTS) + 3)


def test_it_ends_between_two_steps_when_it_is_cancelled(visitor: Visitor) -> None:
    pausing = {"agent_config": {"pause_seconds": 60}}
    job = visitor.claim("solve_problem", {"parameters": pausing})
    attempt = threading.Thread(target=visitor.runner.perform, args=[job])
    attempt.start()
    while not visitor.engine.logs(job.id):
        attempt.join(0.02)

    visitor.runner.cancel(job.id)
    attempt.join(30)

    assert visitor.engine.get(job.id).state is State.CANCELLED


class Stopping(Silent):
    """A channel by which the bus wishes that the attempt stop."""

    def stop_wished(self) -> str:
        return "No longer wanted."


def test_without_pauses_too_it_ends_between_two_steps(visitor: Visitor, tmp_path: Path) -> None:
    job = a_context(tmp_path, visitor.clock)
    job._channel = Stopping()

    with pytest.raises(Cancel, match="No longer wanted"):
        solve_problem.run(parameters=solve_problem.Parameters(agent_config=CALM), job=job)


@pytest.mark.parametrize(
    "params",
    [
        {"max_steps": 0},
        {"max_steps": "3"},
        {"problem_id": 7},
        {"parameters": []},
        {"parameters": {"max_steps": 1001}},
        {"parameters": {"agent_config": {"limits": {"humidity": 1}}}},
        {"parameters": {"agent_config": {"pause_seconds": 61}}},
        {"x": 1},
    ],
)
def test_it_refuses_other_params(registry: Registry, params: dict[str, object]) -> None:
    with pytest.raises(InvalidParams):
        registry.resolve("solve_problem").validate(params)
