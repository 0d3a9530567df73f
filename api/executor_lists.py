"""Lists of tasks by pages with numbers: which tasks stand on a page, and how many there are in all."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api.callers import caller
from api.executor_views import STATES, light_view, problem_of, status_of, task_view, updated_at
from api.http import query_choice, query_value, query_whole
from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import Json, Query, State, Summary

if TYPE_CHECKING:
    from api.desk import Desk
    from core.bus import Bus

LARGEST_PAGE = 100
LAST_PAGE = 1_000_000
#: Characters of results on one page.
MOST_RESULTS = 16 * 2**20

_USUAL_PAGE = 20
_AT_ONCE = 1_000
_ONLY_RECORDS_TELL = {"failed", "timeout"}
_NEWEST_FIRST = "-created_at"
_KEYS: Mapping[str, Callable[[Summary], float | str | None]] = {
    "created_at": lambda job: job.submitted_at,
    "updated_at": updated_at,
    "started_at": lambda job: job.started_at,
    "completed_at": lambda job: job.ended_at,
    "priority": lambda job: job.priority,
    "status": status_of,
    "problem_id": problem_of,
}
#: What a list may be sorted by; with a hyphen the greatest comes first.
SORTS = tuple(sign + name for name in _KEYS for sign in ("-", ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which tasks a list is to show."""

    status: str | None
    problem_id: str | None
    worker_id: str | None
    sort: str
    page: int
    page_size: int

    @property
    def query(self) -> Query:
        """What the engine can narrow by itself, without reading records."""
        return Query(states=STATES[self.status] if self.status else None)

    @property
    def first(self) -> int:
        """How many tasks come before the page."""
        return (self.page - 1) * self.page_size

    @property
    def counted_by_engine(self) -> bool:
        """Whether the engine's counts and order suffice, so that only the page must be read."""
        filtered = self.problem_id or self.worker_id or self.status in _ONLY_RECORDS_TELL
        return not filtered and self.sort == _NEWEST_FIRST and not caller().own_jobs_only

    def fits(self, job: Summary) -> bool:
        """Return whether the list shows the task on one of its pages."""
        return (
            self.status in (None, status_of(job))
            and self.problem_id in (None, problem_of(job))
            and self.worker_id in (None, job.worker)
        )


def wanted() -> Wanted:
    """Return what the query of the request asks for. Raises InvalidRequest."""
    return Wanted(
        status=query_choice("status", STATES),
        problem_id=query_value("problem_id"),
        worker_id=query_value("worker_id"),
        sort=query_choice("sort", SORTS) or _NEWEST_FIRST,
        page=query_whole("page", least=1, most=LAST_PAGE, default=1),
        page_size=query_whole("page_size", least=1, most=LARGEST_PAGE, default=_USUAL_PAGE),
    )


def page_of(desk: Desk, bus: Bus, asked: Wanted) -> dict[str, Json]:
    """Return one page, and how many tasks there are on all of them.

    A filter other than by state, or another order, reads the record of every task in those states.
    """
    if asked.counted_by_engine:
        total = sum(bus.count(asked.query).values())
        job_ids = _newest(desk, asked)
    else:
        total, job_ids = _sorted(desk, asked)
    tasks = list(_told(desk, job_ids))
    return {"tasks": tasks, "total": total, "page": asked.page, "page_size": asked.page_size}


def _newest(desk: Desk, asked: Wanted) -> list[str]:
    """Return the ids of the tasks on the page, newest first; what comes after it is not read."""
    job_ids: list[str] = []
    before, cursor = asked.first, None
    while len(job_ids) < asked.page_size:
        limit = min(_AT_ONCE, before + asked.page_size - len(job_ids))
        page = desk.find(replace(asked.query, cursor=cursor, limit=limit))
        job_ids += [job.id for job in page.jobs[before:]]
        before, cursor = max(0, before - len(page.jobs)), page.next_cursor
        if cursor is None:
            break
    return job_ids


def _sorted(desk: Desk, asked: Wanted) -> tuple[int, list[str]]:
    """Return how many tasks fit, and the ids of those on the page. Of each task no more than that is kept."""
    places = _Counted(_place(job, asked.sort) for job in desk.all(asked.query) if asked.fits(job))
    pick = heapq.nlargest if asked.sort.startswith("-") else heapq.nsmallest
    chosen = pick(asked.first + asked.page_size, places)
    return places.number, [job_id for *_, job_id in chosen[asked.first :]]


def _place(job: Summary, sort: str) -> tuple[bool, float | str, str]:
    """Return what puts the task into its order: tasks without a value come as the smallest, then by age."""
    value = _KEYS[sort.removeprefix("-")](job)
    return value is not None, value or 0, job.id


class _Counted:
    """Counts what passes through."""

    def __init__(self, places: Iterator[tuple[bool, float | str, str]]) -> None:
        self._places = places
        self.number = 0

    def __iter__(self) -> Iterator[tuple[bool, float | str, str]]:
        for place in self._places:
            self.number += 1
            yield place


def _told(desk: Desk, job_ids: list[str]) -> Iterator[Json]:
    """Yield each task, whole as long as there is room for results. Some may have gone in the meantime."""
    room = MOST_RESULTS
    for job_id in job_ids:
        try:
            job = desk.peek(job_id)
            whole = desk.get(job_id) if room >= 0 or job.state is not State.SUCCEEDED else None
        except (JobNotFound, JobExpired, RecordDamaged):
            continue
        if whole is not None and whole.state is State.SUCCEEDED:
            room -= len(json.dumps(whole.result, ensure_ascii=False))
            whole = whole if room >= 0 else None
        yield light_view(job) if whole is None else task_view(whole)
