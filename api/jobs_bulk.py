"""What is done with many jobs at once: cancel them, or run them again. By ids, or by what they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from api.http import allow_only, job_id_from
from api.jobs_query import FILTERS, MOST_JOBS, query_from
from api.jobs_views import refusal_view
from core.errors import BusError, InvalidRequest
from core.jobs import ENDED, Job, Json, State

if TYPE_CHECKING:
    from api.desk import Desk


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The jobs that a request means, at most 1,000."""

    job_ids: Sequence[str]
    #: Whether they were found by filters.
    is_found: bool = False
    #: Whether there are more that the filters name.
    more: bool = False


def retried(desk: Desk, document: Mapping[str, Json], *, now: float) -> dict[str, Json]:
    """Run the ended jobs again that the document means, failed ones if it names no state.

    Those found by filters are run again once: the same request again finds the same jobs.
    """
    allow_only(document, "job_ids", *FILTERS)
    choice = _choice(desk, document, now, allowed=ENDED, usual=(State.FAILED,))
    outcomes = desk.retry_many(choice.job_ids, once=choice.is_found)
    pairs = [{"job_id": old, "new_job_id": new.id} for old, new in outcomes.items() if isinstance(new, Job)]
    return _told("retried", pairs, outcomes, choice)


def cancelled(desk: Desk, document: Mapping[str, Json], *, now: float, reason: str) -> dict[str, Json]:
    """Cancel the jobs that the document means, and that have not ended."""
    allow_only(document, "job_ids", *FILTERS, "reason")
    waiting = (State.QUEUED, State.RUNNING)
    choice = _choice(desk, document, now, allowed=waiting, usual=waiting)
    outcomes = desk.cancel_many(choice.job_ids, reason=reason)
    done = [
        {"job_id": job_id, "state": job.state.value, "cancel_requested": job.cancel_requested}
        for job_id, job in outcomes.items()
        if isinstance(job, Job)
    ]
    return _told("cancelled", done, outcomes, choice)


def _told(
    name: str, done: Sequence[Json], outcomes: Mapping[str, Job | BusError], choice: Choice
) -> dict[str, Json]:
    errors = [refusal_view(job_id, one) for job_id, one in outcomes.items() if isinstance(one, BusError)]
    return {name: done, "errors": errors, "more": choice.more}


def _choice(
    desk: Desk,
    document: Mapping[str, Json],
    now: float,
    *,
    allowed: Collection[State],
    usual: Collection[State],
) -> Choice:
    filters = {name: document[name] for name in FILTERS if name in document}
    if bool(filters) == ("job_ids" in document):
        code = "conflicting_fields" if filters else "missing_field"
        raise InvalidRequest("job_ids", "give either job_ids or filters, such as action.", code=code)
    if not filters:
        return Choice(job_ids=_ids(document["job_ids"]))
    query = query_from(filters, now=now, allowed=allowed, usual=usual)
    found = [job.id for job in islice(desk.all(query), MOST_JOBS + 1)]
    return Choice(job_ids=found[:MOST_JOBS], is_found=True, more=len(found) > MOST_JOBS)


def _ids(given: Json) -> list[str]:
    """Return the ids, each once."""
    if not isinstance(given, list):
        raise InvalidRequest("job_ids", "must be a list of job ids.", code="wrong_type")
    if not 1 <= len(given) <= MOST_JOBS:
        raise InvalidRequest("job_ids", f"must hold 1 to {MOST_JOBS:,} job ids.", code="bad_batch_size")
    ids = [job_id_from(one, field=f"job_ids[{number}]") for number, one in enumerate(given)]
    return list(dict.fromkeys(ids))
