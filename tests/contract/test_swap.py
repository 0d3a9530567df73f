"""Contract: one stored job is replaced by the next only if nobody was quicker, and an ended one never."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from core import lifecycle
from core.errors import Conflict, JobNotFound, Unsupported
from core.jobs import Job, JobError, Progress, State
from tests.contract.conftest import LEASE, Bench
from tests.factories import NOW, a_job

OOPS = JobError(code="action_error", message="Oops.")


def a_running_job(bench: Bench, **fields: object) -> Job:
    job = bench.engine.add(a_job(**fields))
    claimed = bench.engine.claim_one(job.id, "worker-1", now=NOW, lease=LEASE)
    assert claimed is not None
    return claimed


def test_a_result_ends_the_job(bench: Bench) -> None:
    running = a_running_job(bench)
    ended = lifecycle.succeeded(running, result={"text": "ä\u0000", "n": [1, None]}, now=NOW + 5)

    bench.engine.swap(running, ended)

    assert bench.engine.get(running.id) == ended
    assert bench.engine.count()[State.SUCCEEDED] == 1
    assert bench.engine.count()[State.RUNNING] == 0


@pytest.mark.parametrize("result", [False, 0, "", [], {}, None])
def test_an_empty_result_is_kept_as_it_is(bench: Bench, result: object) -> None:
    running = a_running_job(bench)

    bench.engine.swap(running, lifecycle.succeeded(running, result=result, now=NOW))

    stored = bench.engine.get(running.id).result
    assert stored == result
    assert type(stored) is type(result)


def test_a_large_result_is_kept_whole_and_survives_a_restart(bench: Bench) -> None:
    running = a_running_job(bench)
    result = {"text": "ä" * 200_000}

    bench.engine.swap(running, lifecycle.succeeded(running, result=result, now=NOW))
    bench.restart()

    assert bench.engine.get(running.id).result == result
    assert bench.engine.peek(running.id).state is State.SUCCEEDED


def test_a_failure_queues_the_job_again(bench: Bench) -> None:
    running = a_running_job(bench)
    again = lifecycle.failed(running, error=OOPS, now=NOW)

    bench.engine.swap(running, again)

    assert bench.engine.get(running.id) == again
    claimed = bench.claim()
    assert claimed is not None
    assert claimed.attempt == 2
    assert claimed.errors == again.errors


def test_a_backoff_defers_the_job(bench: Bench) -> None:
    running = a_running_job(bench)

    bench.engine.swap(running, lifecycle.failed(running, error=OOPS, now=NOW, delay=30))

    assert bench.engine.next_due() == NOW + 30
    assert bench.claim(NOW + 29) is None
    assert bench.claim(NOW + 30) is not None


def test_the_last_failure_ends_the_job(bench: Bench) -> None:
    running = a_running_job(bench, max_attempts=1)
    ended = lifecycle.failed(running, error=OOPS, now=NOW)

    bench.engine.swap(running, ended)

    assert bench.engine.get(running.id) == ended
    assert bench.engine.count()[State.FAILED] == 1


def test_a_job_given_back_costs_no_attempt(bench: Bench) -> None:
    running = a_running_job(bench)

    bench.engine.swap(running, lifecycle.given_back(running))

    claimed = bench.claim()
    assert claimed is not None
    assert claimed.attempt == 1
    assert claimed.version > running.version


def test_a_waiting_job_can_be_cancelled(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    cancelled = lifecycle.cancelled(job, now=NOW, reason="Not needed.")

    bench.engine.swap(job, cancelled)

    assert bench.engine.get(job.id) == cancelled
    assert bench.claim() is None
    assert bench.engine.count()[State.CANCELLED] == 1


def test_a_deferred_job_can_be_cancelled(bench: Bench) -> None:
    job = bench.engine.add(a_job(run_after=NOW + 60))

    bench.engine.swap(job, lifecycle.cancelled(job, now=NOW))

    assert bench.engine.next_due() is None
    assert bench.claim(NOW + 61) is None
    assert bench.engine.get(job.id).state is State.CANCELLED


def test_progress_and_leases_of_a_running_job_are_seen(bench: Bench) -> None:
    running = a_running_job(bench)
    further = lifecycle.progressed(running, Progress(fraction=0.5, message="half", at=NOW))
    renewed = lifecycle.renewed(further, now=NOW + 10, lease=LEASE)

    bench.engine.swap(running, further)
    bench.engine.swap(further, renewed)

    stored = bench.engine.get(running.id)
    assert stored.progress == Progress(fraction=0.5, message="half", at=NOW)
    assert stored.lease_until == NOW + 10 + LEASE
    assert stored.version == running.version + 2


def test_a_running_job_can_be_asked_to_stop(bench: Bench) -> None:
    running = a_running_job(bench)
    asked = lifecycle.asked_to_cancel(running, reason="The user left.")

    bench.engine.swap(running, asked)

    stored = bench.engine.get(running.id)
    assert stored.state is State.RUNNING
    assert stored.cancel_requested
    assert stored.cancel_reason == "The user left."
    bench.engine.swap(stored, lifecycle.cancelled(stored, now=NOW))
    assert bench.engine.get(running.id).state is State.CANCELLED


def test_a_wish_to_cancel_survives_the_worker(bench: Bench) -> None:
    bench.engine.add(a_job())
    lost = bench.lose_worker()
    running = bench.engine.get(lost.id)
    bench.engine.swap(running, lifecycle.asked_to_cancel(running, reason="Enough."))

    (found,) = bench.engine.abandoned(bench.now)

    assert found.cancel_requested
    assert lifecycle.lost(found, now=bench.now).state is State.CANCELLED


def test_a_change_based_on_an_old_version_is_refused(bench: Bench) -> None:
    running = a_running_job(bench)
    bench.engine.swap(running, lifecycle.asked_to_cancel(running, reason="Enough."))

    with pytest.raises(Conflict):
        bench.engine.swap(running, lifecycle.succeeded(running, result=1, now=NOW))

    assert bench.engine.get(running.id).state is State.RUNNING


def test_a_cancellation_too_late_is_refused(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    bench.claim()

    with pytest.raises(Conflict):
        bench.engine.swap(job, lifecycle.cancelled(job, now=NOW))

    assert bench.engine.get(job.id).state is State.RUNNING


def test_a_cancellation_of_what_has_run_meanwhile_is_refused(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    running = bench.claim()
    assert running is not None
    bench.engine.swap(running, lifecycle.given_back(running))

    with pytest.raises(Conflict):
        bench.engine.swap(job, lifecycle.cancelled(job, now=NOW))

    assert bench.engine.get(job.id).state is State.QUEUED


def test_a_worker_whose_claim_passed_to_another_is_refused(bench: Bench) -> None:
    bench.engine.add(a_job())
    late = bench.lose_worker()
    (found,) = bench.engine.abandoned(bench.now)
    bench.engine.swap(found, lifecycle.lost(found, now=bench.now))
    current = bench.claim()
    assert current is not None

    with pytest.raises(Conflict):
        bench.engine.swap(late, lifecycle.succeeded(late, result="late", now=bench.now))

    bench.engine.swap(current, lifecycle.succeeded(current, result="right", now=bench.now))
    assert bench.engine.get(late.id).result == "right"


def test_an_ended_job_never_changes(bench: Bench) -> None:
    running = a_running_job(bench)
    ended = lifecycle.succeeded(running, result=1, now=NOW)
    bench.engine.swap(running, ended)

    for old in (running, ended):
        with pytest.raises(Conflict):
            bench.engine.swap(old, lifecycle.cancelled(old, now=NOW))

    assert bench.engine.get(running.id) == ended


def test_a_waiting_job_can_only_be_claimed_or_ended(bench: Bench) -> None:
    job = bench.engine.add(a_job())

    for new in (
        lifecycle.claimed(job, worker="w", now=NOW, lease=LEASE),
        replace(job, version=2, priority=9),
    ):
        with pytest.raises(Unsupported):
            bench.engine.swap(job, new)

    assert bench.engine.get(job.id) == job


def test_a_job_that_was_never_stored_cannot_be_changed(bench: Bench) -> None:
    job = a_job()

    with pytest.raises(JobNotFound):
        bench.engine.swap(job, lifecycle.cancelled(job, now=NOW))


def test_of_many_outcomes_one_wins(bench: Bench) -> None:
    running = a_running_job(bench)
    start = threading.Barrier(6)
    outcomes: list[str] = []

    def settle(number: int) -> None:
        start.wait()
        try:
            bench.engine.swap(running, lifecycle.succeeded(running, result=number, now=NOW))
            outcomes.append(f"won {number}")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [outcome for outcome in outcomes if outcome != "lost"]
    assert winners == [f"won {bench.engine.get(running.id).result}"]
    assert len(outcomes) == 6


def test_unknown_fields_survive_every_change(bench: Bench) -> None:
    running = a_running_job(bench, extra={"colour": "blue"})
    bench.engine.swap(running, lifecycle.failed(running, error=OOPS, now=NOW))
    claimed = bench.claim()
    assert claimed is not None

    bench.engine.swap(claimed, lifecycle.succeeded(claimed, result=1, now=NOW))
    bench.restart()

    assert bench.engine.get(running.id).extra == {"colour": "blue"}
