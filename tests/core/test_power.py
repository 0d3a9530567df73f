from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.errors import EngineUnavailable, ShuttingDown
from core.idle import Facts
from core.machine import PowerState, Switch
from tests.conftest import Effort, Evidence
from tests.core.power_bench import POLICY, AnAlarm, ASwitch, Machine
from tests.fakes import FakeClock


def test_a_machine_with_nothing_left_to_do_switches_itself_off_once(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)

    states = [machine.step_after(299), machine.step_after(1), machine.step_after(30)]

    assert states == [PowerState.ACCEPTING, PowerState.STOPPING, PowerState.STOPPING]
    assert switch.runs == 1
    assert machine.gate.closed
    assert [event for event, _ in machine.said] == ["system.draining", "system.shutdown"]


def test_submissions_are_refused_while_the_machine_stops(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())
    machine.step_after(300)

    with pytest.raises(ShuttingDown), machine.gate.entered():
        pytest.fail("The gate was open.")


def test_a_job_that_slipped_in_before_the_gate_closed_opens_it_again(tmp_path: Path) -> None:
    looks = iter([Facts(), Facts(queued=1), Facts(queued=1)])
    switch = ASwitch()
    machine = Machine(tmp_path, switch, facts=lambda: next(looks))

    state = machine.step_after(1_000)

    assert state is PowerState.ACCEPTING
    assert switch.runs == 0
    assert not machine.gate.closed
    assert machine.heard("system.reopened") == ["On because 1 job waits and the last work was 0 ms ago."]


def test_a_submission_that_is_still_being_stored_opens_the_gate_again(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)

    with machine.gate.entered():
        state = machine.step_after(1_000)

    assert state is PowerState.ACCEPTING
    assert switch.runs == 0
    assert machine.heard("system.reopened") == ["a submission is still being stored"]


def test_every_submission_that_was_let_in_before_the_gate_closed_is_seen(tmp_path: Path) -> None:
    accepted: list[int] = []
    seen: list[int] = []
    refused: list[int] = []
    closing = threading.Event()
    inside = threading.Barrier(9)

    def facts() -> Facts:
        seen.append(len(accepted))
        return Facts(queued=seen[-1])

    def submit(number: int) -> None:
        with machine.gate.entered():
            inside.wait()
            closing.wait()
            accepted.append(number)
        try:
            with machine.gate.entered():
                accepted.append(number)
        except ShuttingDown:
            refused.append(number)

    switch = ASwitch(then=lambda: seen.append(-1))
    machine = Machine(tmp_path, switch, facts=facts)
    machine.power.timings = replace(machine.power.timings, patience=30)
    machine.power.events.subscribe("test", "system.draining", lambda message: closing.set())
    machine.clock.advance(1_000)
    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    inside.wait()

    machine.power.step()
    for thread in threads:
        thread.join()

    before, under_the_closed_gate = seen
    assert before == 0
    assert 8 <= under_the_closed_gate <= len(accepted)
    assert len(accepted) + len(refused) == 16
    assert switch.runs == 0
    assert not machine.gate.closed


def test_a_switch_that_is_refused_is_told_of_once_and_tried_again_each_minute(tmp_path: Path) -> None:
    switch = ASwitch(refusal="no permission; install the polkit rule.")
    machine = Machine(tmp_path, switch)

    runs = []
    for _ in range(3):
        machine.step_after(300)
        runs.append(switch.runs)
        machine.step_after(59)
        runs.append(switch.runs)

    assert runs == [1, 1, 2, 2, 3, 3]
    assert machine.heard("system.power_failed") == ["fake: no permission; install the polkit rule."]
    assert not machine.gate.closed
    status = machine.power.status()
    assert status.message == "On because switching off failed: no permission; install the polkit rule."
    assert status.last_run is not None
    assert status.last_run.error == "no permission; install the polkit rule."
    assert status.switches[0].problem == "no permission; install the polkit rule."


def test_a_machine_that_is_still_on_after_the_switch_accepts_again_and_tries_the_next_one(
    tmp_path: Path,
) -> None:
    first, second = ASwitch("first"), ASwitch("second")
    machine = Machine(tmp_path, first, second)
    machine.step_after(300)

    states = [machine.step_after(59), machine.step_after(1), machine.step_after(59), machine.step_after(1)]

    assert states == [PowerState.STOPPING, PowerState.ACCEPTING, PowerState.ACCEPTING, PowerState.STOPPING]
    assert (first.runs, second.runs) == (1, 1)
    assert machine.heard("system.power_failed") == [
        "first: The switch was run, and 1 minute later the machine is still on."
    ]


