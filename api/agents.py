"""The Agent Scheduler dialect: /api/scheduler, of which the executions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import agents_doc
from api.desk import Desk
from api.details import tell_details
from api.http import answer, iso, query_choice, query_value, query_whole, viewed
from api.openapi import documented
from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.event_bus import KERNEL
from core.executions import AGENT, SCHEDULED_TASK, STATUS, Execution, agent_of, execution_of
from core.jobs import Json, Query, State, Summary

if TYPE_CHECKING:
    from core.kernel import Kernel

LONGEST_LIST = 200
MOST_SKIPPED = 1_000_000
#: Characters of kwargs and results in one list.
MOST_TOLD = 16 * 2**20

_USUAL_LIST = 50
_MOST_ON_A_PAGE = 1_000  # of the engine
_STATES: Mapping[str, State] = {status: state for state, status in STATUS.items()}
_COLUMNS = tuple(field.name for field in fields(Execution))
_TIMES = ("started_at", "completed_at", "created_at", "updated_at")


def agents_blueprint(kernel: Kernel) -> Blueprint:
    """Return the dialect's routes."""
    dialect = Agents(kernel)
    blueprint = Blueprint("agents", __name__, url_prefix="/api/scheduler")
    tell_details(blueprint, agents_doc.SAYINGS)
    one = "/executions/<execution_id>"
    blueprint.add_url_rule("/executions", view_func=dialect.executions, methods=["GET"])
    blueprint.add_url_rule(one, view_func=dialect.execution, methods=["GET"])
    blueprint.add_url_rule(f"{one}/cancel", view_func=dialect.cancel, methods=["POST"])
    return blueprint


class Agents:
    """Answer in the words of the agents' scheduler: a job is the execution of a task."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._desk = Desk(kernel)

    @documented(agents_doc.EXECUTIONS)
    def executions(self) -> Response:
        """List executions, newest first."""
        limit = query_whole("limit", least=1, most=LONGEST_LIST, default=_USUAL_LIST)
        offset = query_whole("offset", most=MOST_SKIPPED, default=0)
        agent, end = query_value("agent_name"), offset + limit
        query = replace(_query(agent), limit=min(end, _MOST_ON_A_PAGE))
        shown = list(islice(self._newest(query, agent), offset, end))
        return viewed(_version_of(shown), lambda: list(self._rows(shown)))

    @documented(agents_doc.EXECUTION)
    def execution(self, execution_id: str) -> Response:
        """Tell how an execution stands, with its result once it succeeded."""
        return viewed(self._desk.peek(execution_id).version, lambda: self._told(execution_id))

    @documented(agents_doc.CANCEL)
    def cancel(self, execution_id: str) -> Response:
        """Cancel a waiting execution, or ask a running one to stop."""
        self._desk.cancel(execution_id)
        return answer({"message": "Execution cancelled successfully"})

    def _told(self, execution_id: str) -> Json:
        job = self._desk.get(execution_id)
        if job.state.ended and request.method == "GET":
            self._kernel.deliveries.read(job.id)
        return _row(execution_of(job))

    def _newest(self, query: Query, agent: str | None) -> Iterator[Summary]:
        """Yield the jobs that the query names and that run tasks of the agent, if one is named."""
        more = True
        while more:
            page = self._desk.find(query)
            yield from (job for job in page.jobs if agent in {None, agent_of(job)})
            query, more = replace(query, cursor=page.next_cursor), page.next_cursor is not None

    def _rows(self, shown: Sequence[Summary]) -> Iterator[dict[str, Json]]:
        """Yield a row for each that is still there; kwargs and results without room are left out."""
        room = MOST_TOLD
        for job in shown:
            try:
                row = _row(execution_of(self._desk.get(job.id)))
            except RecordDamaged as error:
                row = {**_row(execution_of(job)), "error": error.message}
            except (JobNotFound, JobExpired):
                continue
            room -= len(json.dumps([row["kwargs"], row["result"]], ensure_ascii=False))
            yield row if room >= 0 else {**row, "kwargs": {}, "result": None, "result_left_out": True}


def _query(agent: str | None) -> Query:
    """Return what the request asks for, as far as the engine can narrow it. Raises InvalidRequest."""
    status, task = query_choice("status", _STATES), query_value("task_id")
    named = {AGENT: None if agent == KERNEL else agent, SCHEDULED_TASK: task}
    return Query(
        states=frozenset({_STATES[status]}) if status else None,
        labels={name: value for name, value in named.items() if value is not None},
    )


def _row(execution: Execution) -> dict[str, Json]:
    row = {name: getattr(execution, name) for name in _COLUMNS}
    return row | {name: iso(row[name]) for name in _TIMES}


def _version_of(shown: Sequence[Summary]) -> int:
    """Return a number that changes with the list: which jobs it shows, and the version of each."""
    said = " ".join(f"{job.id}:{job.version}" for job in shown)
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8])
