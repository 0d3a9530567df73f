"""The nouns: a job, its state, its errors, its progress, and what people ask about jobs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: A JSON value: None, bool, int, float, str, or lists and string-keyed dicts of JSON values.
Json = Any

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 5
LOWEST_PRIORITY, HIGHEST_PRIORITY = 0, 9


class State(StrEnum):
    """Where a job stands. Deferred and retrying jobs are `queued`; a job being cancelled is `running`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the state is final: an ended job never changes again."""
        return self in ENDED


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobError:
    """Why an attempt did not succeed."""

    #: For programs: `timeout`, `cancelled`, `lost`, `action_error`, `bad_result`, … (docs/http.md lists all).
    code: str
    #: For people: one sentence.
    message: str
    #: The attempt that ended with it, counted from 1.
    attempt: int = 0
    #: When, in Unix seconds.
    at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a running attempt has come, in its own words."""

    #: Share of the work done, 0.0 to 1.0; None when the action cannot tell.
    fraction: float | None = None
    message: str = ""
    #: When it was said, in Unix seconds.
    at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A job as lists show it: everything but its params and its result."""

    #: UUIDv7 in lower case: sorts by time of submission.
    id: str
    #: Name of the action that runs it.
    action: str
    queue: str = DEFAULT_QUEUE
    #: 0 to 9; the higher number goes first.
    priority: int = DEFAULT_PRIORITY
    state: State = State.QUEUED
    #: Rises with every saved change: compare-and-swap token, fence and ETag in one.
    version: int = 1
    #: Claims so far, the current one included; 0 before the first.
    attempt: int = 0
    max_attempts: int = 3
    #: Seconds that one attempt may take; None for no limit.
    timeout: float | None = None
    #: Unix seconds, as all times below.
    submitted_at: float = 0.0
    #: Not to be claimed before this time.
    run_after: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    #: Who holds the current attempt, or held the last one.
    worker: str | None = None
    #: When the claim expires, where the engine works with leases.
    lease_until: float | None = None
    #: Somebody asked a running job to stop; it is still `running` until its process is gone.
    cancel_requested: bool = False
    #: Who asked for the cancellation, and why.
    cancel_reason: str | None = None
    progress: Progress | None = None
    #: Why the job failed, or why its last attempt did.
    error: JobError | None = None
    #: The batch it was submitted in.
    batch: str | None = None
    #: What dialects and clients remember beside a job, by name.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The ended job that this one runs again.
    retried_from: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job(Summary):
    """A whole job: its summary, what it was asked, what it answered, and what went wrong on the way."""

    #: What the action is called with.
    params: Mapping[str, Json] = field(default_factory=dict)
    #: What the action answered; None until the job succeeded.
    result: Json = None
    #: One for each attempt that did not succeed, oldest first.
    errors: tuple[JobError, ...] = ()
    #: Scope and key under which a repeated submission is the same job.
    idempotency_key: str | None = None
    #: SHA-256 (hex) of what was asked: tells a repeated submission from a reused key.
    body_hash: str | None = None
    #: Who is told when the job ends.
    callback_url: str | None = None
    #: Fields of the record that this version of the bus does not know; kept through every rewrite.
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One line of a job's log."""

    #: Unix seconds.
    at: float
    #: `debug`, `info`, `warning` or `error`.
    level: str
    message: str
    #: Who said it: `bus`, `action`, `stdout` or `stderr`.
    source: str = "action"


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which jobs to list. Every field narrows; the empty query means all jobs."""

    states: frozenset[State] | None = None
    action: str | None = None
    queue: str | None = None
    batch: str | None = None
    #: Labels that a job must bear, by name.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Jobs submitted at or after this time, in Unix seconds.
    since: float | None = None
    #: `Page.next_cursor` of the page before.
    cursor: str | None = None
    #: Jobs on a page, 1 to 1,000.
    limit: int = 50


ALL = Query()


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a listing, newest first."""

    jobs: tuple[Summary, ...] = ()
    #: Hand it in as `Query.cursor` for the next page; None on the last one.
    next_cursor: str | None = None
