"""Batches: many jobs stored by one flush. The manifest is the truth until the job files are durable too."""

from __future__ import annotations

import contextlib
import os
from contextlib import ExitStack
from dataclasses import dataclass

from core.errors import IdempotencyConflict, RecordDamaged, Unsupported
from core.jobs import Job, State
from core.strict_json import BadJson, parse
from queues.file.keys import Keys
from queues.file.publishing import Publishing
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.whereabouts import Found, Place, Whereabouts
from queues.record import document_of, encoded_line, job_of


@dataclass(slots=True)
class Manifest:
    """The list of a batch's jobs. Whoever sees to it holds its lock."""

    path: str
    fd: int
    jobs: list[Job]
    #: Whether every job has its file, durable or not.
    spread: bool = False


class Batches:
    """Write manifests, spread their jobs into files, and remove them when the files are durable."""

    def __init__(
        self,
        site: Site,
        *,
        records: Records,
        quarantine: Quarantine,
        publishing: Publishing,
        whereabouts: Whereabouts,
        keys: Keys,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._folder = site.layout.top("batches")
        self._records = records
        self._quarantine = quarantine
        self._publishing = publishing
        self._whereabouts = whereabouts
        self._keys = keys
        self._mine: dict[str, Manifest] = {}

    def add(self, jobs: list[Job]) -> None:
        """Store the jobs; durable, all or none, when this returns."""
        manifest = self._commit(jobs)
        # The batch is stored. What goes wrong from here on, `finish` does again.
        with contextlib.suppress(OSError):
            for job in jobs:
                self._spread(job)
            manifest.spread = True
        self._mine[manifest.path] = manifest
        for job in jobs:
            self._publishing.announce(job)

    def finish(self) -> bool:
        """Make each batch's job files durable and remove its manifest; return whether jobs were added."""
        for name in self._disk.names(self._folder):
            path = f"{self._folder}/{name}"
            if name.endswith(".jsonl") and path not in self._mine:
                self._adopt(path)
        added = [self._finish(manifest) for manifest in list(self._mine.values())]
        return any(added)

    def let_go(self) -> None:
        """Leave the unfinished batches to whoever opens the folder next."""
        for manifest in self._mine.values():
            self._disk.close(manifest.fd)
        self._mine.clear()

    def _commit(self, jobs: list[Job]) -> Manifest:
        first = jobs[0].id
        draft, path = self._site.scratch(first), f"{self._folder}/{first}.jsonl"
        self._disk.write_new(draft, b"".join(encoded_line(document_of(job)) for job in jobs))
        with ExitStack() as undo:
            undo.callback(self._site.discard, draft)
            fd = self._disk.open(draft)
            undo.callback(self._disk.close, fd)
            self._disk.lock(fd)
            self._disk.rename(draft, path)
            self._site.commit(self._folder, first)
            undo.pop_all()
        return Manifest(path, fd, jobs)

    def _adopt(self, path: str) -> None:
        """See to a manifest whose owner is gone."""
        try:
            fd = self._disk.open(path)
        except FileNotFoundError:
            return
        except Unsupported as error:
            self._quarantine.put(path, error.message, spare=self._disk.opens)
            return
        if not self._disk.lock(fd) or not self._disk.exists(path):
            self._disk.close(fd)
            return
        self._mine[path] = Manifest(path, fd, _jobs_in(self._disk.read(fd)))

    def _finish(self, manifest: Manifest) -> bool:
        restored = [] if manifest.spread else [self._restore(job) for job in manifest.jobs]
        manifest.spread = True
        for job in manifest.jobs:
            self._sync(job)
        for folder in self._folders(manifest.jobs):
            with contextlib.suppress(FileNotFoundError):  # every job of the bucket has left it
                self._site.folders.settle(folder)
        self._disk.unlink(manifest.path)
        self._disk.close(manifest.fd)
        del self._mine[manifest.path]
        return any(restored)

    def _spread(self, job: Job) -> None:
        # A key stays with its first record, which a retry takes out of `_sync`'s sight: sync it now.
        draft = self._records.write_waiting(job, sync=job.idempotency_key is not None)
        if job.idempotency_key is not None:
            self._keys.relink(draft, job)
        self._publishing.move_waiting(draft, job)

    def _restore(self, job: Job) -> bool:
        """Give a job of a manifest its file if a crash came before or tore it; return whether it had none."""
        with self._keys.held([job], alone=True):
            found = self._whereabouts.find(job.id)
            if found is not None:
                self._mend(found, job)
                return False
            if self._is_obsolete(job):
                return False
            draft = self._records.write_waiting(job)
            if job.idempotency_key is not None:
                self._keys.relink(draft, job)
            self._publishing.place_waiting(draft, job)
            return True

    def _mend(self, found: Found, job: Job) -> None:
        """Replace a record that is torn; final records never are, being synced before they have a name."""
        if found.place is Place.FINAL:
            return
        try:
            self._records.read_waiting(found.path, job.id)
        except RecordDamaged:
            folder, name = os.path.split(found.path)
            self._site.folders.place(self._disk.rename, self._records.write_waiting(job), folder, name)

    def _is_obsolete(self, job: Job) -> bool:
        """Return whether the job was purged already, or another took its key before it was published."""
        try:
            first = self._keys.first(job) if job.idempotency_key is not None else None
        except IdempotencyConflict:
            return True
        return (first is not None and first.id != job.id) or self._whereabouts.is_over(job.id)

    def _sync(self, job: Job) -> None:
        """Make the job's record durable wherever it is now; final records are already."""
        while (found := self._whereabouts.find(job.id)) is not None and found.place is not Place.FINAL:
            try:
                fd = self._disk.open(found.path)
            except FileNotFoundError:
                continue
            except Unsupported:
                return  # somebody has put something else there, which a claim will put aside
            try:
                self._disk.sync_file(fd)
            finally:
                self._disk.close(fd)
            return

    def _folders(self, jobs: list[Job]) -> set[str]:
        keyed = {self._keys.folder(job) for job in jobs if job.idempotency_key is not None}
        return keyed | {self._publishing.bucket(job) for job in jobs}


def _jobs_in(manifest: bytes) -> list[Job]:
    """Return the jobs of a manifest; a damaged line costs one job, not the batch."""
    jobs = []
    for line in manifest.splitlines():
        with contextlib.suppress(BadJson, ValueError):
            jobs.append(job_of(parse(line), state=State.QUEUED))
    return jobs
