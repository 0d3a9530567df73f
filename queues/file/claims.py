"""Claims: a worker has a job as long as a process of the attempt holds the lock on the record's inode.

The lock survives the rename, is inherited by the attempt's process, and is let go by the kernel at any death;
it knows no clock, so a slow, stopped or suspended worker is never mistaken for a dead one.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field

from core import lifecycle
from core.errors import RecordDamaged, Unsupported
from core.jobs import Job
from queues.file.deferred import Deferred
from queues.file.entries import Kind
from queues.file.journal import Journal
from queues.file.quarantine import Quarantine
from queues.file.records import Record, Records
from queues.file.room import Room
from queues.file.site import Site
from queues.file.whereabouts import Whereabouts
from queues.record import encoded


class Busy(Exception):
    """Somebody else holds the record, or has just replaced it."""


@dataclass(slots=True)
class Held:
    """A running job that this engine object holds."""

    job: Job
    #: Its lock lives as long as this descriptor, or one inherited from it, is open.
    fd: int
    inode: int
    #: Taken over from a dead worker, not claimed for work.
    rescued: bool = False
    #: Whether the lock was given up.
    gone: bool = False
    #: How often the attempt has reported since the claim.
    changes: int = 0
    #: Held while the job is being swapped.
    turn: threading.Lock = field(default_factory=threading.Lock)


class Claims:
    """Make jobs run, and remember those that this engine object holds."""

    def __init__(
        self,
        site: Site,
        *,
        journal: Journal,
        records: Records,
        room: Room,
        quarantine: Quarantine,
        whereabouts: Whereabouts,
        deferred: Deferred,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._journal = journal
        self._records = records
        self._room = room
        self._quarantine = quarantine
        self._whereabouts = whereabouts
        self._deferred = deferred
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}

    def take(
        self, path: str, job_id: str, worker: str, *, now: float, lease: float, due_only: bool = True
    ) -> Job | None:
        """Claim the job whose record lies at `path`; None when it is not fit to run now.

        Raises Busy when somebody else is about to take it, FileNotFoundError when somebody has.
        """
        with ExitStack() as undo:
            fd = self.open_locked(path)
            undo.callback(self._disk.close, fd)
            record = self._fit(fd, path, job_id, now=now, due_only=due_only)
            if record is None:
                return None
            inode = self.move(fd, path, job_id, now)
            job = lifecycle.claimed(record.job, worker=worker, now=now, lease=lease)
            if job.attempt >= job.max_attempts:
                self._write_down(record, fd, path, now)
            else:
                self._journal.owe()
            self.keep(Held(job, fd, inode))
            undo.pop_all()
            return job

    def move(self, fd: int, path: str, job_id: str, now: float) -> int:
        """Mark a locked record as claimed and move it to the running ones, not yet durably; return its inode.

        Raises Busy.
        """
        running = self._layout.running(job_id)
        self._disk.date(fd, now)
        self._disk.mark_claimed(fd)
        place = os.path.split(running)
        self._room.lending(lambda: self._site.folders.place(self._disk.rename, path, *place))
        inode = self._disk.status_of(fd).st_ino
        if self._disk.status(running).st_ino != inode:
            self._disk.rename(running, path)  # it had been replaced between opening and renaming
            raise Busy
        return inode

    def open_locked(self, path: str) -> int:
        """Open a record and take its lock. Raises Busy, FileNotFoundError."""
        try:
            fd = self._disk.open(path)
        except Unsupported as error:
            self._quarantine.put(path, error.message, spare=self._disk.opens)
            raise FileNotFoundError(errno.ENOENT, "put into quarantine", path) from error
        if not self._disk.lock(fd):
            self._disk.close(fd)
            raise Busy
        return fd

    def keep(self, held: Held) -> None:
        """Remember a job as held."""
        with self._lock:
            self._held[held.job.id] = held

    def held(self, job_id: str) -> Held | None:
        """Return what this object holds of the job."""
        with self._lock:
            return self._held.get(job_id)

    def current(self, held: Held) -> Job:
        """Return the held job with the cancellation that another process may have asked for since."""
        held.job = self._records.with_cancel(held.job)
        return held.job

    def is_mine(self, held: Held) -> bool:
        """Return whether the running record is still the one that was claimed, or was removed by hand."""
        try:
            return self._disk.status(self._layout.running(held.job.id)).st_ino == held.inode
        except FileNotFoundError:
            return True

    def let_go(self, held: Held) -> None:
        """Give up the lock, once the job has left the running ones or its claim is lost."""
        with self._lock:
            if self._held.get(held.job.id) is held:
                del self._held[held.job.id]
            if not held.gone:
                held.gone = True
                self._disk.close(held.fd)

    def let_go_all(self) -> None:
        """Give up every lock: the jobs count as abandoned from now on."""
        with self._lock:
            for held in self._held.values():
                held.gone = True
                self._disk.close(held.fd)
            self._held.clear()

    def _fit(self, fd: int, path: str, job_id: str, *, now: float, due_only: bool) -> Record | None:
        """Return the locked record if it is fit to run; else put it where it belongs."""
        try:
            record = self._records.read_open(fd, job_id)
        except RecordDamaged as error:
            self._quarantine.put(path, error.reason)
            return None
        if self._whereabouts.is_over(job_id):
            self._disk.unlink(path)
            return None
        due = record.job.run_after
        if due_only and due is not None and due > now:
            self._defer(fd, path, job_id, due)
            return None
        return record

    def _defer(self, fd: int, path: str, job_id: str, due: float) -> None:
        bucket = self._layout.scheduled(job_id)
        self._disk.date(fd, due)
        self._site.folders.place(self._disk.rename, path, bucket, f"{job_id}.json")
        self._deferred.push(job_id, due)

    def _write_down(self, record: Record, fd: int, path: str, now: float) -> None:
        """Make a claim durable before its attempt begins: no crash may lead to one attempt too many.

        Raises OSError when it cannot be written: the job waits again then, as if nothing had been.
        """
        job = record.job
        claim = encoded({"id": job.id, "action": job.action, "version": job.version, "started_at": now})
        try:
            self._room.lending(lambda: self._journal.commit(Kind.CLAIMED, [claim], job_id=job.id))
        except OSError:
            place = os.path.split(path)
            self._site.folders.place(self._disk.rename, self._layout.running(job.id), *place)
            self._disk.mark_claimed(fd, claimed=False)
            self._disk.date(fd, record.mtime)
            raise
