"""Idempotency keys: a key is a further name of the job's first record, so it exists once or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from core.errors import IdempotencyConflict, RecordDamaged, Unsupported
from core.jobs import Job, State
from core.strict_json import BadJson, parse
from queues.file.records import Draft
from queues.file.site import Site
from queues.record import job_of


class Keys:
    """Link keys to first records, and read back what was submitted under them.

    Whoever links a key holds the lock of its folder, shared, until the job is published; whoever finds a key
    without a job and mends that holds it alone. So a job is never published twice for a key.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout

    def path(self, job: Job) -> str:
        """Return the file of the job's key."""
        return self._layout.key(job.idempotency_key or "")

    def exists(self, key: str) -> bool:
        """Return whether the key was used."""
        return self._disk.exists(self._layout.key(key))

    def first(self, job: Job) -> Job | None:
        """Return the job that was first submitted under this job's key, as it was submitted.

        None when there is none, or when the power failed before it was durable. Raises IdempotencyConflict
        when it asked for something else, RecordDamaged when the file holds another key.
        """
        try:
            first = job_of(parse(self._disk.read_file(self.path(job))), state=State.QUEUED)
        except (FileNotFoundError, Unsupported, BadJson, ValueError):
            return None
        if first.idempotency_key != job.idempotency_key:
            raise RecordDamaged(first.id, "The file of its idempotency key holds another key.")
        if first.body_hash != job.body_hash:
            raise IdempotencyConflict(first.id)
        return first

    def link(self, draft: Draft) -> bool:
        """Give the draft its key's name, not yet durably; return False when the key was used before."""
        folder, name = os.path.split(self.path(draft.job))
        try:
            self._site.folders.place(self._disk.link, draft.path, folder, name)
        except FileExistsError:
            return False
        return True

    def relink(self, draft: Draft) -> None:
        """Give the draft its key's name, in place of a damaged file too. To be called alone."""
        second = self._site.scratch(draft.job.id)
        self._disk.link(draft.path, second)
        self._site.folders.place(self._disk.rename, second, *os.path.split(self.path(draft.job)))

    def remove(self, job: Job) -> None:
        """Forget the key."""
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(self.path(job))

    @contextmanager
    def held(self, jobs: Iterable[Job], *, alone: bool = False) -> Iterator[None]:
        """Hold the folders of the jobs' keys, in an order that cannot deadlock."""
        keyed = (job for job in jobs if job.idempotency_key is not None)
        folders = sorted({os.path.dirname(self.path(job)) for job in keyed})
        with ExitStack() as stack:
            for path in folders:
                self._site.folders.ensure(path)
                folder = self._disk.open_folder(path)
                self._disk.lock(folder.fd, wait=True, shared=not alone)
                stack.callback(folder.let_go)
            yield