def test_a_failed_stop_does_not_open_the_gate_of_a_process_that_was_told_to_end(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())
    machine.step_after(300)

    machine.gate.shut()
    machine.step_after(60)

    assert machine.gate.closed


def test_work_that_comes_after_a_failed_stop_keeps_the_machine_on(tmp_path: Path) -> None:
    switch = ASwitch(refusal="no permission.")
    machine = Machine(tmp_path, switch)
    machine.step_after(300)

    machine.work = Facts(queued=1)
    machine.step_after(600)

    assert switch.runs == 1
    assert machine.power.status().message.startswith("On because 1 job waits")


def test_without_a_switch_the_machine_says_once_that_it_would_stop_and_stays_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    states = [machine.step_after(300), machine.step_after(300)]

    assert states == [PowerState.ACCEPTING, PowerState.ACCEPTING]
    assert machine.said == [("system.would_stop", "Stopping: nothing is left to do.")]
    assert not machine.gate.closed
    assert "no power switch is set" in machine.power.status().message


def test_what_is_said_once_is_said_again_after_more_work(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.step_after(300)

    machine.work = Facts(running=1)
    machine.step_after(1)
    machine.work = Facts()
    machine.step_after(900)

    assert len(machine.heard("system.would_stop")) == 2


@pytest.mark.parametrize("work", [Facts(queued=1), Facts(running=1), Facts(next_due=0.0), Facts(unknown="x")])
def test_the_longest_uptime_ends_it_all(tmp_path: Path, work: Facts) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, alarm=AnAlarm(broken=True))
    machine.work = work

    before = machine.step_after(35_999)
    after = machine.step_after(1)

    assert (before, after) == (PowerState.ACCEPTING, PowerState.STOPPING)
    assert switch.runs == 1
    assert "longest uptime, 10 hours, is over" in machine.heard("system.shutdown")[0]


def test_a_store_that_does_not_answer_keeps_the_machine_on(tmp_path: Path) -> None:
    def facts() -> Facts:
        raise EngineUnavailable("the disk is gone")

    switch = ASwitch()
    machine = Machine(tmp_path, switch, facts=facts)

    machine.step_after(1_000)

    assert switch.runs == 0
    assert machine.power.status().message == "On because the jobs cannot be counted (the disk is gone)."


def test_work_seen_running_counts_as_activity_even_when_nobody_announced_its_end(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    machine.work = Facts(running=1)
    machine.step_after(7_200)

    machine.work = Facts()
    machine.step_after(899)
    too_early = switch.runs
    machine.step_after(1)

    assert (too_early, switch.runs) == (0, 1)


def test_a_switch_that_breaks_is_a_failure_like_any_other(tmp_path: Path) -> None:
    first, second = ASwitch("first", then=lambda: 1 / 0), ASwitch("second")
    machine = Machine(tmp_path, first, second)

    states = [machine.step_after(300), machine.step_after(60)]

    assert states == [PowerState.ACCEPTING, PowerState.STOPPING]
    assert machine.heard("system.power_failed") == ["first: ZeroDivisionError: division by zero"]


def test_a_fault_behind_the_closed_gate_opens_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    monkeypatch.setattr(machine.power.switching, "run", lambda now: 1 / 0)
    machine.clock.advance(300)

    with pytest.raises(ZeroDivisionError):
        machine.power.step()

    assert not machine.gate.closed
    assert '"running"' in machine.power.record.read_text()
    assert machine.power.status().state is PowerState.ACCEPTING
    assert machine.heard("system.reopened") == ["a fault is in the way"]


def test_facts_that_break_keep_the_machine_on_until_the_longest_uptime(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch, facts=lambda: 1 / 0)

    machine.step_after(35_999)
    before, message = switch.runs, machine.power.status().message
    machine.step_after(1)

    assert (before, switch.runs) == (0, 1)
    assert message == "On because the jobs cannot be counted (ZeroDivisionError: division by zero)."


def test_a_switch_that_was_put_right_is_asked_again_after_some_minutes(tmp_path: Path) -> None:
    switch = ASwitch(refusal="no permission.")
    machine = Machine(tmp_path, switch)
    machine.work = Facts(running=1)
    machine.step_after(0)

    switch.refusal = ""
    machine.step_after(299)
    before = machine.power.status().switches[0].problem
    machine.step_after(1)

    assert before == "no permission."
    assert machine.power.status().switches[0].problem is None
    assert machine.heard("system.warning") == ["no permission."]


def test_a_switch_whose_check_breaks_is_doubted_and_still_run(tmp_path: Path) -> None:
    switch = ASwitch()
    switch.check = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    machine = Machine(tmp_path, switch)

    machine.step_after(300)

    told = "fake: whether it will work could not be found out: ZeroDivisionError: division by zero"
    assert machine.heard("system.warning") == [told]
    assert machine.power.status().switches[0].problem == told
    assert switch.runs == 1


def test_a_process_that_is_told_to_end_switches_nothing_off(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)

    machine.power.prepare_to_end()
    state = machine.step_after(300)

    assert state is PowerState.STOPPING
    assert switch.runs == 0
    assert machine.power.status().message == "Stopping: the service was told to."
    assert not machine.power.status().preempted


def test_a_preempted_machine_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    machine.power.prepare_to_end(preempted=True)
    machine.power.prepare_to_end()

    status = machine.power.status()
    assert status.preempted
    assert (status.state, status.message) == (
        PowerState.STOPPING,
        "Stopping: the cloud takes the machine away.",
    )


@pytest.mark.parametrize("jump", [-10 * 365 * 86_400, -3_600, 3_600, 10 * 365 * 86_400])
def test_a_jump_of_the_wall_clock_neither_stops_nor_keeps_the_machine(tmp_path: Path, jump: float) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)

    machine.clock.jump(jump)
    machine.step_after(299)
    too_early = switch.runs
    machine.step_after(1)

    assert (too_early, switch.runs) == (0, 1)


