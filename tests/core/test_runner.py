from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from core import lifecycle
from core.actions import ActionSpec
from core.errors import EngineUnavailable, JobNotFound
from core.jobs import Job, Progress, State
from queues.memory import MemoryEngine
from tests.core.workbench import BACKOFF, Workbench
from tests.factories import NOW
from tests.fakes import FakeClock

THREAD = "from core import Cancel, Fail, Retry, action\n\n@action(isolation='thread')\n"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock) -> Iterator[Workbench]:
    bench = Workbench(tmp_path, clock=clock)
    yield bench
    bench.runner.stop(grace=0.0)


class Held:
    """An attempt in a thread, held in the middle of its action until it is released."""

    def __init__(self, bench: Workbench, then: str = "return 'done'", **fields: Any) -> None:
        source = """
            import threading
            from core import action
            reached, release, told = threading.Event(), threading.Event(), []

            @action(isolation="thread")
            def run(*, job):
                job.progress(0.25, "begun")
                job.info("working")
                reached.set()
                release.wait(30)
                told.append(job.cancelled)
                {then}
        """
        bench.write("held", dedent(source).format(then=then))
        self._names = bench.registry.resolve("held").function.__globals__
        self.bench = bench
        self.claimed = bench.claim("held", **fields)
        self.thread = bench.begin(self.claimed)
        assert self._names["reached"].wait(30)

    @property
    def stored(self) -> Job:
        return self.bench.engine.get(self.claimed.id)

    def finish(self) -> Job:
        """Let the action end and return the job as it is stored then."""
        self._names["release"].set()
        self.thread.join(30)
        return self.stored

    @property
    def was_cancelled(self) -> bool:
        return self._names["told"] == [True]


@contextmanager
def held(bench: Workbench, then: str = "return 'done'", **fields: Any) -> Iterator[Held]:
    attempt = Held(bench, then, **fields)
    try:
        yield attempt
    finally:
        attempt.finish()


def test_an_attempt_that_returns_makes_the_job_succeed(bench: Workbench) -> None:
    bench.write("act", THREAD + "def run(a: int, b: int = 2) -> list[int]:\n    return [a, b]\n")
    claimed = bench.claim("act", {"a": 1})

    settled = bench.runner.perform(claimed)

    assert settled == bench.engine.get(claimed.id)
    assert settled.result == [1, 2]
    assert (settled.state, settled.ended_at, settled.error) == (State.SUCCEEDED, NOW, None)
    assert bench.told() == ["task.started", "task.completed"]
    assert bench.runner.running() == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise ValueError('odd')", (State.QUEUED, "action_error", "ValueError: odd", NOW + BACKOFF)),
        ("raise ValueError", (State.QUEUED, "action_error", "ValueError", NOW + BACKOFF)),
        ("raise SystemExit(2)", (State.QUEUED, "exited", "The action called sys.exit(2).", NOW + BACKOFF)),
        ("raise Retry('busy')", (State.QUEUED, "action_error", "busy", NOW + BACKOFF)),
        ("raise Retry('busy', delay=3)", (State.QUEUED, "action_error", "busy", NOW + 3)),
        ("raise Retry('busy', delay=0)", (State.QUEUED, "action_error", "busy", None)),
        ("raise Fail('no such page')", (State.FAILED, "action_error", "no such page", None)),
        ("raise Fail('forbidden', code='http_error')", (State.FAILED, "http_error", "forbidden", None)),
        ("raise Retry('busy', delay=-1)", (State.QUEUED, "action_error", "busy", NOW + BACKOFF)),
        ("raise Retry('busy', delay=float('nan'))", (State.QUEUED, "action_error", "busy", NOW + BACKOFF)),
        ("raise Retry('busy', delay='soon')", (State.QUEUED, "action_error", "busy", NOW + BACKOFF)),
        ("raise Fail('no', code='No Code!')", (State.FAILED, "action_error", "no", None)),
        (
            r"raise ValueError('a\ud800\x1b[31mb')",
            (State.QUEUED, "action_error", "ValueError: ab", NOW + BACKOFF),
        ),
        (
            "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
            (State.QUEUED, "action_error", "Odd", NOW + BACKOFF),
        ),
        ("raise Cancel('nothing to do')", (State.CANCELLED, "cancelled", "nothing to do", None)),
        ("return {1}", (State.FAILED, "bad_result", "The result is not JSON: result is of type set.", None)),
    ],
)
def test_what_an_action_raises_decides_what_becomes_of_the_job(
    bench: Workbench, body: str, expected: tuple[State, str, str, float | None]
) -> None:
    job = bench.perform(THREAD + f"def run() -> object:\n    {body}\n", max_attempts=2)

    assert job.error is not None
    assert (job.state, job.error.code, job.error.message, job.run_after) == expected
    assert job.error.attempt == 1
    names = {State.QUEUED: "task.retrying", State.FAILED: "task.failed", State.CANCELLED: "task.cancelled"}
    assert bench.told() == ["task.started", names[job.state]]


