"""What the operator wants done before the stop is done once, in its time, and keeps no machine on."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.hooks import Hook
from core.idle import Facts
from core.machine import PowerState
from tests.core.power_bench import ASwitch, Machine


class AHook:
    """A hook that remembers when it was run."""

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem
        self.runs = 0

    def run(self) -> str | None:
        self.runs += 1
        return self.problem


def test_a_hook_that_works_says_nothing(tmp_path: Path) -> None:
    assert Hook(("touch", str(tmp_path / "done"))).run() is None
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (
            ("sh", "-c", "echo no room; exit 3"),
            "`sh -c 'echo no room; exit 3'` ended with status 3, saying: no room.",
        ),
        (("false",), "`false` ended with status 1."),
        (("no-such-program",), "`no-such-program` could not be run: No such file or directory."),
        (("sleep", "60"), "`sleep 60` did not end within 0.2 s."),
    ],
    ids=["it fails", "it fails in silence", "it is not there", "it hangs"],
)
def test_a_hook_that_fails_says_why(argv: tuple[str, ...], problem: str) -> None:
    assert Hook(argv, limit=0.2 if argv[0] == "sleep" else 60).run() == problem


def test_hooks_are_run_in_turn_before_the_switch_and_what_they_say_is_told(tmp_path: Path) -> None:
    switch, hooks = ASwitch(), [AHook("`a` failed."), AHook()]
    machine = Machine(tmp_path, switch, hooks=hooks)

    state = machine.step_after(300)

    assert state is PowerState.STOPPING
    assert (switch.runs, [hook.runs for hook in hooks]) == (1, [1, 1])
    assert machine.heard("system.warning") == ["before the stop: `a` failed."]
    assert [event for event, _ in machine.said] == ["system.draining", "system.warning", "system.shutdown"]


def test_a_stop_that_failed_runs_no_hook_again_until_there_was_work(tmp_path: Path) -> None:
    hook = AHook()
    machine = Machine(tmp_path, ASwitch(refusal="no."), hooks=[hook])

    machine.step_after(300)
    machine.step_after(60)
    before = hook.runs
    machine.work = Facts(running=1)
    machine.step_after(1)
    machine.work = Facts()
    machine.step_after(900)

    assert (before, hook.runs) == (1, 2)


def test_what_came_while_the_hooks_ran_is_seen_before_the_switch_is_run(tmp_path: Path) -> None:
    switch, hook = ASwitch(), AHook()
    machine = Machine(tmp_path, switch, hooks=[hook])

    def dropped_in() -> None:
        hook.runs += 1
        machine.work = Facts(queued=1)

    hook.run = dropped_in  # type: ignore[method-assign]
    state = machine.step_after(300)

    assert state is PowerState.ACCEPTING
    assert (switch.runs, hook.runs) == (0, 1)
    assert not machine.gate.closed


def test_no_hook_is_run_while_a_submission_is_being_stored(tmp_path: Path) -> None:
    hook = AHook()
    machine = Machine(tmp_path, ASwitch(), hooks=[hook])

    with machine.gate.entered():
        machine.step_after(300)

    assert hook.runs == 0
