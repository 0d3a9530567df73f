"""Contract: what is stored, stored once, and answered to whoever submits it again."""

from __future__ import annotations

import threading

import pytest

from core import lifecycle
from core.engine import Engine
from core.errors import ConfigError, IdempotencyConflict, JobNotFound, QueueFull
from core.jobs import Job, State
from queues import open_engine
from tests.contract.conftest import Bench, MakeBench
from tests.factories import NOW, a_job, an_id

AFTER_ALL = NOW + 10 * 24 * 3600


def keyed(key: str = "scope:key", body_hash: str = "b1", **fields: object) -> Job:
    return a_job(idempotency_key=key, body_hash=body_hash, **fields)


def test_a_stored_job_is_read_back_whole(engine: Engine) -> None:
    job = a_job(
        params={"url": "https://example.org/ä", "depth": [1, 2.5, None, True, {"a": "\u0000"}]},
        priority=7,
        queue="browser",
        timeout=12.5,
        max_attempts=1,
        batch="b",
        labels={"dialect": "robotni"},
        callback_url="https://example.org/hook",
        extra={"from_the_future": {"x": 1}},
    )

    answer = engine.add(job)

    assert answer == job
    assert engine.get(job.id) == job


def test_a_stored_job_survives_a_restart(bench: Bench) -> None:
    job = bench.engine.add(a_job(params={"n": 1}))

    bench.restart()

    assert bench.engine.get(job.id) == job
    claimed = bench.claim()
    assert claimed is not None
    assert claimed.id == job.id


def test_the_same_id_is_stored_once(bench: Bench) -> None:
    job = a_job(params={"n": 1})

    bench.engine.add(job)
    again = bench.engine.add(job)

    assert again == job
    assert bench.claim() is not None
    assert bench.claim() is None


def test_the_same_id_is_answered_with_what_became_of_the_job(bench: Bench) -> None:
    job = bench.engine.add(a_job())
    claimed = bench.claim()
    assert claimed is not None
    bench.engine.swap(claimed, lifecycle.succeeded(claimed, result=[1], now=NOW))

    again = bench.engine.add(job)

    assert again.state is State.SUCCEEDED
    assert again.result == [1]


def test_a_key_with_the_same_body_answers_with_the_first_job(bench: Bench) -> None:
    first = bench.engine.add(keyed())

    again = bench.engine.add(keyed())

    assert again.id == first.id
    assert bench.engine.count()[State.QUEUED] == 1


def test_a_key_with_the_same_body_answers_after_the_job_has_ended(bench: Bench) -> None:
    first = bench.engine.add(keyed())
    claimed = bench.claim()
    assert claimed is not None
    bench.engine.swap(claimed, lifecycle.succeeded(claimed, result="done", now=NOW))

    again = bench.engine.add(keyed())

    assert (again.id, again.state, again.result) == (first.id, State.SUCCEEDED, "done")


def test_a_key_answers_while_its_job_runs_and_waits_for_a_retry(bench: Bench) -> None:
    first = bench.engine.add(keyed())
    claimed = bench.claim()
    assert claimed is not None

    while_running = bench.engine.add(keyed())
    bench.engine.swap(claimed, lifecycle.given_back(claimed))
    while_waiting = bench.engine.add(keyed())

    assert (while_running.id, while_running.state) == (first.id, State.RUNNING)
    assert (while_waiting.id, while_waiting.state) == (first.id, State.QUEUED)
    assert bench.engine.count()[State.QUEUED] == 1


def test_a_key_with_another_body_is_refused_and_names_the_first_job(bench: Bench) -> None:
    first = bench.engine.add(keyed())

    with pytest.raises(IdempotencyConflict) as refusal:
        bench.engine.add(keyed(body_hash="b2"))

    assert refusal.value.job_id == first.id
    assert bench.engine.count()[State.QUEUED] == 1


def test_a_key_survives_a_restart(bench: Bench) -> None:
    first = bench.engine.add(keyed())

    bench.restart()

    assert bench.engine.add(keyed()).id == first.id


