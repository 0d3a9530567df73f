"""Contract: lists, counts, logs, and what is left of a job that was purged."""

from __future__ import annotations

import pytest

from core import lifecycle
from core.engine import Engine
from core.errors import JobExpired, JobNotFound
from core.jobs import Job, LogEntry, Query, State, Summary
from tests.contract.conftest import LEASE, Bench
from tests.factories import NOW, a_job, an_id


def an_ended_job(bench: Bench, *, ended_at: float = NOW, **fields: object) -> Job:
    job = bench.engine.add(a_job(**fields))
    running = bench.engine.claim_one(job.id, "w", now=NOW, lease=LEASE)
    assert running is not None
    ended = lifecycle.succeeded(running, result={"n": 1}, now=ended_at)
    bench.engine.swap(running, ended)
    return ended


def ids(jobs: tuple[Summary, ...]) -> list[str]:
    return [job.id for job in jobs]


def all_ids(engine: Engine, **fields: object) -> list[str]:
    """Follow the cursors to the end."""
    found: list[str] = []
    page = engine.find(Query(**fields))  # type: ignore[arg-type]
    found += ids(page.jobs)
    while page.next_cursor is not None:
        page = engine.find(Query(**fields, cursor=page.next_cursor))  # type: ignore[arg-type]
        found += ids(page.jobs)
    return found


def test_a_job_that_was_never_stored_is_not_found(engine: Engine) -> None:
    for ask in (engine.get, engine.peek, engine.logs):
        with pytest.raises(JobNotFound):
            ask(an_id())


def test_a_summary_says_all_but_params_and_result(bench: Bench) -> None:
    job = an_ended_job(bench, params={"secret": 1}, labels={"a": "b"})

    summary = bench.engine.peek(job.id)

    assert type(summary) is Summary
    assert (summary.id, summary.state, summary.labels) == (job.id, State.SUCCEEDED, {"a": "b"})


def test_jobs_are_listed_newest_first_in_all_states(bench: Bench) -> None:
    ended = an_ended_job(bench, id=an_id(NOW - 300))
    waiting = bench.engine.add(a_job(id=an_id(NOW - 200), queue="other", priority=1))
    deferred = bench.engine.add(a_job(id=an_id(NOW - 100), run_after=NOW + 60))
    running = bench.engine.add(a_job())
    bench.engine.claim_one(running.id, "w", now=NOW, lease=LEASE)

    page = bench.engine.find(Query())

    assert ids(page.jobs) == [running.id, deferred.id, waiting.id, ended.id]
    assert all(type(job) is Summary for job in page.jobs)
    assert page.next_cursor is None


def test_pages_follow_each_other_without_gap_or_overlap(bench: Bench) -> None:
    jobs = [a_job(id=an_id(NOW + 40 * n)) for n in range(7)]
    bench.engine.add_many(jobs)

    page = bench.engine.find(Query(limit=3))

    assert len(page.jobs) == 3
    assert all_ids(bench.engine, limit=3) == [job.id for job in reversed(jobs)]


def test_a_list_is_narrowed_by_each_filter(bench: Bench) -> None:
    wanted = an_ended_job(bench, action="alpha", queue="q1", batch="b1", labels={"k": "v"}, submitted_at=NOW)
    bench.engine.add(a_job(action="beta", queue="q2", batch="b2", labels={"k": "w"}, submitted_at=NOW - 1000))

    for narrowed in (
        {"states": frozenset({State.SUCCEEDED})},
        {"action": "alpha"},
        {"queue": "q1"},
        {"batch": "b1"},
        {"labels": {"k": "v"}},
        {"since": NOW - 10},
    ):
        assert all_ids(bench.engine, **narrowed) == [wanted.id], narrowed
    assert all_ids(bench.engine, batch="b3") == []