def test_a_machine_that_slept_is_given_time_as_after_a_start(tmp_path: Path) -> None:
    switch = ASwitch()
    machine = Machine(tmp_path, switch)
    machine.work = Facts(queued=1)
    machine.step_after(600)

    machine.work = Facts()
    machine.clock.boot += 86_400
    machine.step_after(0)
    machine.step_after(299)
    too_early = switch.runs
    machine.step_after(1)

    assert (too_early, switch.runs) == (0, 1)


def test_a_machine_whose_switch_made_it_sleep_accepts_again_when_it_wakes(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())
    machine.step_after(300)

    machine.clock.boot += 86_400
    state = machine.step_after(1)

    assert state is PowerState.ACCEPTING
    assert not machine.gate.closed
    assert machine.heard("system.power_failed") == []


def test_each_step_leaves_a_heartbeat_of_seconds_since_boot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    machine.step_after(0.5)
    first = (tmp_path / "run" / "heartbeat").read_text()
    machine.step_after(1)

    assert first == "1000.500\n"
    assert (tmp_path / "run" / "heartbeat").read_text() == "1001.500\n"


def test_a_queue_that_is_gone_is_not_made_again_by_the_heartbeat(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "queues")

    machine.power.step()

    assert not (tmp_path / "queues").exists()
    assert machine.heard("system.warning")[0].startswith("the heartbeat cannot be written")


def test_a_full_disk_is_no_reason_to_stay_on(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way of the folder")
    (tmp_path / "last-stop.json").mkdir()
    switch = ASwitch()
    machine = Machine(tmp_path, switch)

    machine.step_after(1)
    machine.step_after(300)

    assert switch.runs == 1
    heartbeat, record = machine.heard("system.warning")
    assert heartbeat.startswith("the heartbeat cannot be written")
    assert record.startswith("the record of the clean stop cannot be written")


def test_the_thread_steps_until_it_is_stopped(tmp_path: Path) -> None:
    switched = threading.Event()
    machine = Machine(tmp_path, ASwitch(refusal="the rule is missing.", then=switched.set))

    machine.power.start()
    stepped = switched.wait(30)
    machine.power.stop()

    assert stepped
    assert not any(
        thread.name == "power" for thread in threading.enumerate() if thread is machine.power._thread
    )
    assert machine.heard("system.warning") == ["the rule is missing."]


def test_the_thread_survives_whatever_goes_wrong_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, stepped = Machine(tmp_path), threading.Event()
    faults = iter([ZeroDivisionError("a bug")])

    def stumble_once() -> float:
        for fault in faults:
            raise fault
        stepped.set()
        return 1.0

    monkeypatch.setattr(machine.power, "step", stumble_once)
    machine.power.start()

    assert stepped.wait(30)
    machine.power.stop()
    assert machine.heard("system.power_failed") == ["ZeroDivisionError: a bug"]


@pytest.mark.parametrize(
    ("work", "seconds", "pause"),
    [
        (Facts(queued=1), 0, 1),
        (Facts(), 0, 5),
        (Facts(), 298, 2),
        (Facts(), 299.5, 1),
        (Facts(), 300, 5),
    ],
    ids=["work", "long reasons", "2 seconds of them", "half a second of them", "none, and no switch"],
)
def test_it_looks_again_in_a_second_or_when_a_reason_can_end_but_beats_every_few_seconds(
    tmp_path: Path, work: Facts, seconds: float, pause: float
) -> None:
    machine = Machine(tmp_path)
    machine.work = work
    machine.clock.advance(seconds)

    assert machine.power.step() == pytest.approx(pause)


def test_it_looks_every_second_while_a_switch_was_run_or_is_to_be_run_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch(refusal="no permission."))
    machine.clock.advance(300)

    pauses = [machine.power.step() for _ in range(3)]

    assert pauses == [1, 1, 1]