def test_the_last_attempt_makes_the_job_a_dead_letter(bench: Workbench) -> None:
    job = bench.perform(THREAD + "def run() -> None:\n    raise ValueError\n", max_attempts=1)

    assert job.state is State.FAILED
    assert bench.told()[-1] == "task.failed"


def test_a_message_of_any_length_is_cut(bench: Workbench) -> None:
    job = bench.perform(THREAD + "def run() -> None:\n    raise ValueError('x' * 100_000)\n")

    assert job.error is not None
    assert len(job.error.message) < 2_100


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("nothing", {}, "unknown_action"),
        ("broken", {}, "broken_action"),
        ("../x", {}, "bad_name"),
        ("act", {"a": "1"}, "invalid_params"),
    ],
)
def test_a_job_that_cannot_work_ends_at_once_without_a_start(
    bench: Workbench, action: str, params: dict[str, Any], code: str
) -> None:
    bench.write("broken", "def run(:\n")
    bench.write("act", THREAD + "def run(a: int) -> int:\n    return a\n")

    settled = bench.runner.perform(bench.claim(action, params, max_attempts=3))

    assert settled is not None
    assert settled.state is State.FAILED
    assert settled.error is not None
    assert settled.error.code == code
    assert bench.told() == ["task.failed"]


OLD = "def execute(job_id, params, download_dir, write_result_to_outbound):\n    {body}\n"


@pytest.mark.parametrize(
    ("envelope", "state", "result", "error"),
    [
        (
            "{'job_id': job_id, 'status': 'complete', 'result': {'text': 'x'}}",
            State.SUCCEEDED,
            {"text": "x"},
            None,
        ),
        ("{'job_id': job_id, 'status': 'complete', 'result': None}", State.SUCCEEDED, None, None),
        ("{'text': params['n']}", State.SUCCEEDED, {"text": 1}, None),
        ("{'status': 'complete', 'text': 'x'}", State.SUCCEEDED, {"status": "complete", "text": "x"}, None),
        ("[1]", State.SUCCEEDED, [1], None),
        ("{'job_id': job_id, 'status': 'failed', 'error': 'no page'}", State.FAILED, None, "no page"),
        ("{'status': 'error', 'message': 'no page'}", State.FAILED, None, "no page"),
        ("{'status': 'failed'}", State.FAILED, None, "The action reported a failure without a reason."),
    ],
)
def test_an_action_of_the_older_form_works_unmodified(
    bench: Workbench, envelope: str, state: State, result: Any, error: str | None
) -> None:
    job = bench.perform(OLD.format(body=f"write_result_to_outbound(job_id, {envelope})"), {"n": 1})

    assert (job.state, job.result) == (state, result)
    assert (job.error.message if job.error else None) == error


