"""Slots claim at once when woken, serve their queue only, and let go when told to."""

import threading

import pytest

from core import lifecycle
from core.clock import SystemClock
from core.errors import EngineUnavailable
from core.jobs import State
from core.pool import Pool
from tests.factories import a_job


class Recorder:
    """A runner that succeeds at once, or holds each job until it is released."""

    def __init__(self, engine, clock, *, hold=False):
        self.engine, self.clock = engine, clock
        self.performed = []
        self.started = threading.Semaphore(0)
        self.release = threading.Event()
        self.given_back = False
        if not hold:
            self.release.set()

    def perform(self, job, *, taken):
        taken()
        self.performed.append((job.worker, job.id))
        self.started.release()
        self.release.wait(30)
        done = lifecycle.given_back(job) if self.given_back else lifecycle.succeeded(job, result=None, now=0)
        self.engine.swap(job, done)
        return done

    def stop(self, grace):
        self.given_back = True
        self.release.set()


@pytest.fixture
def a_pool(engine, events):
    pools = []

    def make(*, hold=False, **slots):
        clock = SystemClock()
        runner = Recorder(engine, clock, hold=hold)
        pool = Pool(engine, runner, events, clock, slots=slots or {"default": 1})
        pools.append((pool, runner))
        pool.start()
        return pool, runner

    yield make
    for pool, runner in pools:
        runner.release.set()
        pool.drain(30)


def add(engine, pool, **fields):
    job = engine.add(a_job(**fields))
    pool.wake(job.queue)
    return job


def gone(pool):
    return all(slot.gone.wait(30) for slot in pool.status())


def test_a_wake_starts_a_waiting_job(engine, a_pool):
    pool, runner = a_pool()

    job = add(engine, pool)

    assert runner.started.acquire(timeout=30)
    assert runner.performed == [("worker-001-internal", job.id)]


def test_work_that_was_there_before_the_start_is_taken_up(engine, a_pool):
    jobs = [engine.add(a_job()) for _ in range(5)]

    _, runner = a_pool()

    for _ in jobs:
        assert runner.started.acquire(timeout=30)
    assert [job_id for _, job_id in runner.performed] == [job.id for job in jobs]


def test_no_wake_is_missed_however_many_come_at_once(engine, a_pool):
    pool, runner = a_pool(default=4)

    submitters = [threading.Thread(target=lambda: [add(engine, pool) for _ in range(50)]) for _ in range(4)]
    for submitter in submitters:
        submitter.start()

    for _ in range(200):
        assert runner.started.acquire(timeout=30)
    assert len({job_id for _, job_id in runner.performed}) == 200


def test_a_busy_queue_keeps_no_other_waiting(engine, a_pool):
    pool, runner = a_pool(hold=True, default=1, browser=1)

    add(engine, pool, queue="browser")
    add(engine, pool, queue="browser")
    light = add(engine, pool)

    assert runner.started.acquire(timeout=30)
    assert runner.started.acquire(timeout=30)
    assert light.id in [job_id for _, job_id in runner.performed]
    assert len(runner.performed) == 2


def test_scaling_up_takes_effect_at_once(engine, a_pool):
    pool, runner = a_pool(hold=True, default=1)
    for _ in range(3):
        add(engine, pool)

    before = pool.scale(3)

    for _ in range(3):
        assert runner.started.acquire(timeout=30)
    assert before == 1
    assert [slot.status for slot in pool.status()] == ["busy"] * 3


def test_scaling_down_lets_running_jobs_end(engine, a_pool):
    pool, runner = a_pool(hold=True, default=2)
    jobs = [add(engine, pool) for _ in range(2)]
    for _ in jobs:
        assert runner.started.acquire(timeout=30)

    slots = pool.status()
    pool.scale(0)
    assert [slot.status for slot in pool.status()] == ["busy", "busy"]
    runner.release.set()

    assert all(slot.gone.wait(30) for slot in slots)
    assert pool.status() == []
    assert {engine.get(job.id).state for job in jobs} == {State.SUCCEEDED}


def test_a_drained_slot_is_offline(engine, a_pool):
    pool, runner = a_pool()
    add(engine, pool)
    assert runner.started.acquire(timeout=30)

    pool.drain(30)

    assert [slot.status for slot in pool.status()] == ["offline"]


def names(pool):
    return [slot.id for slot in pool.status() if slot.wanted]


def leave(pool, size):
    """Scale down and wait until those who leave are gone."""
    slots = pool.status()
    pool.scale(size)
    for slot in slots:
        assert slot.wanted or slot.gone.wait(30)


