"""The engine that keeps its jobs in this process: for tests and trials; nothing survives it."""

from __future__ import annotations

import bisect
import heapq
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

from core import lifecycle
from core.errors import (
    Conflict,
    EngineUnavailable,
    IdempotencyConflict,
    JobExpired,
    JobNotFound,
    QueueFull,
    Unsupported,
)
from core.jobs import ALL, Job, LogEntry, Page, Query, State, Summary
from queues.aging import AGING, rank
from queues.matching import matches
from queues.record import summary_of

#: Seconds that an idempotency key outlives its submission at least, whatever became of the job.
KEY_KEPT = 24 * 3600.0


class MemoryEngine:
    """Keep jobs in a dict under one lock. A claim is a lease: a worker whose lease has run out is gone."""

    name = "memory"
    supports_priority = True
    supports_run_after = True
    supports_idempotency = True

    def __init__(self, *, max_pending: int = 1_000_000, aging: float = AGING) -> None:
        self._max_pending = max_pending
        self._aging = aging
        self._lock = threading.RLock()
        self._closed = False
        self._jobs: dict[str, Job] = {}
        self._ids: list[str] = []  # sorted, for listing
        self._ready: dict[tuple[str, int], list[str]] = defaultdict(
            list
        )  # a heap for each queue and priority
        self._deferred: list[tuple[float, str]] = []  # a heap; entries that have become untrue are skipped
        self._keys: dict[str, Job] = {}  # as submitted
        self._expired: set[str] = set()
        self._counts: Counter[tuple[State, str]] = Counter()
        self._logs: dict[str, list[LogEntry]] = defaultdict(list)

    def add(self, job: Job) -> Job:
        """Store the job, or return the one that was stored before it."""
        return self.add_many([job])[0]

    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all of the jobs or none."""
        with self._lock:
            self._be_open()
            fresh: dict[str, Job] = {}
            answers = [self._known(job, fresh) or fresh.setdefault(job.id, job) for job in jobs]
            if self._pending() + len(fresh) > self._max_pending:
                raise QueueFull(f"{self._max_pending} jobs wait already.", hint="Try again later.")
            for job in fresh.values():
                self._insert(job)
            return answers

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        """Take the job that goes first."""
        with self._lock:
            self._be_open()
            self._promote(now)
            job_id = self._first(queues, now)
            return None if job_id is None else self._take(job_id, worker, now=now, lease=lease)

    def claim_one(self, job_id: str, worker: str, *, now: float, lease: float) -> Job | None:
        """Take that job if it is queued."""
        with self._lock:
            self._be_open()
            job = self._jobs.get(job_id)
            if job is None or job.state is not State.QUEUED:
                return None
            return self._take(job_id, worker, now=now, lease=lease)

    def swap(self, old: Job, new: Job) -> None:
        """Replace `old` by `new` if nobody was quicker."""
        with self._lock:
            stored = self.get(old.id)
            if stored.version != old.version or stored.state.ended:
                raise Conflict(old.id)
            if old.state is State.QUEUED and not new.state.ended:
                raise Unsupported("A waiting job can only be claimed or ended.")
            self._replace(new)

    def lifeline(self, job: Job) -> int | None:
        """Return None: leases tell who is alive."""
        del job
        return None

    def abandoned(self, now: float) -> list[Job]:
        """Return the running jobs whose lease has run out."""
        with self._lock:
            self._be_open()
            running = [job for job in self._jobs.values() if job.state is State.RUNNING]
            return [job for job in running if job.lease_until is None or job.lease_until <= now]

    def next_due(self) -> float | None:
        """Return when the next deferred job becomes due."""
        with self._lock:
            while self._deferred and not self._is_deferred(*self._deferred[0]):
                heapq.heappop(self._deferred)
            return self._deferred[0][0] if self._deferred else None

    def deferred(self) -> int:
        """Return how many queued jobs wait for their `run_after`."""
        with self._lock:
            return len({entry for entry in self._deferred if self._is_deferred(*entry)})

    def get(self, job_id: str) -> Job:
        """Return the whole job."""
        with self._lock:
            self._be_open()
            if job_id in self._jobs:
                return self._jobs[job_id]
            raise JobExpired(job_id) if job_id in self._expired else JobNotFound(job_id)

    def peek(self, job_id: str) -> Summary:
        """Return the job's summary."""
        return summary_of(self.get(job_id))

    def find(self, query: Query) -> Page:
        """Return a page of summaries, newest first."""
        with self._lock:
            self._be_open()
            end = len(self._ids) if query.cursor is None else bisect.bisect_left(self._ids, query.cursor)
            older = (self._jobs[job_id] for job_id in reversed(self._ids[:end]))
            found = list(islice((job for job in older if matches(job, query)), query.limit + 1))
        shown = tuple(summary_of(job) for job in found[: query.limit])
        return Page(jobs=shown, next_cursor=shown[-1].id if len(found) > query.limit else None)

    def count(self, query: Query = ALL) -> dict[State, int]:
        """Return how many jobs are in each state."""
        with self._lock:
            self._be_open()
            totals = dict.fromkeys(State, 0)
            for (state, queue), number in self._counts.items():
                if query.queue in {None, queue} and (query.states is None or state in query.states):
                    totals[state] += number
            return totals

    def purge(self, before: float, *, limit: int = 500) -> int:
        """Remove jobs that ended before that time."""
        with self._lock:
            self._be_open()
            ended = (job for job in self._jobs.values() if job.ended_at is not None and job.ended_at < before)
            chosen = list(islice(ended, limit))
            for job in chosen:
                self._forget(job)
            self._drop_keys(before - KEY_KEPT)
            return len(chosen)

    def log(self, job_id: str, entries: Iterable[LogEntry]) -> None:
        """Append to the job's log."""
        with self._lock:
            self._be_open()
            self._logs[job_id].extend(entries)

    def logs(self, job_id: str, *, offset: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return a part of the job's log, oldest first."""
        with self._lock:
            self.get(job_id)
            return self._logs.get(job_id, [])[offset : offset + limit]

    def upkeep(self, now: float) -> bool:
        """Make due jobs claimable."""
        with self._lock:
            self._be_open()
            return self._promote(now)

    def check(self) -> list[str]:
        """Warn that nothing is kept."""
        self._be_open()
        return [
            "Jobs are kept in memory and end with this process: use a file: engine for anything that matters."
        ]

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    def _be_open(self) -> None:
        if self._closed:
            raise EngineUnavailable("The engine is closed.")

    def _known(self, job: Job, fresh: dict[str, Job]) -> Job | None:
        """Return what stands for a submission that was made before, in this batch perhaps."""
        if job.id in self._expired:
            return job
        if job.id in self._jobs:
            return self._jobs[job.id]
        if job.idempotency_key is None:
            return None
        same_key = (new for new in fresh.values() if new.idempotency_key == job.idempotency_key)
        first = self._keys.get(job.idempotency_key) or next(same_key, None)
        if first is not None and first.body_hash != job.body_hash:
            raise IdempotencyConflict(first.id)
        return None if first is None else self._jobs.get(first.id, first)

    def _pending(self) -> int:
        return self.count()[State.QUEUED]

    def _insert(self, job: Job) -> None:
        bisect.insort(self._ids, job.id)
        if job.idempotency_key is not None:
            self._keys[job.idempotency_key] = job
        self._replace(job)

    def _replace(self, job: Job) -> None:
        before = self._jobs.get(job.id)
        if before is not None:
            self._counts[before.state, before.queue] -= 1
        self._counts[job.state, job.queue] += 1
        self._jobs[job.id] = job
        if job.state is State.QUEUED and job.run_after is not None:
            heapq.heappush(self._deferred, (job.run_after, job.id))
        elif job.state is State.QUEUED:
            heapq.heappush(self._ready[job.queue, job.priority], job.id)

    def _is_deferred(self, due: float, job_id: str) -> bool:
        job = self._jobs.get(job_id)
        return job is not None and job.state is State.QUEUED and job.run_after == due

    def _promote(self, now: float) -> bool:
        promoted = False
        while self._deferred and self._deferred[0][0] <= now:
            due, job_id = heapq.heappop(self._deferred)
            if self._is_deferred(due, job_id):
                job = self._jobs[job_id]
                heapq.heappush(self._ready[job.queue, job.priority], job_id)
                promoted = True
        return promoted

    def _first(self, queues: Sequence[str], now: float) -> str | None:
        heads = [(level, self._head(level, now)) for level in list(self._ready) if level[0] in queues]
        ranked = [
            (-rank(job_id, level[1], now=now, aging=self._aging), job_id) for level, job_id in heads if job_id
        ]
        return min(ranked)[1] if ranked else None

    def _head(self, level: tuple[str, int], now: float) -> str | None:
        """Return the oldest id that truly waits there; others may have left by other ways than the heap."""
        heap = self._ready[level]
        while heap and not self._waits(heap[0], level, now):
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _waits(self, job_id: str, level: tuple[str, int], now: float) -> bool:
        job = self._jobs.get(job_id)
        if job is None or job.state is not State.QUEUED:
            return False
        return (job.queue, job.priority) == level and (job.run_after is None or job.run_after <= now)

    def _take(self, job_id: str, worker: str, *, now: float, lease: float) -> Job:
        job = lifecycle.claimed(self._jobs[job_id], worker=worker, now=now, lease=lease)
        self._replace(job)
        return job

    def _forget(self, job: Job) -> None:
        del self._jobs[job.id]
        del self._ids[bisect.bisect_left(self._ids, job.id)]
        self._counts[job.state, job.queue] -= 1
        self._logs.pop(job.id, None)
        self._expired.add(job.id)

    def _drop_keys(self, before: float) -> None:
        stale = [
            key for key, job in self._keys.items() if job.id not in self._jobs and job.submitted_at < before
        ]
        for key in stale:
            del self._keys[key]