def test_every_state_is_counted(bench: Bench) -> None:
    an_ended_job(bench, queue="q1")
    failing = bench.engine.add(a_job(max_attempts=1))
    running = bench.engine.claim_one(failing.id, "w", now=NOW, lease=LEASE)
    assert running is not None
    bench.engine.swap(running, lifecycle.lost(running, now=NOW))
    cancelled = bench.engine.add(a_job())
    bench.engine.swap(cancelled, lifecycle.cancelled(cancelled, now=NOW))
    bench.engine.claim_one(bench.engine.add(a_job(queue="q1")).id, "w", now=NOW, lease=LEASE)
    bench.engine.add_many([a_job(), a_job(run_after=NOW + 60), a_job(queue="q1", run_after=NOW + 60)])

    counted = bench.engine.count()
    in_q1 = bench.engine.count(Query(queue="q1"))
    some = bench.engine.count(Query(states=frozenset({State.FAILED, State.QUEUED})))

    assert counted == {
        State.QUEUED: 3,
        State.RUNNING: 1,
        State.SUCCEEDED: 1,
        State.FAILED: 1,
        State.CANCELLED: 1,
    }
    assert in_q1 == dict.fromkeys(State, 0) | {State.QUEUED: 1, State.RUNNING: 1, State.SUCCEEDED: 1}
    assert some == dict.fromkeys(State, 0) | {State.QUEUED: 3, State.FAILED: 1}


def test_counts_follow_every_change(bench: Bench) -> None:
    seen = []
    for _ in range(3):
        bench.engine.add(a_job())
        seen.append(bench.engine.count()[State.QUEUED])
    while (job := bench.claim()) is not None:
        bench.engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))
        seen.append(bench.engine.count()[State.SUCCEEDED])

    assert seen == [1, 2, 3, 1, 2, 3]


def test_purging_removes_what_ended_before(bench: Bench) -> None:
    old = an_ended_job(bench, ended_at=NOW + 10)
    young = an_ended_job(bench, ended_at=NOW + 20)

    purged = bench.engine.purge(NOW + 15)

    assert purged == 1
    for ask in (bench.engine.get, bench.engine.peek, bench.engine.logs):
        with pytest.raises(JobExpired):
            ask(old.id)
    assert bench.engine.get(young.id) == young
    assert all_ids(bench.engine) == [young.id]
    assert bench.engine.count()[State.SUCCEEDED] == 1


def test_purging_never_touches_jobs_that_have_not_ended(bench: Bench) -> None:
    waiting = bench.engine.add(a_job(id=an_id(NOW - 1e6)))
    deferred = bench.engine.add(a_job(id=an_id(NOW - 1e6), run_after=NOW + 1e9))
    running = bench.engine.add(a_job(id=an_id(NOW - 1e6)))
    bench.engine.claim_one(running.id, "w", now=NOW, lease=LEASE)

    purged = bench.engine.purge(NOW + 1e6)

    assert purged == 0
    for job in (waiting, deferred, running):
        assert bench.engine.get(job.id).id == job.id


def test_purging_goes_in_slices(bench: Bench) -> None:
    for _ in range(5):
        an_ended_job(bench)

    purged = [bench.engine.purge(NOW + 1, limit=2) for _ in range(4)]

    assert purged == [2, 2, 1, 0]


def test_a_purged_job_is_still_expired_after_a_restart(bench: Bench) -> None:
    job = an_ended_job(bench)
    bench.engine.purge(NOW + 1)

    bench.restart()

    with pytest.raises(JobExpired):
        bench.engine.get(job.id)


def test_a_purged_job_submitted_again_does_not_run_again(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    running = bench.claim()
    assert running is not None
    bench.engine.swap(running, lifecycle.succeeded(running, result=1, now=NOW))
    bench.engine.purge(NOW + 1)

    answer = bench.engine.add(job)

    assert answer.id == job.id
    assert bench.claim() is None


def test_log_entries_come_back_in_order_and_in_parts(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    entries = [
        LogEntry(at=NOW + n, level="info", message=f"line {n}\nä\u2028", source="action") for n in range(5)
    ]

    bench.engine.log(job.id, entries[:3])
    bench.engine.log(job.id, entries[3:])

    assert bench.engine.logs(job.id) == entries
    assert bench.engine.logs(job.id, offset=1, limit=2) == entries[1:3]
    assert bench.engine.logs(job.id, offset=5) == []


def test_a_job_without_log_entries_has_an_empty_log(bench: Bench) -> None:
    job = bench.engine.add(a_job())

    assert bench.engine.logs(job.id) == []


def test_the_log_survives_the_jobs_changes_and_a_restart(bench: Bench) -> None:
    entry = LogEntry(at=NOW, level="error", message="seen", source="stderr")
    job = bench.engine.add(a_job())
    bench.engine.log(job.id, [entry])
    running = bench.claim()
    assert running is not None
    bench.engine.swap(running, lifecycle.succeeded(running, result=1, now=NOW))

    bench.restart()

    assert bench.engine.logs(job.id) == [entry]


def test_a_healthy_engine_passes_its_check(bench: Bench) -> None:
    assert isinstance(bench.engine.check(), list)