def test_an_action_of_the_older_form_that_never_calls_back_has_no_result(bench: Workbench) -> None:
    job = bench.perform(OLD.format(body="pass"))

    assert job.error is not None
    assert (job.state, job.error.code) == (State.FAILED, "no_result")
    assert job.error.message == "The action produced no result."


def test_an_action_of_the_older_form_gets_a_folder_for_its_downloads(bench: Workbench) -> None:
    body = "open(download_dir + '/page.html', 'w').close(); write_result_to_outbound(job_id, [download_dir])"

    job = bench.perform(OLD.format(body=body))

    assert job.result == [str(bench.downloads / job.id)]
    assert (bench.downloads / job.id / "page.html").exists()


def test_a_thread_that_submits_does_so_directly(bench: Workbench) -> None:
    job = bench.perform(
        THREAD + "def run(*, job) -> str:\n    return job.submit('other', {'n': 1}, batch='b')\n"
    )

    assert job.result == "job-1"
    assert bench.submitted == [("other", {"n": 1}, {"batch": "b"})]


def test_the_log_is_complete_when_the_end_is_told(bench: Workbench) -> None:
    seen = []
    bench.events.subscribe(
        "x", "task.completed", lambda event: seen.append(bench.engine.logs(event.payload["job_id"]))
    )

    bench.perform(THREAD + "def run(*, job) -> None:\n    job.info('hello')\n")

    assert [entry.message for entry in seen[0]] == ["hello"]


