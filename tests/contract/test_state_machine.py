"""Contract: whatever is done in whatever order, an engine does what a model of thirty lines does."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core import lifecycle
from core.errors import Conflict, IdempotencyConflict, JobExpired
from core.jobs import Job, JobError, Progress, State
from tests.contract.conftest import LEASE, Bench, FileBench, MemoryBench
from tests.factories import NOW, a_job

OOPS = JobError(code="action_error", message="Oops.")
QUICK = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass
class Known:
    """What the model knows of a job."""

    job: Job
    state: State = State.QUEUED
    due: float = 0.0
    attempt: int = 0
    version: int = 1
    #: Its worker has died and nobody has noticed yet.
    lost: bool = False
    expired: bool = False


class EngineMachine(RuleBasedStateMachine):
    """Drive an engine and the model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = self.open()
        self.now = NOW
        self.known: dict[str, Known] = {}
        self.held: dict[str, Job] = {}
        self.keys: dict[str, Job] = {}

    def open(self) -> Bench:
        raise NotImplementedError

    def teardown(self) -> None:
        self.bench.close()

    @rule(priority=st.integers(3, 6), delay=st.sampled_from([None, None, 5, 50]))
    def submit(self, priority: int, delay: float | None) -> None:
        job = a_job(priority=priority, run_after=None if delay is None else self.now + delay)

        assert self.bench.engine.add(job) == job

        self.known[job.id] = Known(job, due=job.run_after or 0.0)

    @rule(sizes=st.lists(st.integers(3, 6), min_size=2, max_size=4))
    def submit_batch(self, sizes: list[int]) -> None:
        jobs = [a_job(priority=priority) for priority in sizes]

        assert self.bench.engine.add_many(jobs) == jobs

        self.known |= {job.id: Known(job) for job in jobs}

    @rule(key=st.sampled_from("ab"), body=st.sampled_from("xxy"), in_batch=st.booleans())
    def submit_with_key(self, key: str, body: str, in_batch: bool) -> None:
        job = a_job(idempotency_key=key, body_hash=body)
        first = self.keys.get(key)
        add = (
            (lambda: self.bench.engine.add_many([job])[0]) if in_batch else lambda: self.bench.engine.add(job)
        )

        if first is not None and first.body_hash != body:
            with pytest.raises(IdempotencyConflict) as refusal:
                add()
            assert refusal.value.job_id == first.id
            return
        answer = add()

        if first is None:
            self.keys[key] = job
            self.known[job.id] = Known(job)
        assert answer.id == self.keys[key].id
        assert answer.body_hash == body

    @rule()
    def claim(self) -> None:
        job = self.bench.claim(self.now)

        first = self.goes_first()
        assert (job.id if job else None) == first
        if job:
            self.note_claim(job)
            self.held[job.id] = job

    @precondition(lambda self: self.goes_first(self.bench.now) is not None)
    @rule()
    def lose_worker(self) -> None:
        first = self.goes_first(self.bench.now)

        job = self.bench.lose_worker()

        assert job.id == first
        self.note_claim(job)
        self.known[job.id].lost = True

    @rule()
    def rescue(self) -> None:
        found = self.bench.engine.abandoned(self.bench.now)

        assert {job.id for job in found} == {job_id for job_id, known in self.known.items() if known.lost}
        for job in found:
            assert job.attempt == self.known[job.id].attempt
            self.swap(job, lifecycle.lost(job, now=self.now))
            self.known[job.id].lost = False

    @precondition(lambda self: self.held)
    @rule(data=st.data(), result=st.sampled_from([None, False, {"a": [1]}, "x" * 70_000]))
    def succeed(self, data: st.DataObject, result: object) -> None:
        job = self.held.pop(self.pick(data, self.held))

        self.swap(job, lifecycle.succeeded(job, result=result, now=self.now))

        assert self.bench.engine.get(job.id).result == result

    @precondition(lambda self: self.held)
    @rule(data=st.data(), delay=st.sampled_from([0, 20]))
    def fail(self, data: st.DataObject, delay: float) -> None:
        job = self.held.pop(self.pick(data, self.held))

        self.swap(job, lifecycle.failed(job, error=OOPS, now=self.now, delay=delay))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        job = self.held[self.pick(data, self.held)]
        further = lifecycle.progressed(job, Progress(fraction=0.5, message="half", at=self.now))

        self.swap(job, further)

        self.held[job.id] = further
        with pytest.raises(Conflict):
            self.bench.engine.swap(job, lifecycle.succeeded(job, result="stale", now=self.now))

    @precondition(lambda self: self.in_state(State.QUEUED))
    @rule(data=st.data())
    def cancel_waiting(self, data: st.DataObject) -> None:
        job = self.bench.engine.get(self.pick(data, self.in_state(State.QUEUED)))

        self.swap(job, lifecycle.cancelled(job, now=self.now))

    @precondition(lambda self: self.in_state(State.SUCCEEDED))
    @rule(data=st.data())
    def change_what_has_ended(self, data: st.DataObject) -> None:
        job = self.bench.engine.get(self.pick(data, self.in_state(State.SUCCEEDED)))

        with pytest.raises(Conflict):
            self.bench.engine.swap(job, lifecycle.cancelled(job, now=self.now))

    @rule(seconds=st.sampled_from([3, 30]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.bench.now += seconds
        for job in list(self.held.values()):
            self.held[job.id] = lifecycle.renewed(job, now=self.now, lease=LEASE)
            self.swap(job, self.held[job.id])
        self.bench.engine.upkeep(self.now)

    @rule()
    def purge(self) -> None:
        ended = [known for known in self.known.values() if known.state.ended and not known.expired]

        assert self.bench.engine.purge(self.now + 1) == len(ended)

        for known in ended:
            known.expired = True

    @rule()
    def restart(self) -> None:
        self.bench.restart()

        if self.bench.survives_restart:
            for job_id in self.held:
                self.known[job_id].lost = True
            self.held.clear()

    @invariant()
    def states_agree(self) -> None:
        alive = [known for known in self.known.values() if not known.expired]
        counted = self.bench.engine.count()
        assert {state: number for state, number in counted.items() if number} == Counter(
            known.state for known in alive
        )
        for known in self.known.values():
            self.agrees(known)

    def agrees(self, known: Known) -> None:
        if known.expired:
            with pytest.raises(JobExpired):
                self.bench.engine.peek(known.job.id)
            return
        stored = self.bench.engine.peek(known.job.id)
        assert (stored.state, stored.attempt) == (known.state, known.attempt)
        assert stored.version >= known.version, "a version never falls"
        known.version = stored.version

    def swap(self, old: Job, new: Job) -> None:
        self.bench.engine.swap(old, new)
        known = self.known[old.id]
        known.state, known.attempt, known.due = new.state, new.attempt, new.run_after or 0.0

    def note_claim(self, job: Job) -> None:
        known = self.known[job.id]
        known.state, known.attempt = State.RUNNING, known.attempt + 1
        assert job.attempt == known.attempt
        assert job.params == known.job.params

    def goes_first(self, now: float | None = None) -> str | None:
        """Return the due job of the highest priority, of these the oldest."""
        moment = self.now if now is None else now
        due = [known for known in self.known.values() if known.state is State.QUEUED and known.due <= moment]
        return min(due, key=lambda known: (-known.job.priority, known.job.id)).job.id if due else None

    def in_state(self, state: State) -> dict[str, Known]:
        return {
            job_id: known
            for job_id, known in self.known.items()
            if known.state is state and not known.expired
        }

    @staticmethod
    def pick(data: st.DataObject, among: dict[str, object]) -> str:
        return data.draw(st.sampled_from(sorted(among)))


class MemoryMachine(EngineMachine):
    def open(self) -> Bench:
        return MemoryBench(aging=1e9)


class FileMachine(EngineMachine):
    def open(self) -> Bench:
        self.folder = Path(tempfile.mkdtemp(prefix="aafai-bus-"))
        return FileBench(self.folder / "queue", aging=1e9)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("machine", [MemoryMachine, FileMachine])
def test_an_engine_does_what_the_model_does(machine: type[EngineMachine]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)
