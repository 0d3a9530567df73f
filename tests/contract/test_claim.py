"""Contract: which job a worker gets, that no other gets it, and that dead workers are noticed."""

from __future__ import annotations

import threading

import pytest

from core import lifecycle
from core.engine import Engine
from core.errors import EngineUnavailable
from core.jobs import DEFAULT_QUEUE, Job, JobError, State
from tests.contract.conftest import LEASE, Bench, MakeBench
from tests.factories import NOW, a_job, an_id


def ids_claimed(bench: Bench, *, now: float | None = None) -> list[str]:
    claimed = []
    while job := bench.claim(now):
        claimed.append(job.id)
    return claimed


def test_a_claim_makes_the_job_run(bench: Bench) -> None:
    job = bench.engine.add(a_job())

    claimed = bench.claim()

    assert claimed is not None
    expected = lifecycle.claimed(job, worker="worker-1", now=NOW, lease=LEASE)
    assert claimed == expected
    assert bench.engine.get(job.id) == expected


def test_an_empty_queue_gives_nothing(bench: Bench) -> None:
    assert bench.claim() is None


def test_a_job_is_claimed_once(bench: Bench) -> None:
    bench.engine.add(a_job())

    claims = [bench.claim(), bench.claim()]

    assert claims[0] is not None
    assert claims[1] is None


def test_older_jobs_go_first(bench: Bench) -> None:
    jobs = [a_job() for _ in range(5)]
    for job in (jobs[3], jobs[0], jobs[4], jobs[2], jobs[1]):
        bench.engine.add(job)

    assert ids_claimed(bench) == [job.id for job in jobs]


def test_an_older_job_that_comes_late_goes_first(bench: Bench) -> None:
    older, newer, newest = a_job(id=an_id(NOW - 500)), a_job(), a_job()
    bench.engine.add_many([newer, newest])

    first = bench.claim()
    bench.engine.add(older)
    second = bench.claim()

    assert first is not None
    assert second is not None
    assert (first.id, second.id) == (newer.id, older.id)


def test_higher_priorities_go_first(bench: Bench) -> None:
    low, middle, high = a_job(priority=0), a_job(priority=5), a_job(priority=9)

    bench.engine.add_many([low, middle, high])

    assert ids_claimed(bench) == [high.id, middle.id, low.id]


def test_waiting_long_lifts_a_job_above_higher_priorities(make_bench: MakeBench) -> None:
    bench = make_bench(aging=60.0)
    patient = bench.engine.add(a_job(id=an_id(NOW - 200), priority=2))
    urgent = bench.engine.add(a_job(priority=4))

    assert ids_claimed(bench) == [patient.id, urgent.id]


def test_only_the_given_queues_are_served(bench: Bench) -> None:
    bench.engine.add(a_job(queue="browser"))

    nothing = bench.claim()
    job = bench.engine.claim("w", now=NOW, lease=LEASE, queues=[DEFAULT_QUEUE, "browser"])

    assert nothing is None
    assert job is not None
    assert job.queue == "browser"


def test_of_several_queues_the_highest_priority_goes_first(bench: Bench) -> None:
    light, heavy = a_job(priority=4), a_job(priority=6, queue="browser")
    bench.engine.add_many([light, heavy])

    job = bench.engine.claim("w", now=NOW, lease=LEASE, queues=[DEFAULT_QUEUE, "browser"])

    assert job is not None
    assert job.id == heavy.id


def test_a_deferred_job_waits_for_its_time(bench: Bench) -> None:
    job = bench.engine.add(a_job(run_after=NOW + 60))

    early = bench.claim(NOW + 59.9)
    due = bench.engine.next_due()
    deferred = bench.engine.deferred()
    late = bench.claim(NOW + 60)

    assert early is None
    assert due == NOW + 60
    assert deferred == 1
    assert late is not None
    assert late.id == job.id
    assert bench.engine.next_due() is None
    assert bench.engine.deferred() == 0


def test_a_deferred_job_survives_a_restart(bench: Bench) -> None:
    bench.engine.add(a_job(run_after=NOW + 60))

    bench.restart()

    assert bench.engine.next_due() == NOW + 60
    assert bench.claim() is None
    assert bench.claim(NOW + 61) is not None


def test_the_earliest_of_the_deferred_jobs_is_due_next(bench: Bench) -> None:
    bench.engine.add_many([a_job(run_after=NOW + 60), a_job(run_after=NOW + 30)])
    sooner = bench.engine.next_due()

    bench.claim(NOW + 30)

    assert sooner == NOW + 30
    assert bench.engine.next_due() == NOW + 60


def test_a_job_whose_time_has_passed_is_claimed_at_once(bench: Bench) -> None:
    bench.engine.add(a_job(run_after=NOW - 60))

    assert bench.claim() is not None


