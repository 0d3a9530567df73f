"""The swap: one stored job replaced by its next version, by the way that leads from state to state."""

from __future__ import annotations

import contextlib

from core.errors import Conflict, Unsupported
from core.jobs import Job, State
from queues.file.claims import Busy, Claims, Held
from queues.file.deferred import Deferred
from queues.file.publishing import Publishing
from queues.file.records import Records
from queues.file.site import Site
from queues.file.whereabouts import Found, Place, Whereabouts
from queues.record import encoded


class Changes:
    """Every change of a stored job but the claim."""

    def __init__(
        self,
        site: Site,
        *,
        records: Records,
        claims: Claims,
        publishing: Publishing,
        whereabouts: Whereabouts,
        deferred: Deferred,
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._layout = site.layout
        self._records = records
        self._claims = claims
        self._publishing = publishing
        self._whereabouts = whereabouts
        self._deferred = deferred

    def swap(self, old: Job, new: Job) -> None:
        """Replace `old` by `new`. Raises Conflict, JobNotFound, JobExpired, OutcomeUnknown."""
        if old.state.ended:
            raise Conflict(old.id)
        if old.state is State.QUEUED:
            self._swap_waiting(old, new)
            return
        held = self._claims.held(old.id)
        if held is None:
            self._ask_from_outside(old, new)
            return
        with held.turn:
            self._swap_held(held, old, new)

    def _swap_held(self, held: Held, old: Job, new: Job) -> None:
        if self._claims.held(old.id) is not held or self._claims.current(held).version != old.version:
            raise Conflict(old.id)
        if not self._claims.is_mine(held):
            self._claims.let_go(held)
            raise Conflict(old.id)
        if new.state is State.RUNNING:
            self._report(held, new)
        elif new.state is State.QUEUED:
            self._requeue(held, new)
        else:
            self._end(held, new)

    def _report(self, held: Held, new: Job) -> None:
        if new.cancel_requested and not held.job.cancel_requested:
            # Who asks may have read the record before its claim was known here, without the worker's name.
            self._ask(new)
            self._claims.current(held)
            return
        self._records.write_live(new, changes=held.changes + 1)
        held.changes += 1
        held.job = new

    def _requeue(self, held: Held, new: Job) -> None:
        running = self._layout.running(new.id)
        if held.changes:
            self._publishing.clear_live(new.id)
        try:
            self._publishing.requeue(running, new)
        finally:
            # Once the record is replaced the lock on the old one holds nothing; before, the claim stands.
            if not self._claims.is_mine(held) or not self._disk.exists(running):
                self._claims.let_go(held)

    def _end(self, held: Held, new: Job) -> None:
        try:
            self._publishing.end(new)
        except Conflict:
            self._claims.let_go(held)
            raise
        self._publishing.clear_running(new.id)
        self._claims.let_go(held)

    def _swap_waiting(self, old: Job, new: Job) -> None:
        if not new.state.ended:
            raise Unsupported("A waiting job can only be claimed or ended.")
        found = self._whereabouts.find(old.id)
        if found is None or found.place in {Place.FINAL, Place.RUNNING}:
            self._whereabouts.read(old.id, whole_result=False)  # says so when the job is gone
            raise Conflict(old.id)
        try:
            fd = self._claims.open_locked(found.path)
        except (Busy, FileNotFoundError):
            raise Conflict(old.id) from None
        try:
            self._end_locked(fd, found, old, new)
        finally:
            self._disk.close(fd)

    def _end_locked(self, fd: int, found: Found, old: Job, new: Job) -> None:
        """End a waiting job whose lock we hold, so that no worker can claim it meanwhile."""
        if (
            not self._is_named(found.path, fd)
            or self._records.read_open(fd, old.id).job.version != old.version
        ):
            raise Conflict(old.id)
        self._publishing.end(new)
        self._deferred.discard(old.id)
        with contextlib.suppress(OSError):  # it may have become due and moved; the final record counts anyhow
            self._disk.unlink(found.path)

    def _is_named(self, path: str, fd: int) -> bool:
        try:
            return self._disk.status(path).st_ino == self._disk.status_of(fd).st_ino
        except FileNotFoundError:
            return False

    def _ask_from_outside(self, old: Job, new: Job) -> None:
        """Ask the holder of a running job, in whatever process, to stop it: all that others may change."""
        stored = self._whereabouts.read(old.id, whole_result=False)
        asks = new.state is State.RUNNING and new.cancel_requested and not old.cancel_requested
        if stored.state is not State.RUNNING or stored.version != old.version or not asks:
            raise Conflict(old.id)
        self._ask(new)

    def _ask(self, job: Job) -> None:
        """Leave the wish beside the running record; the first one counts."""
        draft = self._site.scratch(job.id)
        self._disk.write_new(
            draft, encoded({"attempt": job.attempt, "reason": job.cancel_reason}), sync=False
        )
        try:
            self._link_wish(draft, job)
        finally:
            self._disk.unlink(draft)

    def _link_wish(self, draft: str, job: Job) -> None:
        path = self._layout.cancel(job.id)
        if self._disk.exists(path) and self._records.cancel_reason(job.id, job.attempt) is None:
            self._disk.unlink(path)  # it was meant for an earlier attempt
        try:
            self._disk.link(draft, path)
        except FileExistsError:
            raise Conflict(job.id) from None
