"""Submitting: a job is acknowledged when its record and the record's name are on the disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from core.errors import IdempotencyConflict, JobExpired, JobNotFound, QueueFull, RecordDamaged
from core.jobs import Job, State
from queues.file.keys import Keys
from queues.file.novelty import Novelty
from queues.file.publishing import Publishing
from queues.file.records import Draft, Records
from queues.file.room import Room
from queues.file.site import Site
from queues.file.tally import Tally
from queues.file.tombstones import Tombstones
from queues.file.whereabouts import Whereabouts


class Submits:
    """Store new jobs, once for each id and each idempotency key."""

    def __init__(
        self,
        site: Site,
        *,
        records: Records,
        publishing: Publishing,
        whereabouts: Whereabouts,
        tombstones: Tombstones,
        keys: Keys,
        room: Room,
        tally: Tally,
        max_pending: int,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._records = records
        self._publishing = publishing
        self._whereabouts = whereabouts
        self._tombstones = tombstones
        self._keys = keys
        self._room = room
        self._tally = tally
        self._max_pending = max_pending
        self._novelty = Novelty(site.clock.now())
        self._counting = threading.Lock()
        self._pending = max_pending  # at least as many as wait, as far as this object knows

    def add(self, job: Job) -> Job:
        """Store one job durably, or return the one that was stored before it."""
        stored = self._known(job)
        if stored is not None:
            return stored
        self._admit([job])
        if job.idempotency_key is None:
            self._publishing.publish_new(self._records.draft_waiting(job))
        elif not self._publish_keyed(job):
            return self._first_or_mended(job)
        return job

    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all of the jobs or none, with one flush."""
        with self._keys.held(jobs, alone=True):
            plan = _Plan({}, {})
            answers = [self._planned(job, plan) for job in jobs]
            if plan.fresh:
                self._add_fresh(list(plan.fresh.values()))
            return answers

    def _add_fresh(self, jobs: list[Job]) -> None:
        self._admit(jobs)
        with ExitStack() as undo:
            drafts = [self._draft(job, undo) for job in jobs]
            for draft in drafts:
                if draft.job.idempotency_key is not None:
                    self._keys.relink(draft)
            self._publishing.publish(drafts)
            undo.pop_all()

    def _draft(self, job: Job, undo: ExitStack) -> Draft:
        """Write a draft, which is removed again unless all goes well."""
        draft = self._records.write_waiting(job)
        undo.callback(self._site.discard, draft.path)
        return draft

    def _admit(self, jobs: Sequence[Job]) -> None:
        """Raise InvalidRequest, DiskFull or QueueFull before anything is written.

        Jobs are counted on the disk only when the limit seems near.
        """
        for job in jobs:
            self._site.layout.queue(job.queue)  # refuses a name that cannot be a folder's
        self._room.admit()
        with self._counting:
            wanted = self._pending + len(jobs)
            if wanted > self._max_pending:
                wanted = self._tally.count()[State.QUEUED] + len(jobs)
            if wanted > self._max_pending:
                raise QueueFull(f"{self._max_pending} jobs wait already.", hint="Try again later.")
            self._pending = wanted

    def _known(self, job: Job) -> Job | None:
        if stored := self._known_by_id(job):
            return stored
        if job.idempotency_key is not None and self._keys.exists(job.idempotency_key):
            return self._first_or_mended(job)
        return None

    def _known_by_id(self, job: Job) -> Job | None:
        if self._novelty.is_new(job.id):
            return None
        if self._whereabouts.look(job.id) is not None:
            return self._stored(job)
        return job if self._tombstones.has(job.id) else None

    def _stored(self, first: Job) -> Job | None:
        """Return what became of a job, or itself if its record is gone; None if it was never stored."""
        try:
            return self._whereabouts.read(first.id, whole_result=True)
        except (JobExpired, RecordDamaged):
            return first
        except JobNotFound:
            return None

    def _publish_keyed(self, job: Job) -> bool:
        """Publish a job under its key; return False when the key was used before."""
        with ExitStack() as undo, self._keys.held([job]):
            draft = self._draft(job, undo)
            if not self._keys.link(draft):
                return False
            self._publishing.publish([draft])
            undo.pop_all()
            return True

    def _first_or_mended(self, job: Job) -> Job:
        """Return the job of a used key; publish it if a crash came between its key and its record."""
        first = self._keys.first(job)
        if first is not None and (stored := self._stored(first)):
            return stored
        with self._keys.held([job], alone=True):
            first = self._keys.first(job)
            if first is not None and (stored := self._stored(first)):
                return stored
            with ExitStack() as undo:
                draft = self._draft(first or job, undo)
                if first is None:
                    self._keys.relink(draft)
                self._publishing.publish([draft])
                undo.pop_all()
            return first or job

    def _planned(self, job: Job, plan: _Plan) -> Job:
        """Return the answer to one job of a batch, and plan the job if it is new.

        A job that a crash left with its key alone joins the batch. Raises IdempotencyConflict.
        """
        if stored := self._known_by_id(job):
            return stored
        if job.idempotency_key is None:
            return plan.fresh.setdefault(job.id, job)
        first = plan.keyed.get(job.idempotency_key) or self._keys.first(job)
        if first is None:
            first = job
        elif first.body_hash != job.body_hash:
            raise IdempotencyConflict(first.id)
        elif first.id not in plan.fresh and (stored := self._stored(first)):
            return stored
        plan.keyed[job.idempotency_key] = first
        return plan.fresh.setdefault(first.id, first)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The jobs of a batch that must be stored, by id, and those among them that have a key, by key."""

    fresh: dict[str, Job]
    keyed: dict[str, Job]
