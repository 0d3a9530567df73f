"""The bus's own words: /api/jobs, where people and programs list, submit, look at, cancel and retry jobs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import jobs_doc
from api.desk import Desk
from api.feeds import Audience, fed
from api.http import (
    allow_only,
    allow_only_query,
    answer,
    query_choice,
    query_number,
    query_value,
    query_whole,
    read_object,
    read_optional_object,
    version_with_worker,
    viewed,
)
from api.jobs_bulk import cancelled, retried
from api.jobs_logs import LogFeed, at_least
from api.jobs_query import query_of_request
from api.jobs_views import SUMMARY, WHOLE, entry_view, full_view, summary_view
from api.openapi import documented
from core.context import LEVELS
from core.errors import InvalidRequest
from core.jobs import Job, Json, State, Summary
from core.submission import submission_from

if TYPE_CHECKING:
    from api.events_ring import EventRing
    from api.places import Places
    from core.kernel import Kernel

LONGEST_WAIT = 25  # seconds
MOST_FOLLOWERS = 64
MOST_ENTRIES = 10_000

_EVERY_FIELD = (*SUMMARY, *WHOLE)
_REASON = "Cancelled on request."
_LINES, _EVENTS = "application/x-ndjson", "text/event-stream"


def jobs_blueprint(kernel: Kernel, ring: EventRing, *, places: Places) -> Blueprint:
    """Return the routes of jobs; a request that holds its answer back takes one of the places."""
    jobs = Jobs(kernel, ring, places)
    blueprint = Blueprint("jobs", __name__)
    for rule, view, method in (
        ("", jobs.find, "GET"),
        ("", jobs.submit, "POST"),
        ("/retry", jobs.retry_many, "POST"),
        ("/cancel", jobs.cancel_many, "POST"),
        ("/<job_id>", jobs.one, "GET"),
        ("/<job_id>/retry", jobs.retry, "POST"),
        ("/<job_id>/cancel", jobs.cancel, "POST"),
        ("/<job_id>/logs", jobs.logs, "GET"),
    ):
        blueprint.add_url_rule(f"/api/jobs{rule}", view_func=view, methods=[method])
    return blueprint


class Jobs:
    """Answer in the bus's own words."""

    def __init__(self, kernel: Kernel, ring: EventRing, places: Places) -> None:
        self._kernel = kernel
        self._ring = ring
        self._places = places
        self._desk = Desk(kernel)
        self._followers = Audience(MOST_FOLLOWERS, places)

    @documented(jobs_doc.FIND)
    def find(self) -> Response:
        """List jobs, newest first."""
        page = self._desk.find(query_of_request(self._kernel.clock.now()))
        return answer({"jobs": [summary_view(job) for job in page.jobs], "next_cursor": page.next_cursor})

    @documented(jobs_doc.SUBMIT)
    def submit(self) -> Response:
        """Take in one job."""
        document = read_object(jobs_doc.SUBMIT_EXAMPLE)
        return created(self._desk.submit(submission_from(document, now=self._kernel.clock.now())))

    @documented(jobs_doc.ONE)
    def one(self, job_id: str) -> Response:
        """Tell all of a job, or the fields that were asked for."""
        allow_only_query("fields", "wait")
        fields = _fields()
        seconds = query_number("wait", most=LONGEST_WAIT)
        with self._places.taken(wanted=seconds > 0) as may_wait:
            job = self._desk.wait(job_id, seconds) if may_wait else self._desk.peek(job_id)
        response = viewed(version_with_worker(job), lambda: self._view(job, fields))
        tells_outcome = job.state.ended and ("result" in fields or job.state is not State.SUCCEEDED)
        if tells_outcome and request.method == "GET":
            self._kernel.deliveries.read(job.id)
        return response

    @documented(jobs_doc.CANCEL)
    def cancel(self, job_id: str) -> Response:
        """Cancel a waiting job, or ask a running one to stop."""
        document = read_optional_object(jobs_doc.CANCEL_EXAMPLE)
        allow_only(document, "reason")
        return answer(summary_view(self._desk.cancel(job_id, reason=_reason(document))))

    @documented(jobs_doc.RETRY)
    def retry(self, job_id: str) -> Response:
        """Run an ended job again, as a new one."""
        document = read_optional_object(jobs_doc.RETRY_EXAMPLE)
        allow_only(document, "params")
        return created(self._desk.retry(job_id, params=_params(document)))

    @documented(jobs_doc.RETRY_MANY)
    def retry_many(self) -> Response:
        """Run ended jobs again."""
        document = read_object(jobs_doc.RETRY_MANY_EXAMPLE)
        return answer(retried(self._desk, document, now=self._kernel.clock.now()))

    @documented(jobs_doc.CANCEL_MANY)
    def cancel_many(self) -> Response:
        """Cancel jobs."""
        document = read_object(jobs_doc.CANCEL_MANY_EXAMPLE)
        reason = _reason(document)
        return answer(cancelled(self._desk, document, now=self._kernel.clock.now(), reason=reason))

    @documented(jobs_doc.LOGS)
    def logs(self, job_id: str) -> Response:
        """Tell what a job said; if so asked, go on with what it says until it has ended."""
        allow_only_query("offset", "limit", "level", "follow")
        levels = at_least(query_choice("level", LEVELS))
        offset = query_whole("offset", most=10**9, default=0)
        limit = query_whole("limit", least=1, most=MOST_ENTRIES, default=0)
        follows = query_choice("follow", ("true", "false")) == "true"
        job = self._desk.peek(job_id)
        if follows:
            return self._followed(job.id, offset, limit, levels)
        entries = self._desk.logs(job.id, offset=offset, limit=limit or 1_000)
        shown = [entry_view(one, offset + at) for at, one in enumerate(entries) if one.level in levels]
        told = {"entries": shown, "next_offset": offset + len(entries), "state": job.state.value}
        return answer(told)

    def _view(self, job: Summary, fields: Collection[str]) -> Json:
        if any(name in WHOLE for name in fields):
            return full_view(self._desk.get(job.id), fields)
        return summary_view(job, fields)

    def _followed(self, job_id: str, offset: int, limit: int, levels: frozenset[str]) -> Response:
        as_events = request.accept_mimetypes.best_match([_LINES, _EVENTS]) == _EVENTS
        feed = LogFeed(
            job_id,
            self._kernel.bus,
            self._ring,
            self._kernel.clock,
            offset=_last_id() if as_events and "Last-Event-ID" in request.headers else offset,
            most=limit or None,
            levels=levels,
            as_events=as_events,
            leave=self._followers.seat(),
        )
        response = Response(mimetype=_EVENTS if as_events else _LINES, headers={"X-Accel-Buffering": "no"})
        return fed(response, feed, self._kernel.clock)


