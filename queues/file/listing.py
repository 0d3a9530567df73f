"""Lists of jobs, newest first: bucket by bucket, with the last id as the cursor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import ENDED, Job, Page, Query, State, Summary
from queues.file.layout import PRIORITIES, bucket_of, bucket_start, job_id_in, job_ids_in
from queues.file.site import Site
from queues.file.whereabouts import Whereabouts
from queues.matching import matches
from queues.record import summary_of

#: Records read for one page at most; the rest waits for the next one.
_READ_AT_MOST = 2_000
#: Seconds by which a bucket may begin before jobs in it were submitted.
_SLACK = 120.0
_AFTER_ALL = "g"


class Listing:
    """List jobs by what a query asks for. State and queue narrow what is read; all else is sifted."""

    def __init__(self, site: Site, whereabouts: Whereabouts) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._site = site
        self._whereabouts = whereabouts

    def find(self, query: Query) -> Page:
        """Return a page of summaries, perhaps fewer than asked for; the cursor tells whether more follow."""
        ids = self._ids(query)
        found: list[Summary] = []
        cursor = None
        for job_id in islice(ids, _READ_AT_MOST):
            job = self._read(job_id)
            if job is not None and matches(job, query):
                found.append(summary_of(job))
            if len(found) == query.limit:
                cursor = job_id
                break
            cursor = job_id
        more = next(ids, None) is not None
        return Page(jobs=tuple(found), next_cursor=cursor if more else None)

    def _ids(self, query: Query) -> Iterator[str]:
        """Yield the ids of the jobs in the wanted states that come after the cursor, newest first."""
        below = query.cursor or _AFTER_ALL
        oldest = query.since - _SLACK if query.since is not None else 0.0
        folders = self._folders(query)
        running = self._running() if _wants(query, State.RUNNING) else set()
        buckets = set(folders) | {bucket_of(job_id) for job_id in running}
        for bucket in sorted(buckets, reverse=True):
            if bucket > below or bucket_start(bucket) < oldest:
                continue
            names = [name for folder in folders.get(bucket, []) for name in self._disk.names(folder)]
            ids = set(job_ids_in(bucket, names))
            ids |= {job_id for job_id in running if job_id.startswith(bucket)}
            yield from sorted((job_id for job_id in ids if job_id < below), reverse=True)

    def _folders(self, query: Query) -> dict[str, list[str]]:
        """Return the folders of each bucket in which wanted jobs may lie."""
        tops = [self._layout.top("scheduled"), *self._levels(query)] if _wants(query, State.QUEUED) else []
        if any(_wants(query, state) for state in ENDED):
            tops.append(self._layout.top("outbound"))
        folders = defaultdict(list)
        for top in tops:
            for bucket in self._site.folders.buckets(top):
                folders[bucket].append(f"{top}/{bucket}")
        return folders

    def _levels(self, query: Query) -> list[str]:
        queues = self._whereabouts.learn_queues() if query.queue is None else [query.queue]
        return [self._layout.level(queue, priority) for queue in queues for priority in PRIORITIES]

    def _running(self) -> set[str]:
        return {
            job_id for name in self._disk.names(self._layout.top("running")) if (job_id := job_id_in(name))
        }

    def _read(self, job_id: str) -> Job | None:
        try:
            return self._whereabouts.read(job_id, whole_result=False)
        except (JobNotFound, JobExpired, RecordDamaged):
            return None  # it left, or is damaged, which asking for it by id tells


def _wants(query: Query, state: State) -> bool:
    return query.states is None or state in query.states
