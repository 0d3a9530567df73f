"""The Task Executor dialect: /api/v1/tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import executor_doc
from api.desk import Desk
from api.details import tell_details
from api.executor_asks import TASK_EXAMPLE, Asking, in_words_of_tasks
from api.executor_lists import page_of, wanted
from api.executor_logs import LEVEL_WORDS, MOST_ENTRIES, log_of
from api.executor_stats import Statistics
from api.executor_views import task_view
from api.http import answer, query_choice, query_whole, read_object, version_with_worker, viewed
from api.openapi import documented
from core.errors import InvalidParams

if TYPE_CHECKING:
    from core.jobs import Json
    from core.kernel import Kernel

_USUAL_ENTRIES = 100
_DEEPEST = 10**9
#: Seconds for which the answer to a cancellation waits for the task's process to be gone.
_CANCEL_WAIT = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskDefaults:
    """What holds for tasks that do not say."""

    #: The action that runs them.
    action: str = "solve_problem"
    #: How many steps they may take.
    max_steps: int = 30


def executor_blueprint(kernel: Kernel, defaults: TaskDefaults) -> Blueprint:
    """Return the dialect's routes for tasks."""
    dialect = Executor(kernel, Asking(kernel.registry, defaults.action, defaults.max_steps))
    blueprint = Blueprint("executor", __name__, url_prefix="/api/v1/tasks")
    tell_details(blueprint, executor_doc.SAYINGS)
    blueprint.add_url_rule("", view_func=dialect.create, methods=["POST"])
    blueprint.add_url_rule("", view_func=dialect.tasks, methods=["GET"])
    blueprint.add_url_rule("/stats", view_func=dialect.stats, methods=["GET"])
    blueprint.add_url_rule("/<task_id>", view_func=dialect.task, methods=["GET"])
    blueprint.add_url_rule("/<task_id>/logs", view_func=dialect.logs, methods=["GET"])
    # Apart, because here its clients expect a 400 for a task that is not there.
    cancelling = Blueprint("cancelling", __name__)
    tell_details(cancelling, executor_doc.CANCEL_SAYINGS)
    for method in ("PUT", "POST"):
        endpoint = f"cancel_by_{method.lower()}"
        cancelling.add_url_rule("/<task_id>/cancel", endpoint, dialect.cancel, methods=[method])
    blueprint.register_blueprint(cancelling)
    return blueprint


class Executor:
    """Answer in the words of the Task Executor's clients: every job is a task."""

    def __init__(self, kernel: Kernel, asking: Asking) -> None:
        self._kernel = kernel
        self._asking = asking
        self._desk = Desk(kernel)
        self._statistics = Statistics(self._desk, kernel.bus, kernel.clock)

    @documented(executor_doc.CREATE)
    def create(self) -> Response:
        """Take in a task."""
        document = read_object(TASK_EXAMPLE)
        submission = self._asking.submission(document, now=self._kernel.clock.now())
        try:
            job = self._desk.submit(submission)
        except InvalidParams as error:
            raise in_words_of_tasks(error) from None
        return answer(task_view(job), 201, {"Location": f"/api/v1/tasks/{job.id}"})

    @documented(executor_doc.TASKS)
    def tasks(self) -> Response:
        """List tasks, page by page."""
        return answer(page_of(self._desk, self._kernel.bus, wanted()))

    @documented(executor_doc.STATS)
    def stats(self) -> Response:
        """Tell what all tasks have come to."""
        return answer(self._statistics.told())

    @documented(executor_doc.TASK)
    def task(self, task_id: str) -> Response:
        """Tell how a task stands, with its result once it is completed."""
        job = self._desk.peek(task_id)
        return viewed(version_with_worker(job), lambda: self._told(task_id))

    @documented(executor_doc.LOGS)
    def logs(self, task_id: str) -> Response:
        """Give the log of a task, oldest entry first."""
        level = query_choice("level", LEVEL_WORDS)
        offset = query_whole("offset", most=_DEEPEST, default=0)
        limit = query_whole("limit", least=1, most=MOST_ENTRIES, default=_USUAL_ENTRIES)
        return answer(log_of(self._desk, task_id, level=level and level.lower(), offset=offset, limit=limit))

    @documented(executor_doc.CANCEL)
    def cancel(self, task_id: str) -> Response:
        """Cancel a waiting task, or ask a running one to stop and wait a moment for that."""
        job = self._desk.cancel(task_id)
        if not job.state.ended:
            self._desk.wait(job.id, _CANCEL_WAIT)
        return answer(self._told(job.id))

    def _told(self, task_id: str) -> Json:
        job = self._desk.get(task_id)
        if job.state.ended and request.method == "GET":
            self._kernel.deliveries.read(job.id)
        return task_view(job)
