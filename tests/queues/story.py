"""A short life of a queue, told to an engine step by step, and the audit of what a crash left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core import lifecycle
from core.engine import Engine
from core.errors import BusError, JobExpired, JobNotFound, RecordDamaged
from core.jobs import DEFAULT_QUEUE, Job, JobError
from tests.factories import NOW, a_job

OOPS = JobError(code="action_error", message="Oops.")
LATER = NOW + 1e6


@dataclass
class Story:
    """What was asked of the engine and what it acknowledged, and after how many disk calls."""

    engine: Engine
    #: How many calls the disk has seen.
    clock: Callable[[], int] = lambda: 0
    #: Job id to the moment at which its submission was acknowledged.
    submitted: dict[str, int] = field(default_factory=dict)
    #: Jobs that may not be run again from a moment on: ended, cancelled, purged, or at their last attempt.
    closed: dict[str, int] = field(default_factory=dict)
    keyed: dict[str, tuple[Job, int]] = field(default_factory=dict)
    batch: list[Job] = field(default_factory=list)
    errors: list[BusError] = field(default_factory=list)

    def tell(self) -> None:
        """Submit, claim, finish, fail, defer, cancel, purge: every change of state there is."""
        plain = self.submit(a_job())
        self.submit(a_job(idempotency_key="k1", body_hash="b"))
        self.submit(a_job(priority=9, max_attempts=1))
        self.submit(a_job(run_after=NOW + 5))
        self.claim()
        self.fail(self.claim(), delay=0)
        self.succeed(self.claim(), {"n": 1})
        self.submit_batch([a_job(priority=8), a_job(priority=8, idempotency_key="k2", body_hash="b")])
        self.fail(self.claim(), delay=10)
        self.attempt(lambda: self.engine.upkeep(NOW + 6))
        self.succeed(self.claim(now=NOW + 6), "x" * 70_000)
        self.cancel(self.submit(a_job()))
        self.submit(a_job(priority=9, max_attempts=2))
        self.fail(self.claim(), delay=0)
        self.claim()
        self.purge()
        self.attempt(lambda: self.engine.log(plain.id, []) if plain else None)

    def attempt(self, step: Callable[[], object]) -> object:
        """Take a step; a step that fails must say so in the bus's own words."""
        try:
            return step()
        except BusError as error:
            self.errors.append(error)
            return None

    def submit(self, job: Job) -> Job | None:
        if self.attempt(lambda: self.engine.add(job)) is None:
            return None
        self.submitted[job.id] = self.clock()
        if job.idempotency_key is not None:
            self.keyed[job.idempotency_key] = (job, self.clock())
        return job

    def submit_batch(self, jobs: list[Job]) -> None:
        self.batch = jobs
        if self.attempt(lambda: self.engine.add_many(jobs)) is None:
            return
        for job in jobs:
            self.submitted[job.id] = self.clock()

    def claim(self, now: float = NOW) -> Job | None:
        job = self.attempt(lambda: self.engine.claim("w", now=now, lease=30, queues=[DEFAULT_QUEUE]))
        assert job is None or isinstance(job, Job)
        if job and job.attempt >= job.max_attempts:
            self.closed[job.id] = self.clock()  # whatever happens, it must not be run once more
        return job

    def succeed(self, job: Job | None, result: object) -> None:
        if job and self.swapped(job, lifecycle.succeeded(job, result=result, now=NOW)):
            self.closed[job.id] = self.clock()

    def fail(self, job: Job | None, *, delay: float) -> None:
        if job:
            self.swapped(job, lifecycle.failed(job, error=OOPS, now=NOW, delay=delay))

    def cancel(self, job: Job | None) -> None:
        if job and self.swapped(job, lifecycle.cancelled(job, now=NOW)):
            self.closed[job.id] = self.clock()

    def purge(self) -> None:
        self.attempt(lambda: self.engine.purge(NOW + 1))

    def swapped(self, old: Job, new: Job) -> bool:
        return self.attempt(lambda: self.engine.swap(old, new) or True) is not None


def audit(story: Story, engine: Engine, *, until: int) -> list[str]:
    """Recover on an engine that was opened on what a crash left, drain it, and return what is wrong."""
    ran = drained(engine)
    acknowledged = [job_id for job_id, moment in story.submitted.items() if moment <= until]
    closed = {job_id for job_id, moment in story.closed.items() if moment <= until}
    wrong = [f"lost {job_id}" for job_id in acknowledged if not is_known(engine, job_id)]
    wrong += [f"ran again {job_id}" for job_id in closed & set(ran)]
    wrong += [f"ran twice {job_id}" for job_id in set(ran) if ran.count(job_id) > 1]
    wrong += [f"still there: {number}" for number in [unfinished(engine)] if number]
    present = [is_known(engine, job.id) for job in story.batch]
    wrong += ["half a batch"] if any(present) and not all(present) else []
    for job, moment in story.keyed.values():
        again = engine.add(a_job(idempotency_key=job.idempotency_key, body_hash=job.body_hash))
        wrong += ["a key was forgotten"] if moment <= until and again.id != job.id else []
    return wrong


def drained(engine: Engine) -> list[str]:
    """Rescue, then run every job to its end; return the ids as they ran."""
    ran = []
    for job in engine.abandoned(LATER):
        engine.swap(job, lifecycle.lost(job, now=NOW))
    engine.upkeep(LATER)
    while job := engine.claim("heir", now=LATER, lease=30, queues=[DEFAULT_QUEUE]):
        ran.append(job.id)
        engine.swap(job, lifecycle.succeeded(job, result=1, now=LATER))
    return ran


def is_known(engine: Engine, job_id: str) -> bool:
    try:
        engine.get(job_id)
    except JobExpired:
        return True
    except (JobNotFound, RecordDamaged):
        return False
    return True


def unfinished(engine: Engine) -> int:
    return sum(number for state, number in engine.count().items() if not state.ended)
