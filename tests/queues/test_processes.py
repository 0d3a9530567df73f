"""Several processes on one folder, and the deaths of some of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from core import lifecycle
from core.clock import SystemClock
from core.jobs import DEFAULT_QUEUE, Progress, State
from queues import open_engine
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import MakeEngine, die

ROOM = {"min_free_bytes": 0, "reserve_bytes": 0}


def claim_until_told(base: str, pipe: Connection) -> None:
    """Claim as many jobs as the pipe asks for, saying each id; None ends it."""
    engine = open_engine(f"file:{base}", **ROOM)
    while (number := pipe.recv()) is not None:
        jobs = [engine.claim("other", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) for _ in range(number)]
        pipe.send([job.id for job in jobs if job])
    engine.close()


@contextmanager
def another_process(base: Path) -> Iterator[tuple[Connection, multiprocessing.process.BaseProcess]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=claim_until_told, args=(str(base), theirs))
    process.start()
    theirs.close()
    try:
        yield ours, process
    finally:
        process.kill()
        process.join()
        ours.close()


def test_two_processes_share_the_jobs_without_overlap(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    jobs = engine.add_many([a_job() for _ in range(60)])

    with another_process(base) as (pipe, _):
        ours, theirs = [], []
        for _ in range(10):
            pipe.send(3)
            ours += [engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) for _ in range(3)]
            theirs += pipe.recv()

    assert len(theirs) == 30
    assert sorted([job.id for job in ours if job] + theirs) == [job.id for job in jobs]


def test_a_killed_worker_is_noticed_at_once_and_a_stopped_one_is_not_taken_for_dead(
    make_engine: MakeEngine, base: Path
) -> None:
    engine = make_engine()
    engine.add(a_job())

    with another_process(base) as (pipe, process):
        pipe.send(1)
        (job_id,) = pipe.recv()
        os.kill(process.pid or 0, signal.SIGSTOP)
        while_stopped = engine.abandoned(NOW + 1e6)
        process.kill()
        process.join()
        after_the_kill = engine.abandoned(NOW)

    assert while_stopped == []
    assert [job.id for job in after_the_kill] == [job_id]


def test_the_attempts_process_keeps_the_job_when_the_server_is_gone(make_engine: MakeEngine) -> None:
    server, heir = make_engine(), make_engine()
    server.add(a_job())
    job = server.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    lifeline = server.lifeline(job)
    assert lifeline is not None
    attempt = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lifeline], text=True
    )

    die(server)
    while_it_lives = heir.abandoned(NOW)
    attempt.communicate("\n")
    when_it_is_gone = heir.abandoned(NOW)

    assert while_it_lives == []
    assert [found.id for found in when_it_is_gone] == [job.id]


def test_a_job_has_a_lifeline_while_it_runs_and_none_after(make_engine: MakeEngine) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None

    before = engine.lifeline(job)
    engine.swap(job, lifecycle.given_back(job))

    assert before is not None
    assert engine.lifeline(job) is None


def open_below(base: Path) -> int:
    """Return how many descriptors this process has open below a folder."""
    opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return sum(1 for path in opened if path.startswith(str(base)))


def test_no_descriptor_is_leaked_over_many_jobs(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()

    def run_some() -> int:
        for _ in range(20):
            engine.add(a_job(idempotency_key=None))
            job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
            assert job is not None
            engine.swap(job, lifecycle.given_back(job))
            again = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
            assert again is not None
            engine.swap(again, lifecycle.succeeded(again, result=1, now=NOW))
        return open_below(base)

    assert run_some() == run_some()


def test_jobs_of_another_process_are_seen_after_upkeep(make_engine: MakeEngine) -> None:
    ours, theirs = make_engine(), make_engine()
    nothing = ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    plain = theirs.add(a_job())
    theirs.add(a_job(run_after=NOW + 5, queue="browser"))

    news = ours.upkeep(NOW)

    assert nothing is None
    assert news
    job = ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    assert job.id == plain.id
    assert ours.next_due() == NOW + 5
    assert ours.claim("w", now=NOW + 5, lease=30, queues=["browser"]) is not None


def test_jobs_of_another_process_are_seen_though_our_own_never_run_out(make_engine: MakeEngine) -> None:
    ours, theirs = make_engine(), make_engine()
    ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    older = theirs.add(a_job())
    ours.add_many([a_job(), a_job()])

    ours.upkeep(NOW)

    job = ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    assert job.id == older.id


def test_an_id_made_after_opening_is_stored_once_too(make_engine: MakeEngine) -> None:
    engine = make_engine()
    now = SystemClock().now() + 1
    older, newer = a_job(id=an_id(now)), a_job(id=an_id(now + 1))

    for job in (newer, older, newer, older):
        engine.add(job)

    claims = [engine.claim("w", now=now, lease=30, queues=[DEFAULT_QUEUE]) for _ in range(3)]
    assert [job.id if job else None for job in claims] == [older.id, newer.id, None]
    assert engine.add(newer).state is State.RUNNING


def test_an_urgent_job_of_another_process_goes_first(make_engine: MakeEngine) -> None:
    ours, theirs = make_engine(), make_engine()
    ours.add_many([a_job(), a_job()])
    ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    urgent = theirs.add(a_job(priority=9))

    ours.upkeep(NOW)

    job = ours.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    assert job.id == urgent.id


def test_a_running_job_is_cancelled_from_another_process(make_engine: MakeEngine) -> None:
    holder, other = make_engine(), make_engine()
    holder.add(a_job())
    job = holder.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    seen = other.get(job.id)

    other.swap(seen, lifecycle.asked_to_cancel(seen, reason="Enough."))

    stored = holder.get(job.id)
    assert (stored.cancel_requested, stored.cancel_reason) == (True, "Enough.")
    assert stored.version == other.get(job.id).version == job.version + 1
    holder.swap(stored, lifecycle.cancelled(stored, now=NOW))
    assert other.get(job.id).state is State.CANCELLED


def test_a_wish_of_somebody_who_saw_the_disk_only_leaves_the_claim_to_its_worker(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    engine.add(a_job())
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    seen = replace(job, worker=None, lease_until=None)  # the disk knows the record, not yet who claimed it

    engine.swap(seen, lifecycle.asked_to_cancel(seen, reason="Enough."))

    mine = engine.get(job.id)
    assert (mine.worker, mine.lease_until) == ("w", job.lease_until)
    assert (mine.cancel_requested, mine.cancel_reason, mine.version) == (True, "Enough.", job.version + 1)
    engine.swap(mine, lifecycle.cancelled(mine, now=NOW))
    assert engine.get(job.id).state is State.CANCELLED


def test_a_wish_to_cancel_does_not_outlive_its_attempt(make_engine: MakeEngine) -> None:
    holder, other = make_engine(), make_engine()
    holder.add(a_job())
    first = holder.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert first is not None
    seen = other.get(first.id)
    other.swap(seen, lifecycle.asked_to_cancel(seen, reason="Enough."))
    asked = holder.get(first.id)
    failed = lifecycle.lost(first, now=NOW)
    holder.swap(asked, replace(failed, version=asked.version + 1))

    second = holder.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])

    assert second is not None
    assert not holder.get(first.id).cancel_requested
    seen = other.get(first.id)
    other.swap(seen, lifecycle.asked_to_cancel(seen, reason="Now."))
    assert holder.get(first.id).cancel_reason == "Now."


def test_what_an_attempt_reports_is_seen_by_other_processes(make_engine: MakeEngine) -> None:
    holder, other = make_engine(), make_engine()
    holder.add(a_job())
    job = holder.claim("worker-7", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    further = lifecycle.progressed(job, Progress(fraction=0.25, message="a quarter", at=NOW))

    holder.swap(job, further)

    assert other.get(job.id) == further


def test_the_folder_of_a_dead_process_is_swept_and_that_of_a_living_one_is_not(
    make_engine: MakeEngine, base: Path
) -> None:
    engine = make_engine()
    (base / "tmp" / "dead").mkdir()
    (base / "tmp" / "dead" / "draft").write_text("half a rec")

    make_engine().upkeep(NOW)

    assert not (base / "tmp" / "dead").exists()
    engine.add(a_job())


def test_the_journal_of_a_dead_process_is_made_true_by_another(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine()
    jobs = engine.add_many([a_job(), a_job(idempotency_key="k", body_hash="b")])
    die(engine)
    (volume,) = (base / "journal").iterdir()
    (base / "inbound" / "p5" / jobs[0].id[:8] / f"{jobs[0].id}.json").unlink()
    (base / "inbound" / "p5" / jobs[1].id[:8] / f"{jobs[1].id}.json").write_bytes(b"")

    heir = make_engine()

    assert not volume.exists()
    assert [heir.get(job.id) for job in jobs] == jobs
    claims = [heir.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) for _ in range(3)]
    assert [job.id if job else None for job in claims] == [jobs[0].id, jobs[1].id, None]