def test_stopping_a_thread_that_never_ran_does_nothing(tmp_path: Path) -> None:
    Machine(tmp_path).power.stop()


#: What happens, and how many seconds pass before the next look.
happenings = st.tuples(
    st.sampled_from(["submit", "defer", "start", "end", "hold", "nothing", "nothing", "nothing"]),
    st.integers(1, 700),
    st.integers(1, 2_000),
)


def test_on_no_timeline_is_a_job_cut_off_and_on_each_the_machine_stops_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, effort: Effort, evidence: Evidence
) -> None:
    timelines = effort(2_000, 10_000)

    _live_through(tmp_path_factory, timelines)

    evidence("P15", "timelines of jobs, holds and pauses", trials=timelines, early=0, duplicated=0)


@pytest.mark.parametrize("fact", ["queued", "running", "next_due"])
def test_a_machine_that_overlooks_a_fact_is_caught(
    tmp_path_factory: pytest.TempPathFactory, fact: str, evidence: Evidence
) -> None:
    def overlooking(work: Facts) -> Facts:
        return replace(work, **{fact: getattr(Facts(), fact)})

    caught = False
    try:
        _live_through(tmp_path_factory, 500, look=overlooking)
    except AssertionError:
        caught = True

    evidence("P15", "machines that overlook a fact", trials=2_000, mutants=1, caught=int(caught))
    assert caught


def _live_through(
    folders: pytest.TempPathFactory, timelines: int, *, look: Callable[[Facts], Facts] = lambda work: work
) -> None:
    """Live through so many timelines, and stop at the first on which the machine stops early, or never."""

    @settings(max_examples=timelines, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.lists(happenings, min_size=5, max_size=30))
    def live(timeline: list[tuple[str, int, int]]) -> None:
        switch = ASwitch()
        machine = _machine_of_timelines(folders, switch)
        machine.power.facts = lambda: look(machine.work)
        for happening, pause, delay in timeline:
            if machine.gate.closed:
                break
            machine.work = _after(happening, machine, delay)
            machine.step_after(pause)
            assert not switch.runs or _is_idle(machine.work, machine.clock)

        machine.work = Facts()
        machine.step_after(1)
        machine.step_after(POLICY.idle_timeout + 2_000)
        assert switch.runs == 1

    live()


def _is_idle(work: Facts, clock: FakeClock) -> bool:
    due_soon = work.next_due is not None and work.next_due - clock.now() <= POLICY.min_sleep
    recent = work.last_activity is not None and clock.boottime() - work.last_activity < POLICY.idle_timeout
    return not (work.queued or work.running or due_soon or recent)


def _machine_of_timelines(folders: pytest.TempPathFactory, switch: Switch) -> Machine:
    machine = Machine(folders.getbasetemp(), switch)
    machine.power._beat = lambda: None  # type: ignore[method-assign]  # Thousands of files tell nothing new.
    machine.power._record.note_stop = lambda *_, **__: None  # type: ignore[method-assign]
    # However long the last pause was, the machine counts as off, so that a second run would be seen.
    machine.power.timings = replace(machine.power.timings, verify=1e9)
    return machine


def _after(happening: str, machine: Machine, delay: int) -> Facts:
    work, boottime = machine.work, machine.clock.boottime()
    if work.next_due is not None and work.next_due <= machine.clock.now():
        work = replace(work, next_due=None, queued=work.queued + 1)
    if happening == "submit":
        return replace(work, queued=work.queued + 1, last_activity=boottime)
    if happening == "defer":
        return replace(work, next_due=work.next_due or machine.clock.now() + delay)
    if happening == "start" and work.queued:
        return replace(work, queued=work.queued - 1, running=work.running + 1, last_activity=boottime)
    if happening == "end" and work.running:
        return replace(work, running=work.running - 1, last_activity=boottime)
    if happening == "hold":
        machine.power.hold(delay, by="ann", why="test")
    return work
