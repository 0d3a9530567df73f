"""The file engine itself: each method of the seam led to the part that does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

from core.errors import BusError, ConfigError
from core.jobs import ALL, Job, LogEntry, Page, Query, State, Summary
from queues.file.disk import Disk
from queues.file.options import FileOptions
from queues.file.parts import Parts
from queues.file.presence import AtWork
from queues.file.trouble import reported
from queues.record import summary_of

#: Seconds that whoever closes an engine waits at most for the calls at work and for the disk.
_PATIENCE = 5.0


class FileEngine:
    """Keep each job as a JSON file under one folder, for any number of threads and processes."""

    name = "file"
    supports_priority = True
    supports_run_after = True
    supports_idempotency = True

    def __init__(self, base: str, options: FileOptions | None = None, *, disk: Disk | None = None) -> None:
        """Open the queue in the folder, which is made if it is missing, and mend what a crash left.

        Raises ConfigError when it must not be opened, EngineUnavailable when it cannot be.
        """
        if not os.path.isabs(base):
            raise ConfigError(f"{base!r} is no absolute path.", hint="Write file:/absolute/path.")
        with reported:
            self._parts = Parts(os.path.normpath(base), options or FileOptions(), disk or Disk())
            self._mend()
        self._at_work = AtWork()

    def add(self, job: Job) -> Job:
        """Store the job durably, or return the one that was stored before it."""
        with self._at_work:
            self._parts.site.be_certain()
            return self._parts.submits.add(job)

    def add_many(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all of the jobs durably or none."""
        with self._at_work:
            self._parts.site.be_certain()
            return self._parts.submits.add_many(jobs)

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        """Take the job that goes first."""
        with self._at_work:
            return self._parts.picking.claim(worker, now=now, lease=lease, queues=queues)

    def claim_one(self, job_id: str, worker: str, *, now: float, lease: float) -> Job | None:
        """Take that job if it is queued."""
        with self._at_work:
            return self._parts.picking.claim_one(job_id, worker, now=now, lease=lease)

    def swap(self, old: Job, new: Job) -> None:
        """Replace `old` by `new` if nobody was quicker."""
        with self._at_work:
            self._parts.changes.swap(old, new)

    def lifeline(self, job: Job) -> int | None:
        """Return the descriptor that holds the lock of a job claimed through this object."""
        held = self._parts.claims.held(job.id)
        return held.fd if held is not None and held.job.attempt == job.attempt else None

    def abandoned(self, now: float) -> list[Job]:
        """Return the running jobs whose lock nobody holds; it needs no clock."""
        del now
        with self._at_work:
            return self._parts.rescue.abandoned()

    def next_due(self) -> float | None:
        """Return when the next deferred job becomes due."""
        with self._at_work:
            return self._parts.deferred.next_due()

    def deferred(self) -> int:
        """Return how many queued jobs wait for their time."""
        with self._at_work:
            return self._parts.deferred.number()

    def get(self, job_id: str) -> Job:
        """Return the whole job."""
        with self._at_work:
            held = self._parts.claims.held(job_id)
            if held is not None:
                return self._parts.claims.current(held)
            return self._parts.whereabouts.read(job_id, whole_result=True)

    def peek(self, job_id: str) -> Summary:
        """Return the job's summary."""
        with self._at_work:
            held = self._parts.claims.held(job_id)
            if held is not None:
                return summary_of(self._parts.claims.current(held))
            return self._parts.whereabouts.peek(job_id)

    def find(self, query: Query) -> Page:
        """Return a page of summaries, newest first."""
        with self._at_work:
            return self._parts.listing.find(query)

    def count(self, query: Query = ALL) -> dict[State, int]:
        """Return how many jobs are in each state."""
        with self._at_work:
            return self._parts.tally.count(query)

    def purge(self, before: float, *, limit: int = 500) -> int:
        """Remove jobs that ended before that time."""
        with self._at_work:
            return self._parts.purging.purge(before, limit=limit)

    def log(self, job_id: str, entries: Iterable[LogEntry]) -> None:
        """Append to the job's log."""
        with self._at_work:
            self._parts.logs.append(job_id, entries)

    def logs(self, job_id: str, *, offset: int = 0, limit: int = 1000) -> list[LogEntry]:
        """Return a part of the job's log, oldest first."""
        with self._at_work:
            return self._parts.logs.read(job_id, offset=offset, limit=limit)

    def upkeep(self, now: float) -> bool:
        """Adopt dropped files, notice others' jobs, promote what is due, make files durable, sweep."""
        parts = self._parts
        with self._at_work:
            parts.ground.be_there()
            parts.site.be_certain()
            parts.scratch.sweep()
            parts.room.keep_reserve()
            parts.deferred.look_again()
            queues = parts.whereabouts.learn_queues()
            news = [
                parts.deferred.promote(now),
                parts.waiting.look_again(queues, now),
                parts.replay.finish(),
                parts.adoption.adopt(now),
            ]
            return any(news)

    def check(self) -> list[str]:
        """Write and sync a file to prove that jobs can be stored; return warnings about the folder."""
        parts = self._parts
        with self._at_work:
            parts.ground.be_there()
            parts.site.be_certain()
            parts.room.admit()
            draft = parts.site.scratch("check")
            parts.site.disk.write_new(draft, b"\n")
            parts.site.disk.unlink(draft)
            ignored = [f"inbound/{name!a} is no job and is ignored." for name in parts.adoption.ignored()]
            strays = [
                f"{top}/{name!a} is no bucket and is ignored."
                for top in ("scheduled", "outbound")
                for name in parts.site.folders.strays(parts.site.layout.top(top))
            ]
            return parts.ground.warnings() + ignored + strays

    def close(self) -> None:
        """Let calls at work end, leave nothing to replay, let go of every lock and folder.

        A disk that hangs is waited for 5 seconds. Nothing is let go of before it answers: another file could
        get the number of a descriptor that is in use, and with it what was meant for the journal.
        """
        if self._at_work.close():
            closing = threading.Thread(target=self._leave, name="closing", daemon=True)
            closing.start()
            closing.join(_PATIENCE)

    def _leave(self) -> None:
        self._at_work.until_nobody_is()
        parts = self._parts
        with suppress(OSError), ExitStack() as last:
            for let_go in (parts.scratch, parts.journal):
                last.callback(let_go.let_go)
            last.callback(parts.claims.let_go_all)
            self._leave_nothing_to_replay()

    def _leave_nothing_to_replay(self) -> None:
        """Make the files of the last second durable; if that fails, the next start does it."""
        with suppress(OSError, BusError):
            for _ in range(2):  # An earlier volume may be left over, from when the disk was full.
                self._parts.site.be_certain()
                self._parts.replay.finish()

    def _mend(self) -> None:
        """Bring the folder in order before the first claim, one process at a time."""
        parts = self._parts
        folder = parts.site.disk.open_folder(parts.site.layout.top("locks"))
        parts.site.disk.lock(folder.fd, wait=True)
        parts.scratch.sweep()
        parts.replay.finish()
        parts.rescue.drop_second_names()
        parts.room.keep_reserve()
