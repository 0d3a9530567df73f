"""The Task Executor dialect about its workers: /api/v1/workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import workers_doc
from api.callers import caller
from api.details import tell_details
from api.errors import Refused
from api.http import allow_only, answer, query_choice, query_value, query_whole, read_object
from api.openapi import documented
from api.workers_views import STATUSES, Worker, control_view, internal_of, stats_view, worker_view, workers_of
from core.errors import InvalidRequest
from core.event_bus import KERNEL
from core.submission import whole_number

if TYPE_CHECKING:
    from core.jobs import Json
    from core.kernel import Kernel

#: How many workers the default queue may have.
MOST_WORKERS = 50


def workers_blueprint(kernel: Kernel) -> Blueprint:
    """Return the routes by which workers are watched and told how many they are to be."""
    dialect = Workers(kernel)
    blueprint = Blueprint("workers", __name__, url_prefix="/api/v1/workers")
    tell_details(blueprint, workers_doc.SAYINGS)
    blueprint.add_url_rule("", view_func=dialect.workers, methods=["GET"])
    blueprint.add_url_rule("/<worker_id>", view_func=dialect.worker, methods=["GET"])
    blueprint.add_url_rule("/<worker_id>/stats", view_func=dialect.stats, methods=["GET"])
    blueprint.add_url_rule("/internal/status", view_func=dialect.status, methods=["GET"])
    blueprint.add_url_rule("/internal/scale", view_func=dialect.scale, methods=["POST"])
    blueprint.add_url_rule("/internal/stop", view_func=dialect.stop, methods=["POST"])
    blueprint.add_url_rule("/internal/start", view_func=dialect.start, methods=["POST"])
    return blueprint


class Workers:
    """Answer for the slots of the pool in the words of the Task Executor's clients."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._pool = kernel.pool

    @documented(workers_doc.WORKERS)
    def workers(self) -> Response:
        """List every worker that works here, or has done so."""
        status = query_choice("status", STATUSES)
        known = [worker for worker in self._workers() if status in (None, worker.status)]
        return answer({"workers": [self._view(worker) for worker in known], "total": len(known)})

    @documented(workers_doc.WORKER)
    def worker(self, worker_id: str) -> Response:
        """Tell what a worker does."""
        return answer(self._view(self._worker(worker_id)))

    @documented(workers_doc.STATS)
    def stats(self, worker_id: str) -> Response:
        """Tell what a worker has done."""
        return answer(stats_view(self._worker(worker_id), boottime=self._kernel.clock.boottime()))

    @documented(workers_doc.STATUS)
    def status(self) -> Response:
        """Tell whether the workers of the default queue run, and which they are."""
        return answer(control_view(self._pool))

    @documented(workers_doc.SCALE)
    def scale(self) -> Response:
        """Set how many workers serve the default queue; start the workers if they were stopped."""
        number = _number()
        former = self._pool.scale(number)
        self._pool.start()
        self._say("scaled")
        return answer({"previous_workers": former, "current_workers": number, "status": "scaled"})

    @documented(workers_doc.STOP)
    def stop(self) -> Response:
        """Let all workers go as soon as their jobs have ended."""
        self._pool.stop()
        self._say("stopped")
        return answer({"status": "stopped", "message": "All internal workers stopped"})

    @documented(workers_doc.START)
    def start(self) -> Response:
        """Start the workers, as many as there were before they were stopped."""
        self._pool.start()
        self._say("started")
        return answer({"status": "started", "workers": len(internal_of(self._pool))})

    def _workers(self) -> list[Worker]:
        return workers_of(self._pool)

    def _worker(self, worker_id: str) -> Worker:
        found = next((worker for worker in self._workers() if worker.id == worker_id), None)
        if found is None:
            raise Refused("unknown_worker", f"There is no worker {worker_id!r}.")
        return found

    def _view(self, worker: Worker) -> Json:
        return worker_view(worker, now=self._kernel.clock.now(), may_see=caller().may_see)

    def _say(self, status: str) -> None:
        told = {"status": status, "workers": len(internal_of(self._pool))}
        self._kernel.bus.events.publish("system.workers", KERNEL, told)


def _number() -> int:
    """Return how many workers there are to be, from the query or else from the body."""
    if query_value("num_workers") is not None:
        return query_whole("num_workers", most=MOST_WORKERS, default=0)
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    document = read_object(workers_doc.SCALE_EXAMPLE) if has_body else {}
    allow_only(document, "num_workers")
    if "num_workers" not in document:
        hint = "Send ?num_workers=5, or the body " + workers_doc.SCALE_EXAMPLE
        raise InvalidRequest("num_workers", "is missing.", hint=hint, code="missing_field")
    return whole_number("num_workers", document["num_workers"], 0, MOST_WORKERS)
