"""A job claimed by this worker: every change to it goes through here, and only as long as the claim holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import Conflict, JobExpired, JobNotFound, RecordDamaged
from core.jobs import Job, State

if TYPE_CHECKING:
    from core.engine import Engine

Step = Callable[[Job], Job]

_TRIES = 50  # how often a job may change under our hands before we take the claim for lost


class Claim:
    """The latest version of a claimed job, and the fence that keeps others' changes apart from ours."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        #: The job as it was last stored or read.
        self.job = job
        #: Whether the job has passed to somebody else, or was settled.
        self.gone = False

    def change(self, step: Step) -> Job | None:
        """Store the next version of the job; None, and nothing stored, when the claim is gone.

        Raises EngineUnavailable when the store does not answer: the claim still holds.
        """
        with self._lock:
            for _ in range(_TRIES):
                if self.gone:
                    return None
                following = step(self.job)
                try:
                    self._engine.swap(self.job, following)
                except Conflict:
                    self._read_again()
                except (JobNotFound, JobExpired):
                    self.gone = True
                else:
                    self.job = following
                    self.gone = following.state is not State.RUNNING
                    return following
            return None

    def _read_again(self) -> None:
        mine = self.job
        try:
            self.job = self._engine.get(mine.id)
        except (JobNotFound, JobExpired, RecordDamaged):
            self.gone = True
            return
        held = self.job.state is State.RUNNING
        self.gone = not held or (self.job.attempt, self.job.worker) != (mine.attempt, mine.worker)