def test_names_are_used_again_so_that_they_stay_the_same(a_pool):
    pool, _ = a_pool(default=3, browser=1)
    before = names(pool)

    leave(pool, 1)
    pool.scale(3)

    assert before == [f"worker-00{number}-internal" for number in (1, 2, 3, 4)]
    assert sorted(names(pool)) == before


def test_a_slot_that_was_to_leave_stays_when_it_is_wanted_again(engine, a_pool):
    pool, runner = a_pool(hold=True, default=2)
    for _ in range(2):
        add(engine, pool)
        assert runner.started.acquire(timeout=30)
    working = pool.status()

    pool.scale(0)
    pool.scale(2)

    assert pool.status() == working
    add(engine, pool)
    assert not runner.started.acquire(timeout=0.05)
    runner.release.set()
    assert runner.started.acquire(timeout=30)


def test_a_stopped_pool_ends_what_runs_and_begins_nothing(engine, a_pool):
    pool, runner = a_pool(hold=True, default=1, browser=1)
    running = add(engine, pool)
    assert runner.started.acquire(timeout=30)
    slots = pool.status()

    pool.stop()
    assert [slot.status for slot in slots] == ["busy", "offline"]
    waiting = add(engine, pool)
    runner.release.set()

    assert all(slot.gone.wait(30) for slot in slots)
    assert not pool.running
    assert engine.get(running.id).state is State.SUCCEEDED
    assert engine.get(waiting.id).state is State.QUEUED


def test_a_stopped_pool_that_is_started_again_is_as_large_as_it_was_to_be(engine, a_pool):
    pool, runner = a_pool(default=1, browser=1)

    pool.stop()
    assert pool.scale(3) == 0
    job = add(engine, pool)
    pool.start()

    assert sorted(slot.queue for slot in pool.status() if slot.wanted) == ["browser", *["default"] * 3]
    assert runner.started.acquire(timeout=30)
    assert [job_id for _, job_id in runner.performed] == [job.id]


def test_a_pool_that_drains_cannot_be_started_again(engine, a_pool):
    pool, runner = a_pool()
    pool.drain(30)
    engine.add(a_job())

    pool.start()

    assert not pool.running
    assert runner.performed == []


def test_a_slot_that_is_to_leave_while_it_looks_elsewhere_does_not_miss_it(engine, a_pool, monkeypatch):
    pool, _ = a_pool()
    (slot,) = pool.status()
    stays = pool._stays

    def hear_only_afterwards(asked):
        going_on = stays(asked)
        if going_on:
            pool.scale(0)  # between its look at `wanted` and its waiting for the bell
        return going_on

    monkeypatch.setattr(pool, "_stays", hear_only_afterwards)
    pool.wake_all()

    assert slot.gone.wait(30)


