"""Claims: a worker has a job as long as a process of the attempt holds the lock on the record's inode.

The lock survives the rename, is inherited by the attempt's process, and is let go by the kernel at any death;
it knows no clock, so a slow, stopped or suspended worker is never mistaken for a dead one.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace

from core import lifecycle
from core.errors import RecordDamaged
from core.jobs import Job, State
from queues.file.deferred import Deferred
from queues.file.layout import job_id_in
from queues.file.quarantine import Quarantine
from queues.file.records import Record, Records
from queues.file.site import Site
from queues.file.waiting import Waiting

#: How far the version of a rescued job leaps, past all that its lost attempt may have shown to anybody.
_LEAP = 1_000_000


class Busy(Exception):
    """Somebody else holds the record's lock."""


@dataclass(slots=True)
class Held:
    """A running job that this engine object holds."""

    job: Job
    #: Its lock lives as long as this descriptor or an inherited one is open.
    fd: int
    inode: int
    #: The version in the record; what came after it is only in memory and in the live file.
    recorded: int
    #: Taken over from a dead worker, not claimed for work.
    rescued: bool = False


class Claims:
    """The jobs that run, those held by this object foremost."""

    def __init__(
        self, site: Site, records: Records, quarantine: Quarantine, waiting: Waiting, deferred: Deferred
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._quarantine = quarantine
        self._waiting = waiting
        self._deferred = deferred
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}

    def take(self, path: str, job_id: str, worker: str, *, now: float, lease: float, due_only: bool) -> Job | None:
        """Claim the job whose record lies at `path`, durably; None when it is not to be had.

        Raises Busy when somebody else is about to take it, FileNotFoundError when somebody has.
        """
        fd = self._open_locked(path)
        kept = False
        try:
            record = self._claimable(fd, path, job_id, now=now, due_only=due_only)
            if record is None:
                return None
            self._move(fd, path, record, now)
            job = lifecycle.claimed(record.job, worker=worker, now=now, lease=lease)
            self._keep(Held(job, fd, self._disk.status_of(fd).st_ino, record.job.version))
            kept = True
            return job
        finally:
            if not kept:
                self._disk.close(fd)

    def held(self, job_id: str) -> Held | None:
        """Return what this object holds of the job."""
        with self._lock:
            return self._held.get(job_id)

    def current(self, held: Held) -> Job:
        """Return the held job with the cancellation that another process may have asked for since."""
        if not held.job.cancel_requested:
            held.job = self._records.with_cancel(held.job)
        return held.job

    def is_mine(self, held: Held) -> bool:
        """Return whether the running record is still the one that was claimed, or was removed by hand."""
        try:
            return self._disk.status(self._layout.running(held.job.id)).st_ino == held.inode
        except FileNotFoundError:
            return True

    def let_go(self, held: Held) -> None:
        """Give up the lock, after the job has left the running ones or when its claim is lost."""
        with self._lock:
            if self._held.get(held.job.id) is held:
                del self._held[held.job.id]
                self._disk.close(held.fd)

    def let_go_all(self) -> None:
        """Give up every lock: the jobs count as abandoned from now on."""
        with self._lock:
            for held in self._held.values():
                self._disk.close(held.fd)
            self._held.clear()

    def abandoned(self) -> list[Job]:
        """Take over the running jobs whose lock nobody holds."""
        found = []
        for name in self._disk.names(self._layout.top("running")):
            job_id = job_id_in(name)
            if job_id is None:
                self._sweep(name)
            elif job := self._rescued(job_id):
                found.append(job)
        return found

    def _open_locked(self, path: str) -> int:
        try:
            fd = self._disk.open(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            self._quarantine.put(path, f"It cannot be opened: {error.strerror}.")
            raise FileNotFoundError(path) from error
        if not self._disk.lock(fd):
            self._disk.close(fd)
            raise Busy
        return fd

    def _claimable(self, fd: int, path: str, job_id: str, *, now: float, due_only: bool) -> Record | None:
        """Return the locked record if it is fit to run; else put it where it belongs."""
        try:
            record = self._records.read_open(fd, job_id)
        except RecordDamaged as error:
            self._quarantine.put(path, error.message)
            return None
        if self._disk.exists(self._layout.final(job_id)):
            self._disk.unlink(path)  # a power cut between the final record and the removal of this one
            return None
        if due_only and record.job.run_after is not None and record.job.run_after > now:
            self._defer(fd, path, record.job, record.job.run_after)
            return None
        return record

    def _defer(self, fd: int, path: str, job: Job, due: float) -> None:
        self._disk.date(fd, due)
        self._site.folders.place(self._disk.rename, path, self._layout.scheduled(job.id), f"{job.id}.json")
        self._site.folders.settle(self._layout.scheduled(job.id))
        self._deferred.push(job.id, due)

    def _move(self, fd: int, path: str, record: Record, now: float) -> None:
        """Rename the record to the running ones; the claim counts from the moment that this is durable."""
        running = self._layout.running(record.job.id)
        self._disk.date(fd, now)
        self._disk.mark_claimed(fd)
        if record.job.version > 1:
            self._disk.sync_file(fd)  # the bit tells this record from one that a retry left here halfway
        self._disk.rename(path, running)
        if self._disk.status(running).st_ino != self._disk.status_of(fd).st_ino:
            self._disk.rename(running, path)  # it was replaced between opening and renaming
            raise Busy
        self._site.commit(self._layout.top("running"), record.job.id)

    def _keep(self, held: Held) -> None:
        with self._lock:
            self._held[held.job.id] = held

    def _rescued(self, job_id: str) -> Job | None:
        held = self.held(job_id)
        if held is not None:
            return self.current(held) if held.rescued else None
        try:
            fd = self._open_locked(self._layout.running(job_id))
        except (Busy, FileNotFoundError):
            return None
        kept = False
        try:
            if self._disk.status(self._layout.running(job_id)).st_ino != self._disk.status_of(fd).st_ino: return None
            record = self._orphan(fd, job_id)
            if record is None: return None
            job = self._records.as_running(record)
            job = replace(job, version=job.version + _LEAP)
            self._keep(Held(job, fd, self._disk.status_of(fd).st_ino, record.job.version, rescued=True))
            kept = True
            return job
        finally:
            if not kept: self._disk.close(fd)
