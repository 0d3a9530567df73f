"""Drafts put in their places: the last step of every change of state, and the one that makes it true."""

from __future__ import annotations

import contextlib
import os

from core.errors import Conflict
from core.jobs import Job, State
from queues.file.deferred import Deferred
from queues.file.records import Records
from queues.file.room import Room
from queues.file.site import Site
from queues.file.waiting import Waiting


class Publishing:
    """Put records where they are found."""

    def __init__(
        self, site: Site, *, records: Records, room: Room, waiting: Waiting, deferred: Deferred
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._room = room
        self._waiting = waiting
        self._deferred = deferred

    def bucket(self, job: Job) -> str:
        """Return the folder in which a queued job belongs."""
        if job.run_after is not None:
            return self._layout.scheduled(job.id)
        return self._layout.waiting(job.queue, job.priority, job.id)

    def place_waiting(self, path: str, job: Job) -> None:
        """Move a queued job's record to its place, durably. Raises OutcomeUnknown."""
        self.move_waiting(path, job)
        self._site.commit(self.bucket(job), job.id)
        self.announce(job)

    def move_waiting(self, path: str, job: Job) -> None:
        """Move a queued job's record to its place, not yet durably."""
        self._site.folders.place(self._disk.rename, path, self.bucket(job), f"{job.id}.json")

    def announce(self, job: Job) -> None:
        """Let claims know of a job that was put in its place."""
        if job.run_after is not None:
            self._deferred.push(job.id, job.run_after)
        else:
            self._waiting.push(job.queue, job.priority, job.id)

    def requeue(self, path: str, job: Job) -> None:
        """Replace the record at `path` by that of the job, queued again, and move it to its place, durably.

        One name moves by renames only. A new name made before the old one is deleted would be claimed over
        the old one by another worker, and the deletion would then remove that worker's claim.
        """
        draft = self._room.lending(lambda: self._records.write_waiting(job))
        fd = self._disk.open(draft)
        try:
            self._disk.lock(fd)
            self._site.folders.place(self._disk.rename, draft, *os.path.split(path))
            self.move_waiting(path, job)
        finally:
            self._disk.close(fd)
        self._site.commit(self.bucket(job), job.id)
        self.announce(job)

    def end(self, job: Job) -> None:
        """Write the final record, durably and once. Raises Conflict when there is one, OutcomeUnknown."""
        if self._disk.is_file(self._layout.final(job.id)):
            raise Conflict(job.id)
        draft = self._room.lending(lambda: self._records.write_final(job))
        bucket = self._layout.ended(job.id)
        try:
            self._site.folders.place(self._disk.link, draft, bucket, f"{job.id}.json")
            self._site.commit(bucket, job.id)
        except FileExistsError:
            raise Conflict(job.id) from None
        finally:
            self._site.discard(draft)
        if job.state is State.FAILED:
            with contextlib.suppress(OSError):
                self._disk.link(self._layout.final(job.id), self._layout.failed(job.id))

    def clear_running(self, job_id: str) -> None:
        """Remove what an attempt leaves. It need not be durable, nor succeed: the final record counts."""
        for path in (self._layout.running(job_id), self._layout.cancel(job_id)):
            with contextlib.suppress(OSError):
                self._disk.unlink(path)
        self.clear_live(job_id)

    def clear_live(self, job_id: str) -> None:
        """Remove what an attempt has reported."""
        with contextlib.suppress(OSError):
            self._disk.unlink(self._layout.live_file(job_id))
