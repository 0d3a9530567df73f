"""POST /outbound: how each of several jobs stands, in one answer that stays of bearable size."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from api.aafai_views import full_view, gone_view, light_view, next_poll_seconds
from api.errors import Refused
from api.http import allow_only, batch_from, job_id_from
from core.errors import BusError, InvalidRequest, JobExpired, JobNotFound, RecordDamaged
from core.jobs import Json, Query, State, Summary

if TYPE_CHECKING:
    from api.desk import Desk
    from core.kernel import Kernel

MOST_JOBS = 1_000
#: Characters of results in one answer; Apps Script reads 50 MB.
MOST_RESULTS = 16 * 2**20

_MOST_PAGES = 5  # of the engine, each of which may hold few jobs of the batch

#: A job, or why there is none to be read under that id.
Found = Summary | tuple[str, BusError]


def polled(kernel: Kernel, desk: Desk, document: Mapping[str, Json]) -> dict[str, Json]:
    """Return how the jobs stand that the document asks for, by ids or by batch, and when to ask again."""
    allow_only(document, "job_ids", "batch", "fields", "cursor")
    views = _Views(kernel, desk, light=_wants_light(document))
    found, cursor = _found(desk, document)
    jobs = [views.of(one) for one in found]
    summaries = [one for one in found if isinstance(one, Summary)]
    answered: dict[str, Json] = {
        "jobs": jobs,
        "counts": dict(Counter(job["status"] for job in jobs)),
        "next_poll_seconds": next_poll_seconds(summaries, now=kernel.clock.now()),
    }
    return answered if cursor is None else {**answered, "next_cursor": cursor}


class _Views:
    """Turn jobs into views until there is no room for further results."""

    def __init__(self, kernel: Kernel, desk: Desk, *, light: bool) -> None:
        self._kernel = kernel
        self._desk = desk
        self._room = MOST_RESULTS
        self._light = light

    def of(self, found: Found) -> dict[str, Json]:
        if isinstance(found, tuple):
            return gone_view(found[1], found[0])
        try:
            view = self._with_result(found) if found.state is State.SUCCEEDED else light_view(found)
        except (JobNotFound, JobExpired, RecordDamaged) as error:
            return gone_view(error, found.id)
        if found.state.ended and (found.state is not State.SUCCEEDED or "result" in view):
            self._kernel.deliveries.read(found.id)
        return view

    def _with_result(self, job: Summary) -> dict[str, Json]:
        if self._light:
            return light_view(job)
        if self._room > 0:
            view = full_view(self._desk.get(job.id))
            self._room -= len(json.dumps(view["result"], ensure_ascii=False))
            if self._room >= 0:
                return view
        return {**light_view(job), "result_left_out": True}


def _found(desk: Desk, document: Mapping[str, Json]) -> tuple[Sequence[Found], str | None]:
    if ("job_ids" in document) == ("batch" in document):
        code = "conflicting_fields" if "batch" in document else "missing_field"
        raise InvalidRequest("job_ids", "give either job_ids or batch.", code=code)
    if "batch" in document:
        return _of_batch(desk, _batch(document), document)
    if "cursor" in document:
        raise InvalidRequest("cursor", "goes with batch only.", code="conflicting_fields")
    return [_peeked(desk, job_id) for job_id in _ids(document["job_ids"])], None


def _of_batch(desk: Desk, batch: str, document: Mapping[str, Json]) -> tuple[list[Summary], str | None]:
    cursor = job_id_from(document["cursor"], field="cursor") if "cursor" in document else None
    jobs: list[Summary] = []
    for _ in range(_MOST_PAGES):
        page = desk.find(Query(batch=batch, cursor=cursor, limit=MOST_JOBS - len(jobs)))
        jobs += page.jobs
        cursor = page.next_cursor
        if cursor is None or len(jobs) >= MOST_JOBS:
            break
    if not jobs and cursor is None and "cursor" not in document:
        raise Refused("unknown_batch", f"No job of the batch {batch!r} is known.", hint="Check its name.")
    return jobs, cursor


def _peeked(desk: Desk, job_id: str) -> Found:
    try:
        return desk.peek(job_id)
    except (JobNotFound, JobExpired, RecordDamaged) as error:
        return job_id, error


def _ids(given: Json) -> list[str]:
    if not isinstance(given, list):
        raise InvalidRequest("job_ids", "must be a list of job ids.", code="wrong_type")
    if not 1 <= len(given) <= MOST_JOBS:
        raise InvalidRequest("job_ids", f"must hold 1 to {MOST_JOBS:,} job ids.", code="bad_batch_size")
    return [job_id_from(one, field=f"job_ids[{number}]") for number, one in enumerate(given)]


def _batch(document: Mapping[str, Json]) -> str:
    if document["batch"] is None:
        raise InvalidRequest("batch", "must be the name of a batch.", code="wrong_type")
    return batch_from(document["batch"])


def _wants_light(document: Mapping[str, Json]) -> bool:
    fields = document.get("fields")
    if fields not in (None, "status"):
        raise InvalidRequest(
            "fields", "must be 'status', or be left out for results too.", code="out_of_range"
        )
    return fields == "status"
