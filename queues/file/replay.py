"""What journals say is made true: after a crash, and whenever the files of the last second become durable."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from core.errors import BusError, EngineUnavailable, IdempotencyConflict, RecordDamaged, Unsupported
from core.jobs import Job, State
from core.strict_json import BadJson, parse
from queues.file.claims import Busy, Claims
from queues.file.entries import Entry, Kind, entries_in
from queues.file.journal import SUFFIX, Journal
from queues.file.keys import Keys
from queues.file.publishing import Publishing
from queues.file.quarantine import Quarantine
from queues.file.records import Draft, Records
from queues.file.room import Room
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
        room: Room,
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
        self._room = room
        self._quarantine = quarantine
        self._claims = claims
        self._publishing = publishing
        self._whereabouts = whereabouts
        self._keys = keys
        self._one_at_a_time = threading.Lock()

    def finish(self) -> bool:
        """Make durable what the own journal and those of the dead say; return whether jobs came back.

        Raises OSError, EngineUnavailable: the entries are kept then.
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
        found: dict[Kind, list[Draft]] = {kind: [] for kind in Kind}
        for entry in entries:
            found[entry.kind] += filter(None, map(self._said, entry.records))
        restored = [self._do(self._store, said) for said in sorted(found[Kind.STORED], key=_version)]
        for said in sorted(found[Kind.CLAIMED], key=_version):
            self._do(self._claim, said)
        for said in sorted(found[Kind.ENDED], key=_end):
            self._do(self._end, said)
        return any(restored)

    def _said(self, record: bytes) -> Draft | None:
        """Return what an entry says of a job; what cannot be read was refused before it was ever written."""
        with contextlib.suppress(BadJson, ValueError):
            document = parse(record)
            state = None if isinstance(document, dict) and "state" in document else State.QUEUED
            job = job_of(document, state=state)
            return Draft(job, f"{self._site.tmp}/{job.id}.json", record)
        return None

    def _do(self, step: Callable[[Job], object], said: Draft) -> bool:
        """Do what an entry says of one job, from the reserve if need be; return whether it came back.

        A job whose files are beyond that is put aside, and the others go on. The disk's errors are raised.
        """
        try:
            return bool(self._room.lending(lambda: step(said.job)))
        except (OSError, EngineUnavailable, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  Whatever is wrong with one job, the queue must go on.
            reason = error.message if isinstance(error, BusError) else repr(error)
        self._room.lending(lambda: self._put_aside(said, reason))
        return False

    def _put_aside(self, said: Draft, reason: str) -> None:
        """Keep what was acknowledged where people find it, for its entry is about to be forgotten."""
        self._site.discard(said.path)
        self._records.write(said)
        self._quarantine.put(said.path, f"The journal's word of it could not be made true: {reason}")

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
        except RecordDamaged as error:
            self._quarantine.put(self._keys.path(job), error.reason)
            first = None
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
            ended = self._records.read_final(path, job.id, whole_result=False)
        except (FileNotFoundError, RecordDamaged):
            if self._is_superseded(job):
                return
            draft = self._records.draft_final(job)
            self._records.write(draft)
            self._site.folders.place(self._disk.rename, draft.path, *os.path.split(path))
            ended = job
        self._publishing.show_failed(ended)

    def _is_superseded(self, job: Job) -> bool:
        """Return whether the job was purged, or went on before its end was acknowledged to anybody."""
        found = self._whereabouts.find(job.id)
        if found is None or found.place is Place.FINAL:
            return self._whereabouts.is_purged(job.id)
        try:
            return self._records.read_waiting(found.path, job.id).version > job.version
        except (FileNotFoundError, RecordDamaged):
            return False


def _version(said: Draft) -> int:
    return said.job.version


def _end(said: Draft) -> float:
    return said.job.ended_at or 0.0
