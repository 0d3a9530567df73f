"""Whether a job is one of those that a query asks for. Pure."""

from __future__ import annotations

from core.jobs import Query, Summary


def matches(job: Summary, query: Query) -> bool:
    """Return whether the job passes every filter of the query; cursor and limit are no filters."""
    return (
        (query.states is None or job.state in query.states)
        and (query.action is None or job.action == query.action)
        and (query.queue is None or job.queue == query.queue)
        and (query.batch is None or job.batch == query.batch)
        and query.labels.items() <= job.labels.items()
        and (query.since is None or job.submitted_at >= query.since)
    )