def test_due_jobs_take_their_place_by_priority_and_age(bench: Bench) -> None:
    deferred, plain = a_job(run_after=NOW + 10, priority=9), a_job()
    bench.engine.add_many([deferred, plain])

    assert ids_claimed(bench, now=NOW + 10) == [deferred.id, plain.id]


def test_upkeep_tells_when_a_job_has_become_due(bench: Bench) -> None:
    bench.engine.add(a_job(run_after=NOW + 10))
    bench.engine.upkeep(NOW)

    before = bench.engine.upkeep(NOW + 9)
    after = bench.engine.upkeep(NOW + 10)

    assert not before
    assert after


def test_one_job_can_be_claimed_by_its_id_due_or_not(bench: Bench) -> None:
    waiting, deferred = bench.engine.add_many([a_job(), a_job(run_after=NOW + 60)])

    first = bench.engine.claim_one(waiting.id, "w", now=NOW, lease=LEASE)
    second = bench.engine.claim_one(deferred.id, "w", now=NOW, lease=LEASE)
    again = bench.engine.claim_one(waiting.id, "w", now=NOW, lease=LEASE)

    assert first == lifecycle.claimed(waiting, worker="w", now=NOW, lease=LEASE)
    assert second == lifecycle.claimed(deferred, worker="w", now=NOW, lease=LEASE)
    assert again is None
    assert bench.claim(NOW + 100) is None
    assert bench.engine.next_due() is None


def test_an_unknown_job_cannot_be_claimed_by_id(engine: Engine) -> None:
    assert engine.claim_one(an_id(), "w", now=NOW, lease=LEASE) is None


def test_a_job_claimed_by_id_and_deferred_again_waits(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    claimed = bench.engine.claim_one(job.id, "w", now=NOW, lease=LEASE)
    assert claimed is not None
    retry = lifecycle.failed(claimed, error=JobError(code="x", message="x"), now=NOW, delay=30)

    bench.engine.swap(claimed, retry)

    assert bench.claim(NOW + 29) is None
    assert bench.claim(NOW + 30) is not None


def test_many_threads_never_claim_the_same_job(bench: Bench) -> None:
    jobs = bench.engine.add_many([a_job(priority=n % 10) for n in range(60)])
    claimed: list[Job] = []

    def work() -> None:
        while job := bench.claim():
            claimed.append(job)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(job.id for job in claimed) == sorted(job.id for job in jobs)


def test_a_worker_at_work_is_not_abandoned(bench: Bench) -> None:
    bench.engine.add(a_job())
    bench.claim()

    assert bench.engine.abandoned(bench.now) == []


def test_a_lost_worker_is_noticed_and_its_attempt_counted(bench: Bench) -> None:
    bench.engine.add(a_job())
    lost = bench.lose_worker()

    (found,) = bench.engine.abandoned(bench.now)

    assert (found.id, found.state, found.attempt) == (lost.id, State.RUNNING, 1)
    assert found.version >= lost.version


def test_an_abandoned_job_is_found_until_somebody_sees_to_it(bench: Bench) -> None:
    bench.engine.add(a_job())
    bench.lose_worker()
    bench.engine.abandoned(bench.now)

    (found,) = bench.engine.abandoned(bench.now)
    bench.engine.swap(found, lifecycle.lost(found, now=bench.now))

    assert bench.engine.abandoned(bench.now) == []
    again = bench.claim()
    assert again is not None
    assert (again.id, again.attempt) == (found.id, 2)
    assert [error.code for error in again.errors] == ["lost"]


def test_a_job_that_loses_every_worker_ends_as_a_dead_letter(bench: Bench) -> None:
    job = bench.engine.add(a_job(max_attempts=2))

    for _ in range(2):
        bench.lose_worker()
        (found,) = bench.engine.abandoned(bench.now)
        bench.engine.swap(found, lifecycle.lost(found, now=bench.now))

    stored = bench.engine.get(job.id)
    assert stored.state is State.FAILED
    assert [error.attempt for error in stored.errors] == [1, 2]
    assert bench.claim() is None


def test_a_version_never_falls_whatever_becomes_of_a_job(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    seen = [job.version]
    bench.lose_worker()
    seen.append(bench.engine.get(job.id).version)
    (found,) = bench.engine.abandoned(bench.now)
    seen.append(found.version)
    bench.engine.swap(found, lifecycle.lost(found, now=bench.now))
    seen.append(bench.engine.get(job.id).version)
    claimed = bench.claim()
    assert claimed is not None
    seen.append(claimed.version)

    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def test_a_closed_engine_gives_and_takes_nothing(bench: Bench) -> None:
    bench.engine.close()

    with pytest.raises(EngineUnavailable):
        bench.engine.add(a_job())
    with pytest.raises(EngineUnavailable):
        bench.claim()
    with pytest.raises(EngineUnavailable):
        bench.engine.count()