def created(job: Job) -> Response:
    """Answer with a job that was just submitted, and where to ask for it."""
    return answer(summary_view(job), 201, {"Location": f"/api/jobs/{job.id}"})


def _fields() -> tuple[str, ...]:
    """Return the names of the fields that were asked for, all without any."""
    given = query_value("fields")
    if given is None:
        return _EVERY_FIELD
    names = tuple(given.split(","))
    unknown = next((name for name in names if name not in _EVERY_FIELD), None)
    if unknown is not None:
        known = ", ".join(_EVERY_FIELD)
        raise InvalidRequest("fields", f"{unknown!r} is none.", hint=f"Known: {known}.", code="out_of_range")
    return names


def _params(document: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """Return edited params, None for those of the old job. Raises InvalidRequest."""
    given = document.get("params")
    return None if given is None else submission_from({"action": "", "params": given}, now=0.0).params


def _reason(document: Mapping[str, Json]) -> str:
    reason = document.get("reason")
    if reason is None:
        return _REASON
    if not isinstance(reason, str):
        raise InvalidRequest("reason", "must be a string.", code="wrong_type")
    if not re.fullmatch(jobs_doc.REASON_PATTERN, reason):
        message = "must be 1 to 500 characters, none of them a control character."
        raise InvalidRequest("reason", message, code="out_of_range")
    return reason


def _last_id() -> int:
    """Return the offset at which a client goes on that followed a log before."""
    given = request.headers.get("Last-Event-ID", "")
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise InvalidRequest("Last-Event-ID", "must be the id of an entry's event.", code="wrong_type")
    return int(given)
