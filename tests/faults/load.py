"""A process that uses a queue in every way at once until its disk fails: `python -m tests.faults.load …`.

Some threads submit, some work, one looks after the store. All that is acknowledged is said on stdout.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from core import lifecycle
from core.claim import Claim
from core.clock import SystemClock
from core.engine import Engine
from core.errors import Conflict, JobNotFound
from core.ids import JobIds
from core.jobs import DEFAULT_QUEUE, Job, JobError, Progress, State
from queues import open_engine
from tests.faults.events import say
from tests.faults.mutants import MUTANTS

RETRIES = 0.3
OOPS = JobError(code="action_error", message="Oops.")
BODY = "0" * 64

_clock = SystemClock()
_ids = JobIds(_clock)


@dataclass(frozen=True)
class Pace:
    """How many threads submit and work, and how long each rests between two steps, in seconds at most."""

    submitters: int
    workers: int
    rest: float


#: In a rush every flush makes durable what other threads forgot to; when it is calm, forgetting shows.
PACES = {"rush": Pace(8, 4, 0.0), "calm": Pace(2, 2, 0.02)}


def main(base: str, *, seed: int, pace: Pace, mutant: str = "") -> None:
    """Load the queue in `base` until every thread has met its failing disk."""
    room = {"min_free_bytes": 0, "min_free_share": 0.0, "reserve_bytes": 0}
    engine = MUTANTS[mutant](base) if mutant else open_engine(f"file:{base}", **room)
    chances = [random.Random(seed * 100 + number) for number in range(pace.submitters + pace.workers)]
    steps = [Submitter(engine, chance).step for chance in chances[: pace.submitters]]
    steps += [Worker(engine, chance).step for chance in chances[pace.submitters :]]
    steps.append(Caretaker(engine).step)
    threads = [threading.Thread(target=_for_ever, args=(step, pace.rest)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Submitter:
    """Submit plain, keyed and deferred jobs and batches; cancel some, submit some twice."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self._engine = engine
        self._chance = chance
        self._kept: list[Job] = []
        self._keyed: list[Job] = []
        self._weights = {self._one: 70, self._one_keyed: 12, self._batch: 8, self._cancel: 6, self._again: 4}

    def step(self) -> None:
        """Do one of these things."""
        (act,) = self._chance.choices(list(self._weights), list(self._weights.values()))
        act()

    def _one(self) -> None:
        self._kept.append(self._submitted(self._job()))

    def _one_keyed(self) -> None:
        job = self._submitted(self._job(keyed=True))
        say("keyed", job.id)
        self._keyed.append(job)

    def _batch(self) -> None:
        keyed = self._chance.choice((0, None))
        jobs = [self._job(keyed=number == keyed) for number in range(self._chance.randint(2, 6))]
        say("batch", jobs[0].id, ",".join(job.id for job in jobs))
        for job in jobs:
            say("tried", job.id)
        self._engine.add_many(jobs)
        say("whole", jobs[0].id, ",".join(job.id for job in jobs))
        if keyed is not None:
            say("keyed", jobs[keyed].id)
            self._keyed.append(jobs[keyed])

    def _again(self) -> None:
        """Submit an earlier job again under its key: no second job may come of it."""
        if not self._keyed:
            return
        first = self._chance.choice(self._keyed)
        again = self._engine.add(same_key(first.id))
        if again.id != first.id:
            say("key_forgotten", first.id)

    def _cancel(self) -> None:
        if not self._kept:
            return
        job_id = self._chance.choice(self._kept[-20:]).id
        try:
            job = self._engine.get(job_id)
            if job.state is State.QUEUED:
                self._engine.swap(job, lifecycle.cancelled(job, now=_clock.now()))
                say("ended", job_id, State.CANCELLED)
            elif job.state is State.RUNNING and not job.cancel_requested:
                self._engine.swap(job, lifecycle.asked_to_cancel(job, reason="Enough."))
        except Conflict:
            return
        except JobNotFound:
            say("vanished", job_id)

    def _submitted(self, job: Job) -> Job:
        say("tried", job.id)
        self._engine.add(job)
        say("kept", job.id)
        return job

    def _job(self, *, keyed: bool = False) -> Job:
        now, job_id, chance = _clock.now(), _ids(), self._chance
        key = {"idempotency_key": key_of(job_id), "body_hash": BODY} if keyed else {}
        return Job(
            id=job_id,
            action="noop",
            params={"text": "x" * chance.randrange(6000)},
            priority=chance.choice((3, 5, 5, 9)),
            max_attempts=chance.choice((1, 5, 5, 5)),
            submitted_at=now,
            run_after=now + chance.uniform(0.02, 0.5) if chance.random() < 0.1 else None,
            **key,
        )


class Worker:
    """Claim jobs and end them, three in ten by putting them back for another attempt."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self._engine = engine
        self._chance = chance

    def step(self) -> None:
        """Perform one job, or wait a moment if none is due."""
        now = _clock.now()
        job = self._engine.claim("worker", now=now, lease=30, queues=[DEFAULT_QUEUE])
        if job is None:
            _pause(0.001)
            return
        say("started", job.id, job.attempt)
        if job.attempt >= job.max_attempts:
            say("once", job.id)
        claim = Claim(self._engine, job)
        if self._chance.random() < 0.1:
            claim.change(lambda job: lifecycle.progressed(job, Progress(fraction=0.5, at=now)))
        _pause(self._chance.uniform(0, 0.002))
        after = claim.change(self._outcome)
        if after is None:
            say("robbed", job.id, "by-somebody")
        elif after.state.ended:
            say("ended", job.id, after.state)

    def _outcome(self, job: Job) -> Job:
        now = _clock.now()
        if job.cancel_requested:
            return lifecycle.cancelled(job, now=now)
        if self._chance.random() < RETRIES:
            return lifecycle.failed(job, error=OOPS, now=now, delay=self._chance.choice((0, 0, 0.05)))
        return lifecycle.succeeded(job, result=result_of(job.id, large=self._chance.random() < 0.03), now=now)


class Caretaker:
    """Do the upkeep, and rescue what seems abandoned: nothing may, since nobody dies before the disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def step(self) -> None:
        """Look after everything once."""
        self._engine.upkeep(_clock.now())
        for job in self._engine.abandoned(_clock.now()):
            say("robbed", job.id, "as-abandoned")
        _pause(0.02)


def key_of(job_id: str) -> str:
    """Return the idempotency key that a job of that id was submitted under, if it was under one."""
    return f"key of {job_id}"


def same_key(job_id: str) -> Job:
    """Return a new job that repeats the submission of a keyed one."""
    return Job(id=_ids(), action="noop", idempotency_key=key_of(job_id), body_hash=BODY)


def result_of(job_id: str, *, large: bool = False) -> dict[str, str]:
    """Return the result of that job and no other; a large one is kept in a file of its own."""
    return {"of": job_id, "text": "y" * (70_000 if large else 100)}


def _for_ever(step: Callable[[], None], rest: float) -> None:
    try:
        while True:
            step()
            _pause(random.uniform(0, rest))
    except Exception as error:
        say("stopped", "-", type(error).__name__)


def _pause(seconds: float) -> None:
    if seconds:
        threading.Event().wait(seconds)


if __name__ == "__main__":
    main(sys.argv[1], seed=int(sys.argv[2]), pace=PACES[sys.argv[3]], mutant=sys.argv[4])
