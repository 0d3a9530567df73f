"""What dead workers leave in running/, and what a power cut leaves half done there."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from dataclasses import replace

from core.errors import JobExpired, JobNotFound, RecordDamaged
from core.jobs import Job
from queues.file.claims import Busy, Claims, Held
from queues.file.layout import job_id_in
from queues.file.publishing import Publishing
from queues.file.quarantine import Quarantine
from queues.file.records import Record, Records
from queues.file.site import Site
from queues.file.whereabouts import Place, Whereabouts

#: How far the version of a rescued job leaps, past all that its lost attempt may have shown to anybody.
_LEAP = 1_000_000


class Rescue:
    """Take over running jobs whose lock nobody holds."""

    def __init__(
        self,
        site: Site,
        *,
        records: Records,
        claims: Claims,
        quarantine: Quarantine,
        publishing: Publishing,
        whereabouts: Whereabouts,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._claims = claims
        self._quarantine = quarantine
        self._publishing = publishing
        self._whereabouts = whereabouts

    def abandoned(self) -> list[Job]:
        """Return the running jobs whose worker is gone, each now held by this engine object."""
        names = self._disk.names(self._layout.top("running"))
        jobs = [self._rescued(job_id) for name in names if (job_id := job_id_in(name))]
        self._sweep([name for name in names if name.endswith(".cancel")])
        return [job for job in jobs if job is not None]

    def drop_second_names(self) -> None:
        """Remove what a power cut may leave where renames are not atomic: one job under two names.

        To be called before the first claim. If both names are one file, it was claimed; if they are two, the
        waiting one is the newer, written by a retry.
        """
        for name in self._disk.names(self._layout.top("running")):
            job_id = job_id_in(name)
            if job_id is not None:
                self._drop_second_name(job_id)

    def _rescued(self, job_id: str) -> Job | None:
        held = self._claims.held(job_id)
        if held is not None:
            return self._claims.current(held) if held.rescued else None
        running = self._layout.running(job_id)
        with ExitStack() as undo:
            try:
                fd = self._claims.open_locked(running)
                undo.callback(self._disk.close, fd)
                inode = self._disk.status_of(fd).st_ino
                record = self._orphan(fd, job_id) if self._disk.status(running).st_ino == inode else None
            except (Busy, FileNotFoundError):
                return None
            if record is None:
                return None
            job = self._records.as_running(record)
            job = replace(job, version=job.version + _LEAP)
            self._claims.keep(Held(job, fd, inode, rescued=True))
            undo.pop_all()
            return job

    def _orphan(self, fd: int, job_id: str) -> Record | None:
        """Return the record if its attempt was lost; else finish what was left half done."""
        running = self._layout.running(job_id)
        try:
            record = self._records.read_open(fd, job_id)
        except RecordDamaged as error:
            self._quarantine.put(running, error.reason)
            return None
        if self._is_over(job_id):
            self._publishing.clear_running(job_id)
            return None
        if not record.claimed:
            self._publishing.move_waiting(running, record.job)
            self._publishing.announce(record.job)
            return None
        return record

    def _is_over(self, job_id: str) -> bool:
        """Return whether the job has ended; a damaged final record is put aside and does not count."""
        try:
            if self._whereabouts.is_over(job_id):
                self._whereabouts.read(job_id, whole_result=False)
                return True
        except (JobNotFound, JobExpired):
            return True
        except RecordDamaged:
            pass
        return False

    def _sweep(self, wishes: list[str]) -> None:
        """Remove requests to cancel for jobs that run no more."""
        for name in wishes:
            if not self._disk.exists(self._layout.running(name.removesuffix(".cancel"))):
                with contextlib.suppress(FileNotFoundError):
                    self._disk.unlink(f"{self._layout.top('running')}/{name}")

    def _drop_second_name(self, job_id: str) -> None:
        """Decide under the locks of both records, without which no living process moves them."""
        running = self._layout.running(job_id)
        with ExitStack() as locks, contextlib.suppress(Busy, FileNotFoundError):
            inode = self._lock(running, locks)
            for other in self._whereabouts.all_names(job_id):
                if other.place not in {Place.WAITING, Place.SCHEDULED}:
                    continue
                if self._disk.status(other.path).st_ino == inode:
                    self._disk.unlink(other.path)
                else:
                    self._lock(other.path, locks)
                    self._disk.unlink(running)

    def _lock(self, path: str, locks: ExitStack) -> int:
        """Lock a record and return its inode. Raises Busy when another process works on it."""
        fd = self._claims.open_locked(path)
        locks.callback(self._disk.close, fd)
        inode = self._disk.status_of(fd).st_ino
        if self._disk.status(path).st_ino != inode:
            raise Busy
        return inode
