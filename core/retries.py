"""Ended jobs that are to run again: the new job of each, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.errors import (
    BrokenAction,
    BusError,
    InvalidParams,
    JobEnded,
    JobExpired,
    JobNotEnded,
    JobNotFound,
    RecordDamaged,
    UnknownAction,
)
from core.jobs import Job, Json

if TYPE_CHECKING:
    from core.admission import Admission
    from core.engine import Engine

#: What can be wrong with one job among many, which is no fault of the others.
OF_ONE_JOB = (
    *(JobNotFound, JobExpired, RecordDamaged, JobEnded, JobNotEnded),
    *(UnknownAction, BrokenAction, InvalidParams),
)
#: By the id of the ended job, in the order in which they were asked for.
Outcomes = dict[str, Job | BusError]


class Retries:
    """Make the new jobs; nothing is stored here."""

    def __init__(self, engine: Engine, admission: Admission) -> None:
        self._engine = engine
        self._admission = admission

    def of(self, job_id: str, *, params: Mapping[str, Json] | None = None, key: str | None = None) -> Job:
        """Return a job that runs an ended one again, with its params or edited ones.

        Raises JobNotEnded for a job that still waits or runs, and what `Bus.get` and `Bus.submit` raise.
        """
        old = self._engine.get(job_id)
        if not old.state.ended:
            raise JobNotEnded(job_id, old.state)
        return self._admission.admitted_again(old, params, key=key)

    def of_many(self, job_ids: Sequence[str], *, once: bool) -> Outcomes:
        """Return a job for each that can be run again, and for each other one its error.

        With `once` each has an idempotency key made of the id, so that storing it again gives the same job.
        """
        outcomes: Outcomes = {}
        keyed = once and self._engine.supports_idempotency
        for job_id in job_ids:
            try:
                outcomes[job_id] = self.of(job_id, key=f"retry/{job_id}" if keyed else None)
            except OF_ONE_JOB as error:
                outcomes[job_id] = error
        return outcomes
