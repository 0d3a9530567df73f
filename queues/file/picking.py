"""Claiming as workers ask for it: the job that goes first, or one by its id."""

from __future__ import annotations

from collections.abc import Sequence

from core.jobs import Job
from queues.file.claims import Busy, Claims
from queues.file.deferred import Deferred
from queues.file.site import Site
from queues.file.waiting import Waiting
from queues.file.whereabouts import Place, Whereabouts

#: How many jobs in the hands of others a claim passes over before it says that there is none.
_PATIENCE = 64


class Picking:
    """Pick the next job for a worker."""

    def __init__(
        self, site: Site, *, claims: Claims, waiting: Waiting, deferred: Deferred, whereabouts: Whereabouts
    ) -> None:
        self._site = site
        self._claims = claims
        self._waiting = waiting
        self._deferred = deferred
        self._whereabouts = whereabouts

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        """Claim the job that goes first of those that are due; None when there is none."""
        self._site.be_certain()
        self._deferred.promote(now)
        patience = _PATIENCE
        while patience and (head := self._waiting.pop(queues, now)):
            try:
                job = self._claims.take(head.path, head.job_id, worker, now=now, lease=lease)
            except Busy:
                patience -= 1
            except FileNotFoundError:
                continue  # another process was quicker
            except BaseException:
                self._waiting.put_back(head)
                raise
            else:
                if job is not None:
                    return job
        return None

    def claim_one(self, job_id: str, worker: str, *, now: float, lease: float) -> Job | None:
        """Claim that job if it is queued, due or not; None when it is not."""
        self._site.be_certain()
        found = self._whereabouts.find(job_id)
        if found is None or found.place not in {Place.WAITING, Place.SCHEDULED}:
            return None
        try:
            job = self._claims.take(found.path, job_id, worker, now=now, lease=lease, due_only=False)
        except (Busy, FileNotFoundError):
            return None
        self._deferred.discard(job_id)
        return job
