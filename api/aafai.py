"""The aafai dialect: /inbound, /outbound, /queues, /purge."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import aafai_doc
from api.aafai_polls import polled
from api.aafai_views import full_view, gone_view, light_view, summary_view
from api.desk import Desk
from api.errors import Refused, status_of
from api.http import (
    allow_only,
    answer,
    batch_from,
    job_id_from,
    query_number,
    query_value,
    read_object,
    viewed,
)
from api.openapi import documented
from core.admission import with_batch
from core.errors import InvalidRequest, JobExpired, JobNotFound, RecordDamaged
from core.jobs import Json, Query, State, Summary
from core.submission import Submission, submission_from

if TYPE_CHECKING:
    from api.places import Places
    from core.kernel import Kernel

LONGEST_WAIT = 25  # seconds

_LONGEST_LIST = 100
_DAY = 86_400.0
_MOST_DAYS = 36_500
_LISTS: Mapping[str, frozenset[State]] = {
    "inbound": frozenset({State.QUEUED}),
    "processing": frozenset({State.RUNNING}),
    "outbound": frozenset({State.SUCCEEDED, State.CANCELLED}),
    "failed": frozenset({State.FAILED}),
}


def aafai_blueprint(kernel: Kernel, *, places: Places) -> Blueprint:
    """Return the dialect's routes; a request that holds its answer back takes one of the places."""
    dialect = Aafai(kernel, places)
    blueprint = Blueprint("aafai", __name__)
    blueprint.add_url_rule("/inbound", view_func=dialect.inbound, methods=["POST"])
    blueprint.add_url_rule("/outbound", view_func=dialect.outbound, methods=["GET"])
    blueprint.add_url_rule("/outbound", view_func=dialect.outbound_many, methods=["POST"])
    blueprint.add_url_rule("/queues", view_func=dialect.queues, methods=["GET"])
    blueprint.add_url_rule("/purge", view_func=dialect.purge, methods=["POST"])
    return blueprint


class Aafai:
    """Answer in the words of the aafai-bus clients."""

    def __init__(self, kernel: Kernel, places: Places) -> None:
        self._kernel = kernel
        self._desk = Desk(kernel)
        self._places = places

    @documented(aafai_doc.INBOUND)
    def inbound(self) -> Response:
        """Take in one job, or many at once."""
        document = read_object(aafai_doc.INBOUND_EXAMPLE)
        now = self._kernel.clock.now()
        if "jobs" in document:
            return self._inbound_many(document, now)
        job = self._desk.submit(submission_from(document, now=now))
        return answer({"status": "received", "job_id": job.id})

    @documented(aafai_doc.OUTBOUND)
    def outbound(self) -> Response:
        """Tell how a job stands, with its result once it is complete."""
        given = query_value("job_id")
        if given is None:
            hint = "GET /outbound?job_id=<the job_id that POST /inbound answered>"
            raise Refused("missing_field", "Job ID is required", hint=hint)
        job_id = job_id_from(given)
        seconds = query_number("wait", most=LONGEST_WAIT)
        try:
            job = self._awaited(job_id, seconds)
            response = viewed(job.version, lambda: self._view(job))
        except (JobNotFound, JobExpired, RecordDamaged) as error:
            return answer(gone_view(error, job_id), status_of(error))
        if job.state.ended and request.method == "GET":
            self._kernel.deliveries.read(job_id)
        return response

    @documented(aafai_doc.OUTBOUND_MANY)
    def outbound_many(self) -> Response:
        """Tell how each of several jobs stands."""
        return answer(polled(self._kernel, self._desk, read_object(aafai_doc.POLL_EXAMPLE)))

    @documented(aafai_doc.QUEUES)
    def queues(self) -> Response:
        """List the newest jobs by where they stand."""
        counted = self._desk.count()
        lists: dict[str, Json] = {}
        for name, states in _LISTS.items():
            lists[name] = [
                summary_view(job) for job in self._desk.find(Query(states=states, limit=_LONGEST_LIST)).jobs
            ]
        counts = {name: sum(counted[state] for state in states) for name, states in _LISTS.items()}
        return answer({**lists, "consumed": [], "counts": {**counts, "consumed": 0}})

    @documented(aafai_doc.PURGE)
    def purge(self) -> Response:
        """Remove jobs that ended some days ago."""
        document = read_object(aafai_doc.PURGE_EXAMPLE)
        allow_only(document, "days")
        days = _days(document)
        removed = self._kernel.bus.purge(self._kernel.clock.now() - days * _DAY)
        jobs = "1 job" if removed == 1 else f"{removed:,} jobs"
        return answer({"status": "ok", "message": f"Removed {jobs} that ended more than {days:g} days ago."})

    def _inbound_many(self, document: Mapping[str, Json], now: float) -> Response:
        allow_only(document, "jobs", "batch")
        if not isinstance(document["jobs"], list):
            raise InvalidRequest("jobs", "must be a list of submissions.", code="wrong_type")
        members = [_member(number, given, now) for number, given in enumerate(document["jobs"])]
        batch = _batch(document, members)
        stored = self._desk.submit_many(with_batch(members, batch))
        return answer({"status": "received", "job_ids": [job.id for job in stored], "batch": batch})

    def _awaited(self, job_id: str, seconds: float) -> Summary:
        with self._places.taken(wanted=seconds > 0) as may_wait:
            return self._desk.wait(job_id, seconds) if may_wait else self._desk.peek(job_id)

    def _view(self, job: Summary) -> Json:
        return full_view(self._desk.get(job.id)) if job.state is State.SUCCEEDED else light_view(job)


def _member(number: int, given: Json, now: float) -> Submission:
    try:
        return submission_from(given, now=now)
    except InvalidRequest as error:
        raise error.within(f"jobs[{number}]") from None


def _batch(document: Mapping[str, Json], members: list[Submission]) -> str:
    """Return the batch that was named, checked as in a single submission, or a name for it.

    Repeated submissions with idempotency keys must be the same to the byte, so their batch follows from them.
    """
    if document.get("batch") is not None:
        return batch_from(document["batch"])
    if not any(member.idempotency_key for member in members):
        return uuid.uuid4().hex
    return hashlib.sha256(json.dumps(document["jobs"], sort_keys=True).encode()).hexdigest()[:32]


def _days(document: Mapping[str, Json]) -> float:
    days = document.get("days")
    if days is None:
        raise InvalidRequest(
            "days", "is missing.", hint=f"Try {aafai_doc.PURGE_EXAMPLE}", code="missing_field"
        )
    if isinstance(days, bool) or not isinstance(days, int | float):
        raise InvalidRequest("days", "must be a number.", code="wrong_type")
    if not 0 <= days <= _MOST_DAYS:
        raise InvalidRequest("days", f"must be from 0 to {_MOST_DAYS:,}.", code="out_of_range")
    return float(days)
