"""The janitor rescues, purges and wakes; what it meets never stops it."""

import threading

import pytest

from core import lifecycle
from core.errors import EngineInDoubt, EngineUnavailable
from core.janitor import PURGE_EVERY, TRUST_AFTER, Janitor
from core.jobs import State
from tests.factories import NOW, a_job, an_id

DAY = 86_400.0
YEAR = 365.25 * DAY


@pytest.fixture
def woken():
    return []


@pytest.fixture
def swept():
    return []


@pytest.fixture
def janitor(engine, events, clock, tmp_path, woken, swept):  # noqa: PLR0917
    return Janitor(
        engine,
        events,
        clock,
        wake_all=lambda: woken.append(True),
        sweep=swept.append,
        backoff=lambda attempt: 8.0,
        downloads=tmp_path / "downloads",
        result_ttl=7 * DAY,
    )


def running(engine, **fields):
    engine.add(a_job(**fields))
    return engine.claim("worker-001", now=NOW, lease=60, queues=["default"])


def test_the_job_of_a_dead_worker_runs_again_at_once(engine, janitor, clock, heard, woken):
    job = running(engine)
    clock.advance(61)

    janitor.round()

    rescued = engine.get(job.id)
    assert (rescued.state, rescued.attempt, rescued.run_after) == (State.QUEUED, 1, None)
    assert heard == [("task.retrying", job.id)]
    assert woken


def test_what_a_lost_attempt_has_left_behind_is_swept_before_the_job_can_run_again(
    engine, janitor, clock, swept, monkeypatch
):
    job = running(engine)
    clock.advance(61)
    swap, swept_at_the_swap = engine.swap, []
    monkeypatch.setattr(engine, "swap", lambda old, new: (swept_at_the_swap.extend(swept), swap(old, new)))

    janitor.round()

    assert swept_at_the_swap == [job.id]


def test_a_store_in_doubt_is_told_of_as_such(engine, janitor, heard, monkeypatch):
    def doubt(now):
        raise EngineInDoubt("A sync failed.")

    monkeypatch.setattr(engine, "upkeep", doubt)

    janitor.round()

    assert heard == [("system.engine_in_doubt", None)]


def test_the_job_of_a_living_worker_is_left_alone(engine, janitor, heard, woken):
    job = running(engine)

    janitor.round()

    assert engine.get(job.id) == job
    assert heard == []
    assert not woken


def test_a_job_out_of_attempts_ends_as_a_dead_letter(engine, janitor, clock, heard):
    job = running(engine, max_attempts=1)
    clock.advance(61)

    janitor.round()

    assert engine.get(job.id).state is State.FAILED
    assert heard == [("task.failed", job.id)]


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(engine, janitor, clock, heard):
    job = running(engine)
    engine.swap(job, lifecycle.asked_to_cancel(job, reason="enough"))
    clock.advance(61)

    janitor.round()

    assert heard == [("task.cancelled", job.id)]


def test_a_job_that_was_settled_in_the_meantime_is_not_rescued(engine, janitor, clock, heard, monkeypatch):
    job = running(engine)
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))
    monkeypatch.setattr(engine, "abandoned", lambda now: [job])

    janitor.round()

    assert engine.get(job.id).state is State.SUCCEEDED
    assert heard == []


def test_the_next_round_comes_when_the_next_deferred_job_is_due(engine, janitor, clock, woken):
    engine.add(a_job(run_after=NOW + 0.25))

    assert janitor.round() == pytest.approx(0.25)
    assert not woken
    clock.advance(0.25)
    janitor.round()

    assert woken


def test_without_deferred_jobs_a_round_comes_each_second(engine, janitor):
    engine.add(a_job(run_after=NOW + 3600))

    assert janitor.round() == 1.0


def test_what_ended_longer_ago_than_its_retention_is_purged_with_its_files(engine, janitor, clock, tmp_path):
    old, new = running(engine), running(engine)
    for job, at in ((old, NOW), (new, NOW + 3 * DAY)):
        engine.swap(job, lifecycle.succeeded(job, result=1, now=at))
        (tmp_path / "downloads" / job.id).mkdir(parents=True)
    (tmp_path / "downloads" / "by-hand").mkdir()
    clock.advance(8 * DAY)

    janitor.round()

    assert engine.count()[State.SUCCEEDED] == 1
    left = sorted(path.name for path in (tmp_path / "downloads").iterdir())
    assert left == sorted([new.id, "by-hand"])


def test_a_wall_clock_that_has_just_jumped_makes_no_result_old(engine, janitor, clock):
    job = running(engine)
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))

    clock.jump(10 * YEAR)
    for _ in range(3):
        clock.advance(PURGE_EVERY)
        janitor.round()
    clock.jump(-10 * YEAR)
    clock.advance(TRUST_AFTER)
    janitor.round()

    assert engine.get(job.id).result == 1


def test_a_wall_clock_that_has_gone_steadily_since_it_jumped_is_believed(engine, janitor, clock):
    job = running(engine)
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))

    clock.jump(10 * YEAR)
    clock.advance(PURGE_EVERY)
    janitor.round()
    clock.advance(TRUST_AFTER)
    janitor.round()

    assert engine.count()[State.SUCCEEDED] == 0


def test_files_of_a_job_that_is_still_deferred_are_kept(engine, janitor, clock, tmp_path):
    job = engine.add(a_job(id=an_id(NOW), run_after=NOW + 100 * DAY))
    (tmp_path / "downloads" / job.id).mkdir(parents=True)
    clock.advance(20 * DAY)

    janitor.round()

    assert (tmp_path / "downloads" / job.id).is_dir()


def test_a_store_that_does_not_answer_is_told_of_once_and_asked_again(engine, janitor, heard, monkeypatch):
    def refuse(now):
        raise EngineUnavailable("The disk is away.")

    with monkeypatch.context() as trouble:
        trouble.setattr(engine, "upkeep", refuse)
        assert [janitor.round(), janitor.round()] == [1.0, 1.0]
    janitor.round()
    monkeypatch.setattr(engine, "upkeep", refuse)
    janitor.round()

    assert heard == [("system.engine_unavailable", None)] * 2


def test_the_thread_survives_whatever_goes_wrong_and_says_so(janitor, heard, monkeypatch):
    done = threading.Event()
    rounds = iter([ZeroDivisionError("a bug"), None])

    def stumble_once():
        fault = next(rounds, None)
        if fault:
            raise fault
        done.set()
        return 0.0

    monkeypatch.setattr(janitor, "round", stumble_once)
    janitor.start()

    assert done.wait(30)
    janitor.stop()
    assert heard == [("system.janitor_failed", None)]