def test_however_often_it_is_scaled_by_however_many_the_last_word_counts(engine, a_pool):
    pool, runner = a_pool(default=1)

    def scale_about():
        for size in (5, 0, 3, 1, 4):
            pool.scale(size)
            pool.stop()
            pool.start()

    threads = [threading.Thread(target=scale_about) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    pool.scale(2)
    job = add(engine, pool)

    assert runner.started.acquire(timeout=30)
    assert len(names(pool)) == 2
    assert len({slot.id for slot in pool.status()}) == len(pool.status())
    assert [job_id for _, job_id in runner.performed] == [job.id]


def test_the_roster_knows_every_slot(a_pool):
    pool, _ = a_pool(default=2)

    leave(pool, 1)

    assert list(pool.roster.work()) == ["worker-001-internal", "worker-002-internal"]


def test_what_is_said_of_a_queue_before_the_start_holds_from_then_on(engine, events):
    clock = SystemClock()
    pool = Pool(engine, Recorder(engine, clock), events, clock, slots={"default": 1})

    pool.scale(2)
    pool.serve(["default", "browser"])
    before = pool.status()
    pool.start()

    assert before == []
    assert sorted(slot.queue for slot in pool.status()) == ["browser", "default", "default"]
    pool.drain(30)


def test_a_pool_that_was_told_to_stop_before_its_start_claims_nothing(engine, events):
    clock = SystemClock()
    runner = Recorder(engine, clock)
    pool = Pool(engine, runner, events, clock, slots={"default": 1})
    job = engine.add(a_job())

    pool.stop_claiming()
    pool.start()

    assert pool.drain(30)
    assert pool.status() == []
    assert engine.get(job.id).state is State.QUEUED


def test_a_drain_claims_nothing_more_and_waits_for_what_runs(engine, a_pool):
    pool, runner = a_pool(hold=True)
    running = add(engine, pool)
    assert runner.started.acquire(timeout=30)
    waiting = engine.add(a_job())
    pool.stop_claiming()
    runner.release.set()

    assert pool.drain(30) is True

    assert engine.get(running.id).state is State.SUCCEEDED
    assert engine.get(waiting.id).state is State.QUEUED


def test_a_drain_puts_back_what_does_not_end_in_time(engine, a_pool):
    pool, runner = a_pool(hold=True)
    job = add(engine, pool, max_attempts=1)
    assert runner.started.acquire(timeout=30)
    slots = pool.status()

    assert pool.drain(0.0) is False

    assert all(slot.gone.wait(30) for slot in slots)
    back = engine.get(job.id)
    assert (back.state, back.attempt) == (State.QUEUED, 0)


def test_a_claim_that_comes_back_when_a_drain_is_over_is_put_back(engine, a_pool, monkeypatch):
    claim, claiming, may_return = engine.claim, threading.Event(), threading.Event()

    def slow(*arguments, **options):
        job = claim(*arguments, **options)
        if job is not None:
            claiming.set()
            may_return.wait(30)
        return job

    monkeypatch.setattr(engine, "claim", slow)
    pool, runner = a_pool()
    job = add(engine, pool, max_attempts=1)
    assert claiming.wait(30)
    drain = threading.Thread(target=pool.drain, args=[0.0], kwargs={"grace": 30.0})
    drain.start()
    while pool._claiming:
        drain.join(0.01)

    may_return.set()
    drain.join(30)

    back = engine.get(job.id)
    assert (back.state, back.attempt) == (State.QUEUED, 0)
    assert runner.performed == []


def test_a_claimed_job_of_which_the_runner_does_not_know_yet_is_put_back_before_a_drain_ends(
    engine, a_pool, monkeypatch
):
    pool, runner = a_pool()
    (slot,) = pool.status()
    perform, held, may_go_on = runner.perform, threading.Event(), threading.Event()

    def late(job, *, taken):
        held.set()
        may_go_on.wait(30)
        return perform(job, taken=taken)

    def wait(event, timeout):
        if event is slot.gone:
            may_go_on.set()
        return event.wait(timeout)

    monkeypatch.setattr(runner, "perform", late)
    monkeypatch.setattr(pool._clock, "wait", wait)
    job = add(engine, pool, max_attempts=1)
    assert held.wait(30)

    pool.drain(0.0, grace=30.0)
    was_waited_for = slot.gone.is_set()
    may_go_on.set()

    assert was_waited_for
    back = engine.get(job.id)
    assert (back.state, back.attempt) == (State.QUEUED, 0)


def test_a_hurry_ends_the_waiting_of_a_drain(engine, a_pool):
    pool, runner = a_pool(hold=True)
    job = add(engine, pool, max_attempts=1)
    assert runner.started.acquire(timeout=30)
    drained = []
    drain = threading.Thread(target=lambda: drained.append(pool.drain(3600)))
    drain.start()

    pool.hurry()
    drain.join(30)

    assert len(drained) == 1
    back = engine.get(job.id)
    assert (back.state, back.attempt) == (State.QUEUED, 0)


def test_a_slot_takes_up_what_waits_as_soon_as_the_store_answers_again(engine, a_pool, monkeypatch):
    monkeypatch.setattr("core.pool._PAUSE", 0.0)
    claim, refusals = engine.claim, iter([EngineUnavailable("The disk is away.")] * 3)

    def refuse_at_first(*args, **kwargs):
        for refusal in refusals:
            raise refusal
        return claim(*args, **kwargs)

    monkeypatch.setattr(engine, "claim", refuse_at_first)
    job = engine.add(a_job())

    _, runner = a_pool()  # and nobody rings

    assert runner.started.acquire(timeout=30)
    assert [job_id for _, job_id in runner.performed] == [job.id]


def test_a_slot_survives_whatever_goes_wrong_and_says_so(engine, a_pool, monkeypatch, heard):
    monkeypatch.setattr("core.pool._PAUSE", 0.0)
    claim, faults = engine.claim, iter([ZeroDivisionError("a bug")])

    def stumble_at_first(*args, **kwargs):
        for fault in faults:
            raise fault
        return claim(*args, **kwargs)

    monkeypatch.setattr(engine, "claim", stumble_at_first)
    engine.add(a_job())

    _, runner = a_pool()

    assert runner.started.acquire(timeout=30)
    assert ("system.worker_failed", None) in heard
