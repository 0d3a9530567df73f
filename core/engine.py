"""The seams: what an engine (stores jobs) and a courier (carries job ids to workers) must do.

An engine is a store with a fair claim. It holds no retry policy, reads no clock, writes no log lines and
counts no metrics: all that is the kernel's. One contract suite (tests/contract) runs against every engine,
and there is no behaviour of an engine that the suite does not know of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from core.jobs import ALL, Job, LogEntry, Page, Query, State, Summary


class Engine(Protocol):
    """Store jobs durably and hand each to one worker at a time. All methods may be called from any thread.

    Every method may raise `EngineUnavailable` when the store does not answer.
    """

    #: For people: what /health and the log call it.
    name: str
    #: What the bus refuses at the door when it is False.
    supports_priority: bool
    supports_run_after: bool
    supports_idempotency: bool

    def add(self, job: Job) -> Job:
        """Store a queued job; it is durable when this returns.

        A job already stored under the same id, or under the same idempotency key with the same
        `body_hash`, is returned in its place, whatever became of it (an expired one as it was submitted).
        Raises IdempotencyConflict when the key belongs to another body, DiskFull, OutcomeUnknown.
        """
        ...

    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all of the jobs or none, with the cost of one; else as `add`, answers in the same order."""
        ...

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        """Take the job that is due: of the given queues the highest priority first, then the oldest.

        The claim is durable, counted as an attempt, and never given to two workers. None when nothing is due.
        """
        ...

    def claim_one(self, job_id: str, worker: str, *, now: float, lease: float) -> Job | None:
        """Take that job if it is queued (due or not); None when it is not."""
        ...

    def swap(self, old: Job, new: Job) -> None:
        """Replace `old` by `new`; durable when this returns if the state changes or the job ends.

        Raises Conflict when the stored version is no longer `old.version`, or when `old` is running and its
        claim has passed to another; JobNotFound when the job is gone.
        """
        ...

    def lifeline(self, job: Job) -> int | None:
        """Return the descriptor that a process of the attempt must hold to count as alive; None without one.

        Only for a job claimed through this engine object, until its next swap out of `running`.
        """
        ...

    def abandoned(self, now: float) -> list[Job]:
        """Return the running jobs whose worker is gone, each held for the `swap` that follows."""
        ...

    def next_due(self) -> float | None:
        """Return the earliest `run_after` of the deferred jobs; None when none is deferred."""
        ...

    def deferred(self) -> int:
        """Return how many queued jobs wait for their `run_after`."""
        ...

    def get(self, job_id: str) -> Job:
        """Return the whole job. Raises JobNotFound (never known), JobExpired (purged) or RecordDamaged."""
        ...

    def peek(self, job_id: str) -> Summary:
        """Return the job's summary without reading its result; raises as `get`."""
        ...

    def find(self, query: Query) -> Page:
        """Return summaries, newest first, params and results not loaded.

        A page may hold fewer jobs than asked for, none even, and still have a cursor.
        """
        ...

    def count(self, query: Query = ALL) -> dict[State, int]:
        """Return how many jobs are in each state (every state has a key); only states and queue narrow it."""
        ...

    def purge(self, before: float, *, limit: int = 500) -> int:
        """Remove up to `limit` jobs that ended before a time in Unix seconds and return how many.

        Leaves tombstones, so that `get` says JobExpired. Jobs that have not ended are never touched.
        """
        ...

    def log(self, job_id: str, entries: Iterable[LogEntry]) -> None:
        """Append to the job's log. Survives a crash of the bus; need not survive a power cut."""
        ...

    def logs(self, job_id: str, *, offset: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return up to `limit` log entries from the `offset`-th on, oldest first; raises as `get`."""
        ...

    def upkeep(self, now: float) -> bool:
        """Do what is needed about once a second; return whether new work may have become claimable.

        Raises EngineInDoubt when the store must be opened anew before anything else can be done.
        """
        ...

    def check(self) -> list[str]:
        """Return warnings in plain words; raises EngineUnavailable when jobs cannot be stored."""
        ...

    def close(self) -> None:
        """Let go of everything held. Jobs still claimed through this object count as abandoned afterwards."""
        ...


class Courier(Protocol):
    """Carry job ids to workers. Owns delivery, never truth: a lost id is sent again by the janitor."""

    def send(self, job: Job) -> None:
        """Announce that the job may be claimed."""
        ...

    def serve(self, queues: Sequence[str]) -> None:
        """Receive ids and perform them until told to stop."""
        ...
