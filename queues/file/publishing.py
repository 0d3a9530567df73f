"""Drafts put in their places: the last step of every change of state, and the one that makes it true."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from core.errors import Conflict
from core.jobs import Job, State
from queues.file.deferred import Deferred
from queues.file.entries import Kind
from queues.file.journal import Journal
from queues.file.records import Draft, Records
from queues.file.room import Room
from queues.file.site import Site
from queues.file.waiting import Waiting


class Publishing:
    """Put records where they are found, each step written down in the journal first."""

    def __init__(
        self,
        site: Site,
        *,
        journal: Journal,
        records: Records,
        room: Room,
        waiting: Waiting,
        deferred: Deferred,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._journal = journal
        self._records = records
        self._room = room
        self._waiting = waiting
        self._deferred = deferred

    def publish_new(self, draft: Draft) -> None:
        """Write a new job's record and put it in its place, durably. Raises OutcomeUnknown."""
        try:
            self._journal.commit(
                Kind.STORED,
                [draft.record],
                job_id=draft.job.id,
                first=lambda: self._records.write(draft),
                then=lambda: self.move_waiting(draft.path, draft.job),
            )
        except BaseException:
            self._site.discard(draft.path)
            raise
        self.announce(draft.job)

    def publish(self, drafts: Sequence[Draft]) -> None:
        """Put written drafts of new jobs in their places, durably, all or none. Raises OutcomeUnknown."""
        records = [draft.record for draft in drafts]
        self._journal.commit(
            Kind.STORED, records, job_id=drafts[0].job.id, then=lambda: self._move_all(drafts)
        )
        for draft in drafts:
            self.announce(draft.job)

    def move_waiting(self, path: str, job: Job) -> None:
        """Move a queued job's record to its place, not yet durably."""
        self._site.folders.place(self._disk.rename, path, self._bucket(job), f"{job.id}.json")

    def announce(self, job: Job) -> None:
        """Let claims know of a job that was put in its place."""
        if job.run_after is not None:
            self._deferred.push(job.id, job.run_after)
        else:
            self._waiting.push(job.queue, job.priority, job.id)

    def requeue(self, path: str, job: Job) -> None:
        """Replace the record at `path` by that of the job, queued again, in its place, durably."""
        draft = self._room.lending(lambda: self._records.write_waiting(job))
        try:
            self._room.lending(
                lambda: self._journal.commit(
                    Kind.STORED, [draft.record], job_id=job.id, then=lambda: self.move_over(path, draft)
                )
            )
        finally:
            self._site.discard(draft.path)
        self.announce(job)

    def move_over(self, path: str, draft: Draft) -> None:
        """Replace a record by a draft of the same job and move it to its place, not yet durably.

        One name moves by renames only. A new name made before the old one is deleted would be claimed over
        the old one by another worker, and the deletion would then remove that worker's claim.
        """
        fd = self._disk.open(draft.path)
        try:
            self._disk.lock(fd)
            self._site.folders.place(self._disk.rename, draft.path, *os.path.split(path))
            self._room.lending(lambda: self.move_waiting(path, draft.job))
        finally:
            self._disk.close(fd)

    def end(self, job: Job) -> None:
        """Write the final record, durably and once. Raises Conflict when there is one, OutcomeUnknown."""
        if self._disk.is_file(self._layout.final(job.id)):
            raise Conflict(job.id)
        draft = self._room.lending(lambda: self._records.draft_final(job))
        self._room.lending(
            lambda: self._journal.commit(
                Kind.ENDED,
                [draft.record],
                job_id=job.id,
                first=lambda: self._records.write(draft),
                then=lambda: self._link_final(draft),
            )
        )
        self.show_failed(job)

    def show_failed(self, job: Job) -> None:
        """Give a failed job's record its second name, for people."""
        if job.state is State.FAILED:
            with contextlib.suppress(OSError):
                self._disk.link(self._layout.final(job.id), self._layout.failed(job.id))

    def clear_running(self, job_id: str) -> None:
        """Remove what an attempt leaves. It need not be durable, nor succeed: the final record counts."""
        with contextlib.suppress(OSError):
            self._disk.unlink(self._layout.running(job_id))
        self._clear(self._layout.cancel(job_id))
        self.clear_live(job_id)

    def clear_live(self, job_id: str) -> None:
        """Remove what an attempt has reported."""
        self._clear(self._layout.live_file(job_id))

    def _clear(self, path: str) -> None:
        if self._disk.exists(path):  # it costs less than to be told that it does not
            with contextlib.suppress(OSError):
                self._disk.unlink(path)

    def _bucket(self, job: Job) -> str:
        """Return the folder in which a queued job belongs."""
        if job.run_after is not None:
            return self._layout.scheduled(job.id)
        return self._layout.waiting(job.queue, job.priority, job.id)

    def _move_all(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.move_waiting(draft.path, draft.job)

    def _link_final(self, draft: Draft) -> None:
        place = self._layout.ended(draft.job.id), f"{draft.job.id}.json"
        try:
            self._room.lending(lambda: self._site.folders.place(self._disk.link, draft.path, *place))
        except FileExistsError:
            raise Conflict(draft.job.id) from None
        finally:
            self._site.discard(draft.path)