def test_a_key_outlives_its_purged_job_by_a_day(bench: Bench) -> None:
    first = bench.engine.add(keyed())
    claimed = bench.claim()
    assert claimed is not None
    bench.engine.swap(claimed, lifecycle.succeeded(claimed, result=1, now=NOW))
    bench.engine.purge(NOW + 1)

    within_a_day = bench.engine.add(keyed())
    bench.engine.purge(AFTER_ALL)
    later = bench.engine.add(keyed())

    assert within_a_day.id == first.id
    assert within_a_day.state is State.QUEUED, "an expired job is answered as it was submitted"
    assert later.id != first.id


def test_one_key_from_many_threads_makes_one_job(bench: Bench) -> None:
    answers: list[str] = []
    start = threading.Barrier(8)

    def submit() -> None:
        start.wait()
        answers.append(bench.engine.add(keyed()).id)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert bench.engine.count()[State.QUEUED] == 1


def test_a_batch_is_stored_whole_and_in_order(bench: Bench) -> None:
    jobs = [a_job(params={"n": n}, queue="default" if n % 2 else "other") for n in range(20)]

    answers = bench.engine.add_many(jobs)

    assert answers == jobs
    assert bench.engine.count()[State.QUEUED] == 20
    claimed = bench.claim()
    assert claimed is not None
    assert claimed.params == {"n": 1}


def test_a_batch_survives_a_restart_and_its_housekeeping(bench: Bench) -> None:
    jobs = bench.engine.add_many([a_job(), keyed(), a_job(run_after=NOW + 60)])

    bench.restart()
    bench.engine.upkeep(NOW)
    bench.restart()

    assert [bench.engine.get(job.id) for job in jobs] == jobs
    assert bench.engine.add(keyed()).id == jobs[1].id
    assert bench.engine.count()[State.QUEUED] == 3


def test_a_batch_with_a_conflicting_key_stores_nothing(bench: Bench) -> None:
    bench.engine.add(keyed())
    fresh = a_job()

    with pytest.raises(IdempotencyConflict):
        bench.engine.add_many([fresh, keyed(body_hash="b2")])

    with pytest.raises(JobNotFound):
        bench.engine.get(fresh.id)
    assert bench.engine.count()[State.QUEUED] == 1


def test_a_batch_that_contradicts_itself_stores_nothing(bench: Bench) -> None:
    with pytest.raises(IdempotencyConflict):
        bench.engine.add_many([a_job(), keyed(body_hash="b1"), keyed(body_hash="b2")])

    assert bench.engine.count()[State.QUEUED] == 0


def test_a_batch_answers_repeated_jobs_with_the_first(bench: Bench) -> None:
    stored = bench.engine.add(keyed("k1"))
    fresh = keyed("k2")

    answers = bench.engine.add_many([keyed("k1"), fresh, keyed("k2"), stored])

    assert [job.id for job in answers] == [stored.id, fresh.id, fresh.id, stored.id]
    assert bench.engine.count()[State.QUEUED] == 2


def test_an_empty_batch_stores_nothing(bench: Bench) -> None:
    assert bench.engine.add_many([]) == []


def test_no_more_jobs_wait_than_may(make_bench: MakeBench) -> None:
    bench = make_bench(max_pending=3)
    bench.engine.add_many([a_job(), a_job()])
    known = bench.engine.add(keyed())

    with pytest.raises(QueueFull):
        bench.engine.add(a_job())
    with pytest.raises(QueueFull):
        bench.engine.add_many([a_job(), a_job()])
    again = bench.engine.add(keyed())
    bench.claim()
    bench.engine.add(a_job())

    assert again.id == known.id, "a known job is answered even when the queue is full"
    assert bench.engine.count()[State.QUEUED] == 3


@pytest.mark.parametrize("url", ["redis://localhost", "postgresql:///bus"])
def test_engines_of_later_versions_are_named_as_such(url: str) -> None:
    with pytest.raises(ConfigError, match="later version"):
        open_engine(url)


@pytest.mark.parametrize("url", ["", "file", "file:relative/path", "sqlite:/x", "memory:/x"])
def test_a_url_that_names_no_engine_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_engine(url)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="colour"):
        open_engine("memory:", colour="blue")


def test_ids_of_another_time_are_stored_and_found(bench: Bench) -> None:
    old, new = a_job(id=an_id(NOW - 1e8)), a_job(id=an_id(NOW + 1e8))

    bench.engine.add_many([new, old])

    assert bench.engine.get(old.id) == old
    assert bench.engine.get(new.id) == new
