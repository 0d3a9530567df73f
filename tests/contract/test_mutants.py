"""The contract suite is worth something: it catches engines that are broken in one way each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from core.errors import Conflict, JobExpired, JobNotFound
from core.jobs import Job, State
from queues.memory import MemoryEngine
from tests.contract import test_claim, test_reading, test_state_machine, test_submit, test_swap
from tests.contract.conftest import Bench, MemoryBench


class ClaimsTwice(MemoryEngine):
    """Gives the last job again when nothing else is left, as a lock that is forgotten would."""

    last: Job | None = None

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        job = super().claim(worker, now=now, lease=lease, queues=queues)
        again, self.last = self.last, job
        return job or again


class ForgetsPriority(MemoryEngine):
    def _first(self, queues: Sequence[str], now: float) -> str | None:
        waiting = [heap for level, heap in self._ready.items() if level[0] in queues]
        waiting = [[job for job in heap if self._jobs[job].state is State.QUEUED] for heap in waiting]
        return min((min(heap) for heap in waiting if heap), default=None)


class ForgetsAge(MemoryEngine):
    def _first(self, queues: Sequence[str], now: float) -> str | None:
        best = super()._first(queues, now)
        if best is None:
            return None
        like = self._jobs[best]
        same = [job for job in self._jobs.values() if (job.state, job.queue) == (State.QUEUED, like.queue)]
        return max(job.id for job in same if job.priority == like.priority and job.run_after is None)


class ForgetsDue(MemoryEngine):
    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        return super().claim(worker, now=now + 1e6, lease=lease, queues=queues)


class NeverDue(MemoryEngine):
    def _promote(self, now: float) -> bool:
        return False


class IgnoresKeys(MemoryEngine):
    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        super().add_many([replace(job, idempotency_key=None) for job in jobs])
        return list(jobs)


class IgnoresBodies(MemoryEngine):
    def _known(self, job: Job, fresh: dict[str, Job]) -> Job | None:
        first = self._keys.get(job.idempotency_key or "")
        return super()._known(job if first is None else replace(job, body_hash=first.body_hash), fresh)


class StoresHalfABatch(MemoryEngine):
    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        return [super(StoresHalfABatch, self).add_many([job])[0] for job in jobs]


class SwapsWithoutFence(MemoryEngine):
    def swap(self, old: Job, new: Job) -> None:
        stored = self.get(old.id)
        super().swap(replace(old, version=stored.version), new)


class ChangesWhatHasEnded(MemoryEngine):
    def swap(self, old: Job, new: Job) -> None:
        stored = self.get(old.id)
        if stored.version != old.version:
            raise Conflict(old.id)
        self._replace(new)


class PurgesTheUnfinished(MemoryEngine):
    def purge(self, before: float, *, limit: int = 500) -> int:
        unfinished = [job for job in self._jobs.values() if not job.state.ended and job.submitted_at < before]
        for job in unfinished[:limit]:
            self._forget(job)
        return len(unfinished[:limit]) or super().purge(before, limit=limit)


class LeavesNoTombstone(MemoryEngine):
    def get(self, job_id: str) -> Job:
        try:
            return super().get(job_id)
        except JobExpired:
            raise JobNotFound(job_id) from None


class LosesRetries(MemoryEngine):
    def swap(self, old: Job, new: Job) -> None:
        super().swap(old, new)
        if old.state is State.RUNNING and new.state is State.QUEUED:
            self._ready[new.queue, new.priority].clear()


class LosesErrors(MemoryEngine):
    def swap(self, old: Job, new: Job) -> None:
        super().swap(old, replace(new, errors=()))


class ForgetsAttempts(MemoryEngine):
    def _take(self, job_id: str, worker: str, *, now: float, lease: float) -> Job:
        job = replace(super()._take(job_id, worker, now=now, lease=lease), attempt=1)
        self._replace(job)
        return job


class NeverMissesAWorker(MemoryEngine):
    def abandoned(self, now: float) -> list[Job]:
        return []


class TakesTheBusyForDead(MemoryEngine):
    def abandoned(self, now: float) -> list[Job]:
        return super().abandoned(now + 1e6)


class CountsWrong(MemoryEngine):
    def _forget(self, job: Job) -> None:
        super()._forget(job)
        self._counts[job.state, job.queue] += 1


class RepeatsTheLastOfAPage(MemoryEngine):
    def find(self, query: object) -> object:
        page = super().find(query)  # type: ignore[arg-type]
        return page if page.next_cursor is None else replace(page, next_cursor=page.next_cursor + "z")


MUTANTS = [
    ClaimsTwice,
    ForgetsPriority,
    ForgetsAge,
    ForgetsDue,
    NeverDue,
    IgnoresKeys,
    IgnoresBodies,
    StoresHalfABatch,
    SwapsWithoutFence,
    ChangesWhatHasEnded,
    PurgesTheUnfinished,
    LeavesNoTombstone,
    LosesRetries,
    LosesErrors,
    ForgetsAttempts,
    NeverMissesAWorker,
    TakesTheBusyForDead,
    CountsWrong,
    RepeatsTheLastOfAPage,
]
SUITE: list[ModuleType] = [test_submit, test_claim, test_swap, test_reading]


def bench_of(engine: type[MemoryEngine], **options: float) -> Bench:
    bench = MemoryBench()
    bench.engine = engine(**options)  # type: ignore[arg-type]
    return bench


def contract_tests() -> Iterator[Callable[..., None]]:
    """Yield the example-based tests that need nothing but an engine."""
    for module in SUITE:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            wanted = set(inspect.signature(function).parameters)
            if name.startswith("test_") and wanted and wanted <= {"bench", "engine", "make_bench"}:
                yield function


def fails(test: Callable[..., None], engine: type[MemoryEngine]) -> bool:
    """Run one test of the contract on such an engine and return whether it fails."""
    offered = {
        "bench": lambda: bench_of(engine),
        "engine": lambda: bench_of(engine).engine,
        "make_bench": lambda: lambda **options: bench_of(engine, **options),
    }
    try:
        test(**{name: offered[name]() for name in inspect.signature(test).parameters})
    except (Exception, pytest.fail.Exception):
        return True
    return False


def caught_by_the_model(engine: type[MemoryEngine]) -> bool:
    class Machine(test_state_machine.EngineMachine):
        def open(self) -> Bench:
            return bench_of(engine, aging=1e9)

    quick = settings(
        test_state_machine.QUICK,
        max_examples=150,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        database=None,
        print_blob=False,
    )
    try:
        run_state_machine_as_test(Machine, settings=quick)
    except (Exception, pytest.fail.Exception):
        return True
    return False


def test_the_sound_engine_passes() -> None:
    assert not [test.__name__ for test in contract_tests() if fails(test, MemoryEngine)]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_engine_is_caught(mutant: type[MemoryEngine]) -> None:
    assert any(fails(test, mutant) for test in contract_tests())


@pytest.mark.parametrize(
    "mutant", [ClaimsTwice, ForgetsPriority, IgnoresKeys, SwapsWithoutFence, LosesRetries]
)
def test_a_broken_engine_is_caught_by_the_model_too(mutant: type[MemoryEngine]) -> None:
    assert caught_by_the_model(mutant)
