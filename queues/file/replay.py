"""What journals say is made true: after a crash, and whenever the files of the last second become durable."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from core.errors import IdempotencyConflict, RecordDamaged, Unsupported
from core.jobs import Job, State
from core.strict_json import BadJson, parse
from queues.file.claims import Busy, Claims
from queues.file.entries import Entry, Kind, entries_in
from queues.file.journal import SUFFIX, Journal
from queues.file.keys import Keys
from queues.file.publishing import Publishing
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.whereabouts import Found, Place, Whereabouts
from queues.record import job_of


class Replay:
    """Bring the files to where the entries of a journal say they are."""

    def __init__(
        self,
        site: Site,
        *,
        journal: Journal,
        records: Records,
        quarantine: Quarantine,
        claims: Claims,
        publishing: Publishing,
        whereabouts: Whereabouts,
        keys: Keys,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._journal = journal
        self._records = records
        self._quarantine = quarantine
        self._claims = claims
        self._publishing = publishing
        self._whereabouts = whereabouts
        self._keys = keys
        self._one_at_a_time = threading.Lock()

    def finish(self) -> bool:
        """Make durable what the own journal and those of the dead say; return whether jobs came back.

        Raises OSError: the entries are kept then.
        """
        with self._one_at_a_time, ExitStack() as left:
            mine = self._journal.turn_over()
            dead = [path for path in self._paths() if self._take_over(path, left)]
            if mine is None and not dead:
                return False
            entries = [] if mine is None else mine.unfinished
            restored = self._make_true([*entries, *(entry for path in dead for entry in self._entries(path))])
            self._sync_all(self._journal.fd if mine is None else mine.fd)
            for path in dead:
                self._disk.unlink(path)
            if mine is not None:
                mine.unfinished.clear()
                self._journal.use_again(mine)
            return restored

    def _sync_all(self, fd: int) -> None:
        try:
            self._disk.sync_all(fd)
        except OSError as error:
            self._site.doubt = f"syncing {self._layout.base} failed: {os.strerror(error.errno or 0)}"
            raise

    def _paths(self) -> Iterator[str]:
        """Yield the volumes of others."""
        for name in self._disk.names(self._journal.folder):
            path = f"{self._journal.folder}/{name}"
            if name.endswith(SUFFIX) and not self._journal.is_mine(path):
                yield path

    def _take_over(self, path: str, left: ExitStack) -> bool:
        """Lock a volume until `left` is closed; return False when its owner lives, or another was quicker."""
        try:
            fd = self._disk.open(path)
        except FileNotFoundError:
            return False
        except Unsupported as error:
            self._quarantine.put(path, error.message, spare=self._disk.opens)
            return False
        left.callback(self._disk.close, fd)
        return self._disk.lock(fd) and self._disk.exists(path)

    def _entries(self, path: str) -> Iterator[Entry]:
        yield from entries_in(self._disk.read_file(path))

    def _make_true(self, entries: Iterable[Entry]) -> bool:
        """Do what the entries say, as far as the files do not show it or something later already."""
        found: dict[Kind, list[Job]] = {kind: [] for kind in Kind}
        for entry in entries:
            found[entry.kind] += filter(None, map(_job, entry.records))
        restored = [self._store(job) for job in sorted(found[Kind.STORED], key=_version)]
        for job in sorted(found[Kind.CLAIMED], key=_version):
            self._claim(job)
        for job in sorted(found[Kind.ENDED], key=_end):
            self._end(job)
        return any(restored)

    def _store(self, job: Job) -> bool:
        """Give a job its record and its key again; return whether it had no record."""
        with self._keys.held([job], alone=True):
            if self._is_taken(job):
                return False
            found = self._whereabouts.find(job.id)
            if found is None and not self._whereabouts.is_over(job.id):
                self._publishing.move_waiting(self._records.write_waiting(job).path, job)
                self._publishing.announce(job)
                return True
            if found is not None and found.place is not Place.FINAL:
                self._renew(found, job)
            return False

    def _is_taken(self, job: Job) -> bool:
        """Return whether another job has this one's key, which is restored if nobody has it."""
        if job.idempotency_key is None:
            return False
        try:
            first = self._keys.first(job)
        except IdempotencyConflict:
            return True
        if first is None:
            draft = self._records.write_waiting(job)
            self._keys.relink(draft)
            self._site.discard(draft.path)
        return first is not None and first.id != job.id

    def _renew(self, found: Found, job: Job) -> None:
        """Replace a record that a power cut has torn, or that is older than the entry."""
        with ExitStack() as locks, contextlib.suppress(Busy, FileNotFoundError):
            fd = self._claims.open_locked(found.path)
            locks.callback(self._disk.close, fd)
            with contextlib.suppress(RecordDamaged):
                if self._records.read_open(fd, job.id).job.version >= job.version:
                    return
            self._publishing.move_over(found.path, self._records.write_waiting(job))
            self._publishing.announce(job)

    def _claim(self, job: Job) -> None:
        """Let a job be running, for nobody, so that the attempt which was lost is counted."""
        found = self._whereabouts.find(job.id)
        if found is None or found.place is Place.FINAL:
            return
        with ExitStack() as locks, contextlib.suppress(Busy, FileNotFoundError, RecordDamaged):
            fd = self._claims.open_locked(found.path)
            locks.callback(self._disk.close, fd)
            if self._records.read_open(fd, job.id).job.version == job.version:
                self._claims.move(fd, found.path, job.id, job.started_at or 0.0)

    def _end(self, job: Job) -> None:
        """Write the final record again unless it is there, or a later one than the entry's."""
        path = self._layout.final(job.id)
        try:
            self._records.read_final(path, job.id, whole_result=False)
        except (FileNotFoundError, RecordDamaged):
            if not self._is_superseded(job):
                draft = self._records.draft_final(job)
                self._records.write(draft)
                self._site.folders.place(self._disk.rename, draft.path, *os.path.split(path))
        self._publishing.show_failed(job)

    def _is_superseded(self, job: Job) -> bool:
        """Return whether the job was purged, or went on before its end was acknowledged to anybody."""
        found = self._whereabouts.find(job.id)
        if found is None or found.place is Place.FINAL:
            return self._whereabouts.is_purged(job.id)
        try:
            return self._records.read_waiting(found.path, job.id).version > job.version
        except (FileNotFoundError, RecordDamaged):
            return False


def _job(record: bytes) -> Job | None:
    """Return the job of a record; what cannot be read was refused before it was ever written."""
    with contextlib.suppress(BadJson, ValueError):
        document = parse(record)
        state = None if isinstance(document, dict) and "state" in document else State.QUEUED
        return job_of(document, state=state)
    return None


def _version(job: Job) -> int:
    return job.version


def _end(job: Job) -> float:
    return job.ended_at or 0.0