def test_a_result_is_dropped_when_the_claim_has_passed_to_another(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.engine.swap(attempt.stored, lifecycle.lost(attempt.stored, now=NOW))
        bench.engine.claim_one(attempt.claimed.id, "worker-2", now=NOW, lease=60.0)

        after = attempt.finish()

    assert (after.state, after.worker, after.attempt, after.result) == (State.RUNNING, "worker-2", 2, None)
    assert bench.told()[-1] == "task.dropped"


def test_a_result_is_stored_though_the_record_was_changed_meanwhile(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.engine.swap(attempt.stored, replace(attempt.stored, version=9, labels={"seen": "yes"}))

        after = attempt.finish()

    assert (after.state, after.result, after.labels) == (State.SUCCEEDED, "done", {"seen": "yes"})


def test_a_result_for_a_job_that_is_gone_is_dropped(tmp_path: Path, clock: FakeClock) -> None:
    class Forgetful(MemoryEngine):
        def swap(self, old: Job, new: Job) -> None:
            raise JobNotFound(old.id)

    bench = Workbench(tmp_path, clock=clock, engine=Forgetful())

    bench.perform(THREAD + "def run() -> None: ...\n")

    assert bench.told() == ["task.started", "task.dropped"]


def test_a_failure_of_a_job_that_somebody_cancelled_is_not_tried_again(bench: Workbench) -> None:
    with held(bench, "raise ValueError('torn')", max_attempts=3) as attempt:
        bench.engine.swap(attempt.stored, lifecycle.asked_to_cancel(attempt.stored, reason="not needed"))

        after = attempt.finish()

    assert (after.state, after.cancel_reason) == (State.CANCELLED, "not needed")


def test_a_cancellation_by_another_process_is_heard_at_the_next_look(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.runner.keeper.look()
        bench.engine.swap(attempt.stored, lifecycle.asked_to_cancel(attempt.stored, reason="not needed"))
        bench.runner.keeper.look()

        after = attempt.finish()

    assert attempt.was_cancelled
    assert (after.state, after.cancel_reason) == (State.CANCELLED, "not needed")


def test_progress_is_stored_and_told_at_the_next_look_and_once(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.runner.keeper.look()
        stored = attempt.stored
        bench.runner.keeper.look()

        assert stored.progress == Progress(fraction=0.25, message="begun", at=NOW)
        assert attempt.stored.version == stored.version
        assert bench.told() == ["task.started", "task.progress"]
        assert bench.log(stored) == [("action", "working")]


def test_a_lease_is_renewed_at_a_third_of_it(bench: Workbench, clock: FakeClock) -> None:
    with held(bench) as attempt:
        clock.advance(19)
        bench.runner.keeper.look()
        assert attempt.stored.lease_until == NOW + 60

        clock.advance(1)
        bench.runner.keeper.look()
        assert attempt.stored.lease_until == NOW + 80


def test_where_a_lifeline_vouches_for_the_worker_no_lease_is_renewed(
    tmp_path: Path, clock: FakeClock
) -> None:
    class Vouching(MemoryEngine):
        def lifeline(self, job: Job) -> int | None:
            return 0

    bench = Workbench(tmp_path, clock=clock, engine=Vouching())
    with held(bench) as attempt:
        clock.advance(50)
        bench.runner.keeper.look()

        assert attempt.stored.lease_until == NOW + 60


def test_an_attempt_whose_claim_has_passed_to_another_is_told_to_stop(
    bench: Workbench, clock: FakeClock
) -> None:
    with held(bench) as attempt:
        bench.engine.swap(attempt.stored, lifecycle.lost(attempt.stored, now=NOW))
        bench.runner.keeper.look()  # It cannot store the progress,
        bench.runner.keeper.look()  # and knows why.

        attempt.finish()

    assert attempt.was_cancelled
    assert bench.told()[-1] == "task.dropped"


def test_a_thread_whose_time_is_up_is_reported_and_keeps_its_slot_until_it_ends(
    bench: Workbench, clock: FakeClock
) -> None:
    with held(bench, timeout=10.0, max_attempts=1) as attempt:
        clock.advance(9.9)
        bench.runner.keeper.look()
        assert attempt.stored.state is State.RUNNING

        clock.advance(0.1)
        bench.runner.keeper.look()
        bench.runner.keeper.look()

        after = attempt.stored
        assert after.error is not None
        assert (after.state, after.error.code) == (State.FAILED, "timeout")
        assert after.error.message == "The attempt took longer than 10 seconds."
        assert bench.runner.running() == [after.id]
        assert attempt.finish() == after
        assert attempt.was_cancelled
    assert bench.runner.running() == []
    assert [told for told in bench.told() if told != "task.progress"] == [
        "task.started",
        "task.failed",
        "task.dropped",
    ]


def test_a_job_may_run_again_while_the_thread_of_its_last_attempt_still_runs(
    bench: Workbench, clock: FakeClock
) -> None:
    with held(bench, timeout=10.0, max_attempts=2) as attempt:
        clock.advance(10)
        bench.runner.keeper.look()
        clock.advance(BACKOFF)
        again = bench.engine.claim_one(attempt.claimed.id, "worker-2", now=clock.now(), lease=60.0)
        assert again is not None
        second = bench.begin(again)
        while len(bench.runner.running()) < 2:
            second.join(0.01)

        attempt._names["release"].set()
        second.join(30)
        after = attempt.finish()

    assert (after.state, after.attempt, after.worker) == (State.SUCCEEDED, 2, "worker-2")
    assert bench.runner.running() == []
    assert bench.told().count("task.dropped") == 1


def test_a_thread_that_hears_that_the_bus_stops_gives_its_job_back(
    bench: Workbench, clock: FakeClock
) -> None:
    with held(bench, "job.check_cancelled()") as attempt:
        stopping = threading.Thread(target=bench.runner.give_back, kwargs={"grace": 30.0})
        clock.wait = lambda event, timeout: event.wait(30)  # type: ignore[method-assign]
        stopping.start()
        while next(iter(bench.runner._attempts)).stop is None:
            stopping.join(0.01)

        after = attempt.finish()
        stopping.join(30)

    assert (after.state, after.attempt, after.error) == (State.QUEUED, 0, None)


def test_a_thread_that_goes_on_when_the_bus_stops_is_left_behind(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.runner.give_back(grace=1.0)

        given_back = attempt.stored
        assert (given_back.state, given_back.attempt) == (State.QUEUED, 0)
        assert attempt.finish() == given_back
    assert bench.told() == ["task.started", "task.given_back", "task.dropped"]


def test_a_job_whose_action_is_still_being_imported_when_the_bus_stops_is_given_back(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("act", THREAD + "def run() -> int:\n    return 1\n")
    job = bench.claim("act", max_attempts=1)
    resolve, resolving, may_go_on = bench.registry.resolve, threading.Event(), threading.Event()

    def slow(name: str) -> ActionSpec:
        resolving.set()
        may_go_on.wait(30)
        return resolve(name)

    monkeypatch.setattr(bench.registry, "resolve", slow)
    attempt = bench.begin(job)
    assert resolving.wait(30)

    bench.runner.stop(1.0)
    back = bench.engine.get(job.id)
    may_go_on.set()
    attempt.join(30)

    assert (back.state, back.attempt) == (State.QUEUED, 0)
    assert bench.engine.get(job.id) == back


def test_a_job_that_the_runner_has_taken_is_given_back_however_early_the_bus_stops(bench: Workbench) -> None:
    bench.write("act", THREAD + "def run() -> int:\n    return 1\n")
    job = bench.claim("act", max_attempts=1)
    seen: list[State] = []

    def stop() -> None:
        bench.runner.stop(0.0)
        seen.append(bench.engine.get(job.id).state)

    bench.runner.perform(job, taken=stop)

    assert seen == [State.QUEUED]
    assert bench.engine.get(job.id).attempt == 0


def test_a_job_that_comes_when_the_bus_has_stopped_is_given_back_before_anything_else(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("act", THREAD + "def run() -> int:\n    return 1\n")
    job = bench.claim("act", max_attempts=1)
    monkeypatch.setattr(bench.registry, "resolve", lambda name: 1 / 0)
    bench.runner.stop(0.0)

    back = bench.runner.perform(job)

    assert back == bench.engine.get(job.id)
    assert (back.state, back.attempt) == (State.QUEUED, 0)
    assert bench.told() == ["task.given_back"]


def test_only_the_named_jobs_are_given_back(bench: Workbench) -> None:
    with held(bench) as attempt:
        bench.runner.give_back(["another"], grace=1.0)

        assert attempt.stored.state is State.RUNNING


class Failing(MemoryEngine):
    """Cannot be written for a while."""

    failures = 2

    def swap(self, old: Job, new: Job) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise EngineUnavailable("the disk is full")
        super().swap(old, new)


def test_an_outcome_is_stored_as_soon_as_the_store_answers_again(tmp_path: Path, clock: FakeClock) -> None:
    bench = Workbench(tmp_path, clock=clock, engine=Failing())

    job = bench.perform(THREAD + "def run() -> int:\n    return 1\n")

    assert (job.state, job.result) == (State.SUCCEEDED, 1)
    assert bench.told() == ["task.started", *["system.engine_unavailable"] * 2, "task.completed"]


def test_nobody_waits_for_a_dead_store_when_the_bus_stops(tmp_path: Path, clock: FakeClock) -> None:
    engine = Failing()
    engine.failures = 1_000_000
    bench = Workbench(tmp_path, clock=clock, engine=engine)
    bench.runner.stop(grace=0.0)

    bench.write("act", THREAD + "def run() -> int:\n    return 1\n")

    assert bench.runner.perform(bench.claim("act")) is None


def test_a_mistake_of_the_bus_fails_the_attempt_and_leaves_no_job_claimed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("act", THREAD + "def run() -> int:\n    return 1\n")
    claimed = bench.claim("act", max_attempts=2)
    monkeypatch.setattr("core.runner.invoke", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        bench.runner.perform(claimed)

    stored = bench.engine.get(claimed.id)
    assert (stored.state, stored.attempt) == (State.QUEUED, 1)
    assert (stored.errors[0].code, stored.errors[0].message) == (
        "internal_error",
        "The bus made a mistake: ZeroDivisionError.",
    )
    assert bench.runner.running() == []
