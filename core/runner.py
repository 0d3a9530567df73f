"""One attempt as a pipeline: resolve, isolate, time-limit, run, settle."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.actions import ActionSpec
from core.attempt import Attempt, Submit, Why
from core.claim import Claim
from core.context import JobContext
from core.environment import clean_environment
from core.errors import BusError
from core.event_bus import EventBus
from core.invocation import invoke
from core.job_log import JobLog
from core.jobs import Job
from core.keeper import Keeper
from core.leftovers import sweep
from core.masking import Masking
from core.order import Order, is_plain
from core.outcome import Ending, Outcome, failure
from core.results import DEFAULT_LIMIT
from core.secrets import secrets_in
from core.settlement import Settlement

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine
    from core.registry import Registry


def _nothing() -> None:
    """Do nothing."""


class Runner:
    """Run attempts of claimed jobs and settle them. Any number of threads may perform at once."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        events: EventBus,
        *,
        downloads: Path,
        submit: Submit,
        backoff: Callable[[int], float],
        grace: float = 5.0,
        lease: float = 60.0,
        result_limit: int = DEFAULT_LIMIT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._downloads = downloads
        self._submit = submit
        self._grace = grace
        self._result_limit = result_limit
        self._environment = clean_environment(os.environ) if environment is None else environment
        # Not by job id: a thread that was left behind may still run an older attempt of the same job.
        self._attempts: dict[Attempt, None] = {}
        self._unbegun: dict[Claim, None] = {}  # what an attempt needs can take as long as an import
        self._settlement = Settlement(clock, events, backoff=backoff)
        self.keeper = Keeper(
            engine, clock, self._settlement, attempts=self._running, grace=grace, lease=lease
        )

    def perform(self, job: Job, *, taken: Callable[[], object] = _nothing) -> Job | None:
        """Run one attempt of a claimed job and settle it; raises nothing that the action is to blame for.

        Calls `taken` as soon as `stop` would give the job back. Returns the job as it was settled, or None
        when the claim had passed to somebody else.
        """
        claim = Claim(self._engine, job)
        self._unbegun[claim] = None
        taken()
        try:
            return self._performed(claim)
        except Exception as error:
            # Nobody else may take a job whose claim this process keeps, so it must not stay claimed.
            fault = failure("internal_error", f"The bus made a mistake: {type(error).__name__}.")
            self._settlement.settle(claim, fault)
            raise
        finally:
            self._unbegun.pop(claim, None)

    def cancel(self, job_id: str) -> bool:
        """Ask the running attempt of that job to stop; return whether it runs in this process."""
        found = [attempt for attempt in self._running() if attempt.claim.job.id == job_id]
        for attempt in found:
            attempt.ask_to_stop(Why.CANCEL, grace=self._grace)
        return bool(found)

    def running(self) -> list[str]:
        """Return the ids of the jobs whose attempts run; a thread counts until it ends, overdue or not."""
        return [attempt.claim.job.id for attempt in self._running()]

    def give_back(self, job_ids: Collection[str] | None = None, *, grace: float) -> None:
        """End running attempts, all unless ids are given, and queue their jobs again, attempts uncounted.

        Processes are gone when this returns. A thread that goes on for more than `grace` seconds is left
        behind, and whatever it returns is dropped.
        """
        running = self._running()
        chosen = [one for one in running if job_ids is None or one.claim.job.id in job_ids]
        for attempt in chosen:
            attempt.ask_to_stop(Why.DRAIN, grace=grace)
        for attempt in chosen:
            if attempt.spec.limits.isolation == "process":
                attempt.settled.wait()
            elif not self._clock.wait(attempt.settled, grace):
                self._settlement.settle(attempt.claim, attempt.stopped())

    def stop(self, grace: float) -> None:
        """Give back whatever runs and let go of everything."""
        self._settlement.stop()
        for claim in list(self._unbegun):
            self._settlement.settle(claim, Outcome(ending=Ending.GIVEN_BACK))
        self.give_back(grace=grace)
        self.keeper.stop()

    def _performed(self, claim: Claim) -> Job | None:
        if self._settlement.stopping.is_set():  # `stop` may not have seen the claim any more.
            return self._settlement.settle(claim, Outcome(ending=Ending.GIVEN_BACK))
        try:
            spec = self._resolved(claim.job)
        except BusError as error:
            refused = Outcome(ending=Ending.GIVEN_UP, code=error.code, message=error.message)
            return self._settlement.settle(claim, refused)
        masking = Masking(secrets_in(claim.job.params, spec.secrets))
        attempt = self._begun(claim, spec, masking)
        try:
            outcome = masking.outcome(self._run(attempt))
            attempt.over.set()
            attempt.job_log.flush()
            return self._settlement.settle(claim, outcome)
        finally:
            self._attempts.pop(attempt)
            attempt.settled.set()

    def _resolved(self, job: Job) -> ActionSpec:
        spec = self._registry.resolve(job.action)
        spec.validate(job.params)
        return spec

    def _begun(self, claim: Claim, spec: ActionSpec, masking: Masking) -> Attempt:
        attempt = Attempt(
            claim,
            spec,
            JobLog(self._engine, claim.job.id, self._clock, hide=masking.text),
            submit=self._submit,
            clock=self._clock,
            held=self._engine.lifeline(claim.job),
        )
        self._attempts[attempt] = None
        self._unbegun.pop(claim, None)
        self.keeper.attend()
        self._settlement.tell("task.started", claim.job)
        return attempt

    def _run(self, attempt: Attempt) -> Outcome:
        if self._settlement.stopping.is_set():  # Else the attempt was seen by `stop`, which asks it to end.
            return Outcome(ending=Ending.GIVEN_BACK)
        in_thread = attempt.spec.limits.isolation == "thread"
        return self._in_thread(attempt) if in_thread else self._in_process(attempt)

    def _in_thread(self, attempt: Attempt) -> Outcome:
        job = attempt.claim.job
        context = JobContext(
            job_id=job.id,
            attempt=job.attempt,
            params=job.params,
            folder=self._folder(job),
            channel=attempt,
            clock=self._clock,
            deadline=attempt.deadline,
        )
        return attempt.judged(invoke(attempt.spec, job.params, context, result_limit=self._result_limit))

    def _in_process(self, attempt: Attempt) -> Outcome:
        from core.isolation import ProcessAttempt  # noqa: PLC0415  Many a bus runs threads only.

        job = attempt.claim.job
        if job.errors and job.errors[-1].code == "lost":
            sweep(job.id)  # Whoever killed the worker may have killed the warden with it.
        spec = attempt.spec
        arguments = spec.params.arguments(spec.name, job.params)
        order = Order(
            job_id=job.id,
            attempt=job.attempt,
            path=spec.path.resolve(),
            stamp=spec.stamp,
            params=dict(job.params),
            arguments=arguments if is_plain(arguments) else None,
            wants_context=spec.params.wants_context,
            files=self._folder(job),
            deadline=attempt.deadline,
            result_limit=self._result_limit,
            environment=self._environment,
        )
        return ProcessAttempt(attempt, order, self._clock, grace=self._grace).run()

    def _running(self) -> list[Attempt]:
        return list(self._attempts)

    def _folder(self, job: Job) -> Path:
        return (self._downloads / job.id).absolute()
