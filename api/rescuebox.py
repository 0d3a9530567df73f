"""The RescueBox dialect: for each service its discovery, and for each of its tasks a request and a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import rescuebox_doc
from api.desk import Desk
from api.errors import Refused, refusal_of
from api.http import answer, job_id_from, read_object, viewed
from api.openapi import Operation, documented
from api.rescuebox_body import params_of
from api.rescuebox_views import result_view, routes_view, status_view, text_view
from core.errors import BusError, InvalidParams, JobNotFound, Problem
from core.jobs import Json, State, Summary
from core.submission import Submission

if TYPE_CHECKING:
    from api.ml_service import MLService, Task
    from api.places import Places
    from core.kernel import Kernel

#: How long a request for a task that is not asynchronous waits for its job, in seconds.
LONGEST_WAIT = 25


def rescuebox_blueprint(kernel: Kernel, services: Sequence[MLService], *, places: Places) -> Blueprint:
    """Return the dialect's routes for these services; a request that waits for its job takes a place."""
    dialect = RescueBox(kernel, places)
    blueprint = Blueprint("rescuebox", __name__)
    blueprint.register_error_handler(BusError, told)
    _add(blueprint, "/probes/liveness/", dialect.liveness, rescuebox_doc.LIVENESS, endpoint="liveness")
    for service in services:
        _add_service(blueprint, service)
        for task in service.tasks.values():
            _add_task(blueprint, dialect, task)
    return blueprint


class RescueBox:
    """Answer in the words of the RescueBox clients, every text in both shapes that they read."""

    def __init__(self, kernel: Kernel, places: Places) -> None:
        self._kernel = kernel
        self._desk = Desk(kernel)
        self._places = places

    def liveness(self) -> Response:
        """Say that the server is there."""
        return answer({"message": "RescueBox API"})

    def run(self, task: Task) -> Response:
        """Take in a job; answer with its id, or at once with its result when the task is not asynchronous."""
        _refuse_without_packages(task)
        body = read_object(rescuebox_doc.example_of(task))
        submission = Submission(action=task.action, params=params_of(task.form, body))
        try:
            job: Summary = self._desk.submit(submission)
        except InvalidParams as error:
            raise _in_words_of(task, error) from None
        if not task.is_async:
            job = self._awaited(job)
            if job.state.ended:
                return answer(self._told(job))
        return answer(text_view("task_id", job.id), 202)

    def result(self, task: Task, task_id: str) -> Response:
        """Tell how a job stands, with the result once it succeeded."""
        job = self._desk.peek(job_id_from(task_id, field="task_id"))
        if job.action != task.action:
            raise JobNotFound(job.id)
        return viewed(job.version, lambda: self._told(job))

    def _awaited(self, job: Summary) -> Summary:
        """Return the job once it has ended, or as it stands when there is no time or no place to wait."""
        with self._places.taken() as may_wait:
            return self._desk.wait(job.id, LONGEST_WAIT) if may_wait else job

    def _told(self, job: Summary) -> Json:
        if job.state.ended and request.method != "HEAD":
            self._kernel.deliveries.read(job.id)
        return result_view(self._desk.get(job.id)) if job.state is State.SUCCEEDED else status_view(job)


def told(error: BusError) -> Response:
    """Answer an error as a text with the title `error`, and what the bus knows of it beside."""
    refusal = refusal_of(error)
    beside = {name: value for name, value in refusal.body.items() if name not in {"status", "message"}}
    body = {**text_view("error", error.message), "detail": error.message, **beside}
    saying = rescuebox_doc.SAYINGS.get(error.code)
    return answer(body, saying.status if saying else refusal.status, refusal.headers)


def _add(
    blueprint: Blueprint,
    rule: str,
    view: Callable[..., Response],
    operation: Operation,
    *,
    endpoint: str = "",
    method: str = "GET",
) -> None:
    # A view of its own for each route, so that each has a description of its own.
    own = documented(operation)(partial(view))
    name = endpoint or rule.removesuffix("/<task_id>").strip("/").replace("/", ":")
    blueprint.add_url_rule(rule, name, own, methods=[method])


def _add_service(blueprint: Blueprint, service: MLService) -> None:
    routes = partial(answer, routes_view(service))
    metadata = partial(answer, asdict(service.app_metadata))
    _add(blueprint, f"/{service.name}/api/routes", routes, rescuebox_doc.routes_of(service))
    _add(blueprint, f"/{service.name}/api/app_metadata", metadata, rescuebox_doc.metadata_of(service))


def _add_task(blueprint: Blueprint, dialect: RescueBox, task: Task) -> None:
    run, result = partial(dialect.run, task), partial(dialect.result, task)
    form = partial(answer, task.form.json)
    _add(blueprint, task.run_task, run, rescuebox_doc.run_of(task), method="POST")
    _add(blueprint, task.result, result, rescuebox_doc.result_of(task))
    _add(blueprint, task.task_schema, form, rescuebox_doc.form_of(task))


def _refuse_without_packages(task: Task) -> None:
    missing = [package for package in task.packages if find_spec(package) is None]
    if missing:
        raise Refused(
            "unsupported", f"This bus lacks what it needs: {', '.join(missing)}.", hint=task.install
        )


def _in_words_of(task: Task, error: InvalidParams) -> InvalidParams:
    """Return the error with the fields named as in the request."""
    inputs = {field.key for field in task.form.inputs}

    def named(field: str) -> str:
        key = field.removeprefix("params.").partition(".")[0].partition("[")[0]
        return field.replace("params.", "inputs." if key in inputs else "parameters.", 1)

    problems = [Problem(named(known.field), known.message) for known in error.problems]
    return InvalidParams(error.action, problems)
