"""The Robotni dialect: /api/worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import robotni_doc
from api.desk import Desk
from api.details import tell_details
from api.http import allow_only, answer, query_given, query_whole, read_object, viewed
from api.openapi import documented
from api.robotni_views import STATUS, job_view, summary_view, types_view
from core.errors import InvalidRequest
from core.ids import JOB_ID
from core.jobs import Json, Query, State
from core.submission import Submission, submission_from

if TYPE_CHECKING:
    from core.kernel import Kernel

LONGEST_LIST = 1_000
_USUAL_LIST = 50


def robotni_blueprint(kernel: Kernel) -> Blueprint:
    """Return the dialect's routes."""
    dialect = Robotni(kernel)
    blueprint = Blueprint("robotni", __name__, url_prefix="/api/worker")
    tell_details(blueprint, robotni_doc.SAYINGS)
    blueprint.add_url_rule("/jobs", view_func=dialect.submit, methods=["POST"])
    blueprint.add_url_rule("/jobs", view_func=dialect.jobs, methods=["GET"])
    blueprint.add_url_rule("/jobs/<job_id>", view_func=dialect.job, methods=["GET"])
    blueprint.add_url_rule("/jobs/<job_id>", view_func=dialect.cancel, methods=["DELETE"])
    blueprint.add_url_rule("/status", view_func=dialect.status, methods=["GET"])
    blueprint.add_url_rule("/types", view_func=dialect.types, methods=["GET"])
    return blueprint


class Robotni:
    """Answer in the words of the Robotni clients: an action is a `type`, a success is `done`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._desk = Desk(kernel)

    @documented(robotni_doc.SUBMIT)
    def submit(self) -> Response:
        """Take in a job."""
        document = read_object(robotni_doc.SUBMIT_EXAMPLE)
        job = self._desk.submit(_submission(document, now=self._kernel.clock.now()))
        return answer({"job_id": job.id, "status": STATUS[job.state]})

    @documented(robotni_doc.JOBS)
    def jobs(self) -> Response:
        """List the newest jobs, page by page."""
        limit = query_whole("limit", least=1, most=LONGEST_LIST, default=_USUAL_LIST)
        page = self._desk.find(Query(limit=limit, cursor=_cursor()))
        return answer({"jobs": [summary_view(job) for job in page.jobs], "next_cursor": page.next_cursor})

    @documented(robotni_doc.JOB)
    def job(self, job_id: str) -> Response:
        """Tell how a job stands, with its result once it is done."""
        return viewed(self._desk.peek(job_id).version, lambda: self._told(job_id))

    @documented(robotni_doc.CANCEL)
    def cancel(self, job_id: str) -> Response:
        """Cancel a waiting job, or ask a running one to stop."""
        job = self._desk.cancel(job_id)
        return answer({"job_id": job.id, "status": STATUS[job.state]})

    @documented(robotni_doc.STATUS)
    def status(self) -> Response:
        """Tell how many jobs wait, and how many workers there are."""
        slots = Counter(slot.status for slot in self._kernel.pool.status())
        return answer(
            {
                "queue_depth": self._kernel.bus.count()[State.QUEUED],
                "active_workers": slots["idle"] + slots["busy"],
                "status": "stopping" if self._kernel.bus.gate.closed else "running",
            }
        )

    @documented(robotni_doc.TYPES)
    def types(self) -> Response:
        """Tell what there is to run, and with which params."""
        self._kernel.registry.load_found()  # Soon after the start some may not be imported yet.
        return answer(types_view(self._kernel.registry.actions))

    def _told(self, job_id: str) -> Json:
        job = self._desk.get(job_id)
        if job.state.ended and request.method == "GET":
            self._kernel.deliveries.read(job.id)
        return job_view(job)


def _submission(document: Mapping[str, Json], *, now: float) -> Submission:
    """Return the submission that a body describes. Raises InvalidRequest naming the bad field."""
    allow_only(document, "type", "params")
    hint = f"Try {robotni_doc.SUBMIT_EXAMPLE}"
    if "type" not in document:
        raise InvalidRequest("type", "is missing.", hint=hint, code="missing_field")
    if not isinstance(document["type"], str):
        raise InvalidRequest("type", "must be a string.", hint=hint, code="wrong_type")
    return submission_from({"action": document["type"], "params": document.get("params")}, now=now)


def _cursor() -> str | None:
    given = query_given("cursor")
    if given is None or JOB_ID.fullmatch(given.lower()):
        return given and given.lower()
    raise InvalidRequest("cursor", "is not the next_cursor of a page.")
