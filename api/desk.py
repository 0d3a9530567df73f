"""The desk at which every dialect asks the bus: on behalf of the caller, and no more than the caller may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from flask import request

from api.callers import Caller, caller
from api.errors import Refused
from api.http import idempotency_key_from, job_id_from
from core.errors import BusError, InvalidRequest, JobNotFound
from core.jobs import ALL, Job, State, Summary
from core.retries import OF_ONE_JOB
from core.secrets import MASK, UNKNOWN, masked, secrets_in
from core.submission import body_hash

if TYPE_CHECKING:
    from core.jobs import Json, LogEntry, Page, Query
    from core.kernel import Kernel
    from core.secrets import Schema
    from core.submission import Submission

_S = TypeVar("_S", bound=Summary)
_KEY = "Idempotency-Key"
_MOST_ON_A_PAGE = 1_000
#: Why one job among many is left as it is.
_OF_ONE_JOB = (*OF_ONE_JOB, Refused)


class Desk:
    """Submit, look up, list, cancel and retry as the caller of the request that is being answered."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._bus = kernel.bus

    def submit(self, submission: Submission) -> Job:
        """Store a job and return it, or the one that the same idempotency key made before.

        The header Idempotency-Key counts as the submission's own. Raises as `Bus.submit`, and Refused.
        """
        signed = self._signed(_with_header(submission))
        return self._veiled(self._bus.submit(signed, patience=self._kernel.patience))

    def submit_many(self, submissions: Sequence[Submission]) -> list[Job]:
        """Store all of the jobs or none; raises as `submit`. Each has an idempotency key of its own."""
        _refuse_header("Give each of the jobs an idempotency_key of its own.")
        _refuse_contradictions(submissions)
        signed = [self._signed(one) for one in submissions]
        return [self._veiled(job) for job in self._bus.submit_many(signed, patience=self._kernel.patience)]

    def get(self, given: Json) -> Job:
        """Return the job, its secrets hidden. Raises Refused, JobNotFound, JobExpired or RecordDamaged."""
        return self._veiled(self._seen(self._bus.get(job_id_from(given))))

    def peek(self, given: Json) -> Summary:
        """Return the job without its params and result, which are not read; raises as `get`."""
        return self._seen(self._bus.peek(job_id_from(given)))

    def wait(self, given: Json, seconds: float) -> Summary:
        """Return the job as soon as it has ended, or as it stands after so many seconds; raises as `get`."""
        self.peek(given)
        return self._bus.wait(job_id_from(given), seconds)

    def find(self, query: Query) -> Page:
        """Return a page of the jobs that the caller may see, newest first."""
        return self._bus.find(_narrowed(query, caller()))

    def all(self, query: Query) -> Iterator[Summary]:
        """Yield every job that the query names, newest first, however many there are."""
        cursor = query.cursor
        while True:
            page = self.find(replace(query, cursor=cursor, limit=_MOST_ON_A_PAGE))
            yield from page.jobs
            if (cursor := page.next_cursor) is None:
                return

    def count(self) -> dict[State, int]:
        """Return how many of the jobs that the caller may see are in each state.

        Those of one owner are counted by their records, some ten thousand a second.
        """
        if not caller().own_jobs_only:
            return self._bus.count()
        own = Counter(job.state for job in self.all(ALL))
        return {state: own[state] for state in State}

    def logs(self, given: Json, *, offset: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return log entries of the job, oldest first; raises as `get`."""
        return self._bus.logs(self.peek(given).id, offset=offset, limit=limit)

    def cancel(self, given: Json, *, reason: str = "Cancelled on request.") -> Job:
        """Cancel a waiting job, or ask a running one to stop. Raises JobEnded, else as `get`."""
        return self._veiled(self._bus.cancel(self.peek(given).id, reason=reason))

    def retry(self, given: Json, *, params: Mapping[str, Json] | None = None) -> Job:
        """Run an ended job again, as a new one. Raises JobNotEnded, else as `get` and `submit`.

        With the same header Idempotency-Key a repeated retry is the same one.
        """
        old = self.peek(given)
        caller().refuse_action(old.action)
        if params is not None and MASK in secrets_in(params, self.schema(old.action)):
            hint = "Give the secret itself, or leave params out to use those of the job."
            raise InvalidRequest("params", f"hold {MASK} in the place of a secret.", hint=hint)
        key = _own(idempotency_key_from(request.headers.get(_KEY)))
        return self._veiled(self._bus.retry(old.id, params=params, key=key))

    def retry_many(self, job_ids: Sequence[str], *, once: bool) -> dict[str, Job | BusError]:
        """Run ended jobs again; return for each the new job, or why there is none. Raises as `submit`.

        With `once`, no job is run again that was run again so before.
        """
        _refuse_header("Retry one job at a time to name each retry.")
        refused: dict[str, Job | BusError] = {}
        for job_id in job_ids:
            try:
                caller().refuse_action(self.peek(job_id).action)
            except _OF_ONE_JOB as error:
                refused[job_id] = error
        allowed = [job_id for job_id in job_ids if job_id not in refused]
        outcomes = refused | self._bus.retry_many(allowed, once=once, patience=self._kernel.patience)
        found = {job_id: outcomes[job_id] for job_id in job_ids}
        return {job_id: self._veiled(one) if isinstance(one, Job) else one for job_id, one in found.items()}

    def cancel_many(self, job_ids: Sequence[str], *, reason: str) -> dict[str, Job | BusError]:
        """Cancel jobs; return each as it then stands, or why it cannot be cancelled."""
        outcomes: dict[str, Job | BusError] = {}
        for job_id in job_ids:
            try:
                outcomes[job_id] = self.cancel(job_id, reason=reason)
            except _OF_ONE_JOB as error:
                outcomes[job_id] = error
        return outcomes

    def schema(self, action: str) -> Schema | None:
        """Return what tells the secrets of an action by their types; when it is gone, anything may be one."""
        try:
            return self._kernel.registry.resolve(action).secrets
        except BusError:
            return UNKNOWN

    def _veiled(self, job: Job) -> Job:
        """Return the job as it may be shown: without the secrets among its params."""
        shown = masked(job.params, self.schema(job.action))
        return job if shown == job.params else replace(job, params=shown)

    def _signed(self, submission: Submission) -> Submission:
        """Return the submission in the caller's name: keys of two callers are two keys."""
        who, key = caller(), submission.idempotency_key
        who.refuse_action(submission.action)
        return replace(submission, labels={**submission.labels, **who.labels}, idempotency_key=_own(key))

    def _seen(self, job: _S) -> _S:
        if not caller().may_see(job.labels):
            raise JobNotFound(job.id)
        return job


def _narrowed(query: Query, who: Caller) -> Query:
    return replace(query, labels={**query.labels, **who.labels}) if who.own_jobs_only else query


def _own(key: str | None) -> str | None:
    """Return the key as the caller's own: neither another caller nor the bus itself has one like it."""
    name = caller().name
    return f"{name}//{key}" if key is not None and (name or "/" in key) else key


def _refuse_header(hint: str) -> None:
    if _KEY in request.headers:
        raise Refused("conflicting_fields", f"The header {_KEY} cannot name several jobs.", hint=hint)


def _refuse_contradictions(submissions: Sequence[Submission]) -> None:
    """Raise InvalidRequest when two of the jobs bear one key and ask for different things."""
    first: dict[str, tuple[int, str]] = {}
    for number, one in enumerate(submissions):
        if one.idempotency_key is None:
            continue
        known, asked = first.setdefault(one.idempotency_key, (number, body_hash(one)))
        if known != number and asked != body_hash(one):
            message = f"is that of jobs[{known}] too, which asks for something else."
            raise InvalidRequest(f"jobs[{number}].idempotency_key", message, code="conflicting_fields")


def _with_header(submission: Submission) -> Submission:
    """Return the submission with the key of the header, which must not contradict its own."""
    header, own = request.headers.get(_KEY), submission.idempotency_key
    if header is None:
        return submission
    if own is not None and own != header:
        message = f"The header {_KEY} and the field idempotency_key differ."
        raise Refused("conflicting_fields", message, hint="Send one of them.")
    return replace(submission, idempotency_key=idempotency_key_from(header))
