"""The front door: submit, get, wait, find, cancel, retry. What it accepts is durably stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from core import lifecycle
from core.errors import Conflict, EngineUnavailable, JobEnded
from core.event_bus import KERNEL, EventBus, job_payload
from core.gate import Gate
from core.jobs import ALL, Job, Json, LogEntry, Page, Query, State, Summary
from core.retries import Retries
from core.shortcuts import Shortcuts
from core.waiting import Waiting

if TYPE_CHECKING:
    from core.admission import Admission
    from core.clock import Clock
    from core.engine import Engine
    from core.patience import Patience
    from core.promises import Promises
    from core.retries import Outcomes
    from core.submission import Submission

_TRIES = 20  # how often a job may change under our hands before we give up
_GLANCE = 1.0  # seconds between two looks at a job that another process may end


class Bus:
    """Take jobs in and answer for them."""

    def __init__(
        self, engine: Engine, admission: Admission, events: EventBus, clock: Clock, gate: Gate
    ) -> None:
        self.engine = engine
        self.admission = admission
        self.events = events
        self.gate = gate
        self.shortcuts = Shortcuts()
        #: Promises callbacks of jobs before they are stored; None where nobody is called back.
        self.promises: Promises | None = None
        self._clock = clock
        self._waiting = Waiting(events)
        self._retries = Retries(engine, admission)

    def submit(self, submission: Submission, *, patience: Patience | None = None) -> Job:
        """Store a job durably and return it, or the job that the same idempotency key made before.

        Raises UnknownAction, BrokenAction, InvalidParams, InvalidRequest, IdempotencyConflict, Unsupported,
        ShuttingDown, QueueFull, DiskFull or EngineUnavailable: then nothing was queued. After OutcomeUnknown
        the job may have been. With `patience` others are told when this takes too long.
        """
        return self._stored([self.admission.admitted(submission)], patience)[0]

    def submit_document(self, document: Json) -> Job:
        """Submit what a JSON object describes, with the fields of `POST /inbound`; raises as `submit`."""
        return self._stored([self.admission.admitted_document(document)])[0]

    def submit_many(
        self, submissions: Sequence[Submission], *, patience: Patience | None = None
    ) -> list[Job]:
        """Store all of the jobs or none, at most 1,000; raises as `submit`."""
        return self._stored(self.admission.admitted_many(submissions), patience)

    def announce(self, job: Job) -> None:
        """Tell workers and listeners that a job was stored."""
        self.shortcuts.wake(job.queue)
        self.events.publish("task.queued", KERNEL, job_payload(job))

    def get(self, job_id: str) -> Job:
        """Return the whole job. Raises JobNotFound, JobExpired or RecordDamaged."""
        return self.engine.get(job_id)

    def peek(self, job_id: str) -> Summary:
        """Return the job without its params and result; raises as `get`."""
        return self.engine.peek(job_id)

    def wait(self, job_id: str, timeout: float) -> Summary:
        """Return the job's summary as soon as it has ended, or as it stands after `timeout` seconds."""
        deadline = self._clock.monotonic() + timeout
        with self._waiting.alarm(job_id) as ended:
            while True:
                job = self.engine.peek(job_id)
                left = deadline - self._clock.monotonic()
                if job.state.ended or left <= 0 or self._waiting.closed:
                    return job
                self._clock.wait(ended, min(left, _GLANCE))
                ended.clear()

    def find(self, query: Query) -> Page:
        """Return one page of summaries, newest first."""
        return self.engine.find(query)

    def count(self, query: Query = ALL) -> dict[State, int]:
        """Return how many jobs are in each state."""
        return self.engine.count(query)

    def logs(self, job_id: str, *, offset: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return log entries of the job, oldest first; raises as `get`."""
        return self.engine.logs(job_id, offset=offset, limit=limit)

    def cancel(self, job_id: str, *, reason: str = "Cancelled on request.") -> Job:
        """Cancel a waiting job at once, or ask a running one to stop; return the job as it then stands.

        Raises JobEnded when it is too late, JobNotFound or JobExpired.
        """
        for _ in range(_TRIES):
            job = self.engine.get(job_id)
            if job.state.ended:
                raise JobEnded(job_id, job.state)
            if job.cancel_requested:
                return job
            with suppress(Conflict):
                return self._cancelled(job, reason)
        raise EngineUnavailable(f"Job {job_id} keeps changing; it could not be cancelled.", hint="Try again.")

    def retry(self, job_id: str, *, params: Mapping[str, Json] | None = None, key: str | None = None) -> Job:
        """Run an ended job again, with its params or edited ones, as a new job that names the old one.

        Raises JobNotEnded for a job that still waits or runs, and as `submit`.
        """
        return self._stored([self._retries.of(job_id, params=params, key=key)])[0]

    def retry_many(self, job_ids: Sequence[str], *, once: bool, patience: Patience | None = None) -> Outcomes:
        """Run ended jobs again, stored together, each once if so asked; raises as `submit`."""
        outcomes = self._retries.of_many(job_ids, once=once)
        made = {old_id: again for old_id, again in outcomes.items() if isinstance(again, Job)}
        stored = self._stored(list(made.values()), patience) if made else []
        return {**outcomes, **dict(zip(made, stored, strict=True))}

    @property
    def hung_up(self) -> bool:
        """Whether nobody is to be kept waiting any more."""
        return self._waiting.closed

    def hang_up(self) -> None:
        """Answer everybody who waits for a job at once, from now on: the process is about to stop."""
        self._waiting.close()

    def purge(self, before: float) -> int:
        """Remove all jobs that ended before a time in Unix seconds; return how many."""
        return sum(iter(lambda: self.engine.purge(before), 0))

    def _stored(self, jobs: Sequence[Job], patience: Patience | None = None) -> list[Job]:
        with self.gate.entered(), patience.waiting(jobs[0].id) if patience else nullcontext():
            stored = self.promises.stored(jobs, self._added) if self.promises else self._added(jobs)
        for asked, answer in zip(jobs, stored, strict=True):
            if asked.id == answer.id:
                self.announce(answer)
        return stored

    def _added(self, jobs: Sequence[Job]) -> list[Job]:
        return [self.engine.add(jobs[0])] if len(jobs) == 1 else self.engine.add_many(jobs)

    def _cancelled(self, job: Job, reason: str) -> Job:
        if job.state is State.RUNNING:
            wished = lifecycle.asked_to_cancel(job, reason=reason)
            self.engine.swap(job, wished)
            self.shortcuts.stop_attempt(job.id)
            return wished
        ended = lifecycle.cancelled(job, now=self._clock.now(), reason=reason)
        self.engine.swap(job, ended)
        self.events.publish("task.cancelled", KERNEL, job_payload(ended))
        return ended
