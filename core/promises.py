"""Promises: that whoever gave a `callback_url` with a job is told of its end, whatever dies in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from core.errors import JobExpired, JobNotFound, OutcomeUnknown, RecordDamaged
from core.jobs import Job
from core.letters import Letter, letter_id, letter_of_job

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine
    from core.outbox import Outbox

_CHECK_EVERY = 60.0  # seconds between two looks at promises of which no event has told
_CHECKED_AT_ONCE = 500
#: Seconds for which a promise may be without a job: its submission may still be on its way.
_UNSTORED = 600.0


class Promises:
    """Promise before a job is stored; write the letter when it has ended, or was found to have.

    `broken` is told the job and the reason when a letter can never be written. `promise`, `stored` and
    `note_end` are for any thread, the others for one.
    """

    def __init__(
        self, outbox: Outbox, engine: Engine, clock: Clock, *, broken: Callable[[str, str], object]
    ) -> None:
        self._outbox = outbox
        self._engine = engine
        self._clock = clock
        self._broken = broken
        self._ended: deque[str] = deque()
        self._unchecked: deque[str] = deque()
        self._next_check = float("-inf")
        self._cycles = 0
        self._unstored: dict[str, float] = {}

    def promise(self, jobs: Collection[Job]) -> None:
        """Note durably which of these jobs, about to be stored, have a callback.

        Raises DiskFull or EngineUnavailable, and then nothing was promised.
        """
        if job_ids := _called_back(jobs):
            self._outbox.promise(job_ids)

    def stored(self, jobs: Sequence[Job], add: Callable[[Sequence[Job]], list[Job]]) -> list[Job]:
        """Promise, add the jobs and return what `add` does; forget promises of what it did not store."""
        self.promise(jobs)
        kept: Collection[str] = ()
        try:
            stored = add(jobs)
            kept = {job.id for job in stored}
        except OutcomeUnknown:
            # Should a job be there, its end is told; should it not, the promise is found to be empty.
            kept = {job.id for job in jobs}
            raise
        finally:
            if missing := [job_id for job_id in _called_back(jobs) if job_id not in kept]:
                self._outbox.withdraw(missing)
        return stored

    def note_end(self, job_id: str) -> bool:
        """Note that a job has ended; return whether somebody is to be told."""
        promised = self._outbox.used and self._outbox.has_promised(job_id)
        if promised:
            self._ended.append(job_id)
        return promised

    def written(self) -> list[Letter]:
        """Write and return the letters of the jobs that have ended. Raises OSError, EngineUnavailable.

        What could not be written is written at the next call.
        """
        letters = []
        while self._ended:
            job_id = self._ended[0]
            try:
                letters += self._write(self._engine.get(job_id))
            except (JobNotFound, JobExpired, RecordDamaged) as error:
                self._break(job_id, error.message)
            self._ended.popleft()
        return letters

    def check(self) -> float:
        """Look at some promises of which no event has told; return the seconds until others are due.

        That finds jobs that ended in a process which died then. Raises EngineUnavailable.
        """
        now = self._clock.monotonic()
        if now < self._next_check:
            return self._next_check - now
        if not self._unchecked:
            self._unchecked.extend(self._outbox.promises())
            self._cycles += 1
        for _ in range(min(_CHECKED_AT_ONCE, len(self._unchecked))):
            self._check(self._unchecked.popleft(), now)
        # What an earlier process has left is wanted at once; afterwards there is rarely anything to find.
        hurry = self._cycles == 1 and bool(self._unchecked)
        self._next_check = now if hurry else now + _CHECK_EVERY
        return 0.0 if hurry or self._ended else _CHECK_EVERY

    def _check(self, job_id: str, now: float) -> None:
        if self._outbox.has(letter_id(job_id)):
            return
        try:
            ended = self._engine.peek(job_id).state.ended
        except JobNotFound:
            if now - self._unstored.setdefault(job_id, now) >= _UNSTORED:
                self._unstored.pop(job_id)
                self._outbox.withdraw([job_id])
            return
        except (JobExpired, RecordDamaged) as error:
            self._break(job_id, error.message)
            return
        self._unstored.pop(job_id, None)
        if ended:
            self._ended.append(job_id)

    def _write(self, job: Job) -> list[Letter]:
        if (
            not job.state.ended
            or self._outbox.has(letter_id(job.id))
            or not self._outbox.has_promised(job.id)
        ):
            return []
        letter = letter_of_job(job)
        self._outbox.put(letter)
        return [letter]

    def _break(self, job_id: str, why: str) -> None:
        """Forget a promise that cannot be kept any more."""
        self._outbox.withdraw([job_id])
        self._broken(job_id, why)


def _called_back(jobs: Collection[Job]) -> list[str]:
    return [job.id for job in jobs if job.callback_url is not None]
