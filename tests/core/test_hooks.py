"""What the operator wants done before the stop is done once, in its time, and keeps no machine on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.hooks import Hook
from core.idle import Facts
from core.machine import PowerState
from tests.core.power_bench import AnAlarm, ASwitch, Machine
from tests.faults.crew import waited_for


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
    machine.clock.advance(300)

    machine.prepare()
    state = machine.step_after(1)

    assert state is PowerState.STOPPING
    assert (switch.runs, [hook.runs for hook in hooks]) == (1, [1, 1])
    assert machine.heard("system.warning") == ["before the stop: `a` failed."]
    assert [event for event, _ in machine.said] == ["system.warning", "system.draining", "system.shutdown"]


def test_a_stop_that_failed_runs_no_hook_again_until_there_was_work(tmp_path: Path) -> None:
    hook = AHook()
    machine = Machine(tmp_path, ASwitch(refusal="no."), hooks=[hook])
    machine.clock.advance(300)

    machine.prepare()
    machine.step_after(1)
    machine.step_after(60)
    before = hook.runs
    machine.work = Facts(running=1)
    machine.step_after(1)
    machine.work = Facts()
    machine.clock.advance(900)
    machine.prepare()

    assert (before, hook.runs) == (1, 2)


class ALongHook(AHook):
    """A hook that ends when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.end = threading.Event()

    def run(self) -> str | None:
        self.end.wait(60)
        return super().run()


@pytest.fixture
def long_hook() -> Iterator[ALongHook]:
    hook = ALongHook()
    yield hook
    hook.end.set()


def test_jobs_are_accepted_and_the_machine_stays_on_while_the_hooks_run(
    tmp_path: Path, long_hook: ALongHook
) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, hooks=[long_hook])

    states = [machine.step_after(300), machine.step_after(3_600)]
    status, accepting, runs = machine.power.status(), not machine.gate.closed, switch.runs
    long_hook.end.set()
    machine.prepare()
    machine.step_after(1)

    assert states == [PowerState.ACCEPTING] * 2
    assert status.message == "On because the commands of AAFAI_BEFORE_STOP are being run."
    assert (accepting, runs, switch.runs, long_hook.runs) == (True, 0, 1, 1)


def test_hooks_that_ran_while_there_was_work_are_run_again(tmp_path: Path, long_hook: ALongHook) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, hooks=[long_hook])
    machine.step_after(300)

    machine.work = Facts(running=1)
    machine.step_after(1)
    long_hook.end.set()
    assert waited_for(lambda: not machine.power.power_off.preparations.under_way)
    long_hook.end.clear()
    machine.work = Facts()
    machine.step_after(900)
    before = switch.runs
    long_hook.end.set()
    machine.prepare()
    machine.step_after(1)

    assert (before, switch.runs, long_hook.runs) == (0, 1, 2)


class ABusyHook(AHook):
    """A hook that submits a job whenever it is run."""

    machine: Machine

    def run(self) -> str | None:
        self.machine.work = Facts(queued=1)
        return super().run()


def test_hooks_that_submit_jobs_do_not_keep_the_machine_on_for_ever(tmp_path: Path) -> None:
    switch, hook = ASwitch(), ABusyHook()
    machine = hook.machine = Machine(tmp_path, switch, hooks=[hook])
    machine.clock.advance(300)

    for _ in range(10):
        machine.prepare()
        machine.step_after(1)
        machine.work = Facts()
        machine.clock.advance(900)

    assert (hook.runs, switch.runs > 0) == (2, True)


def test_after_hooks_that_submitted_a_job_other_work_has_them_run_anew(tmp_path: Path) -> None:
    hook = ABusyHook()
    machine = hook.machine = Machine(tmp_path, ASwitch(refusal="no."), hooks=[hook])
    machine.clock.advance(300)
    for _ in range(5):
        machine.prepare()
        machine.step_after(1)
        machine.work = Facts()
        machine.clock.advance(900)
    before = hook.runs

    machine.work = Facts(running=1)
    machine.step_after(1)
    machine.work = Facts()
    machine.clock.advance(900)
    machine.prepare()

    assert (before, hook.runs) == (2, 3)


def test_a_process_that_is_told_to_end_while_the_hooks_run_sets_the_alarm_all_the_same(
    tmp_path: Path, long_hook: ALongHook
) -> None:
    alarm = AnAlarm()
    machine = Machine(tmp_path, ASwitch(), hooks=[long_hook], alarm=alarm)
    machine.work = Facts(next_due=machine.clock.now() + 86_400)
    machine.step_after(300)

    machine.power.prepare_to_end(preempted=True)
    machine.step_after(1)

    assert alarm.armed == [machine.work.next_due]


def test_the_longest_uptime_waits_for_the_hooks_and_for_nothing_else(tmp_path: Path) -> None:
    switch, hook = ASwitch(), AHook()
    machine = Machine(tmp_path, switch, hooks=[hook])
    machine.work = Facts(running=1)
    machine.clock.advance(36_000)

    machine.prepare()
    machine.step_after(1)

    assert (hook.runs, switch.runs) == (1, 1)
