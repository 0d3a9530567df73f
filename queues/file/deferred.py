"""The jobs that are not due yet: in memory when each will be, on the disk the file's time says the same."""

from __future__ import annotations

import contextlib
import heapq
import threading

from core.errors import RecordDamaged
from core.jobs import Job
from queues.file.layout import job_ids_in
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.room import Room
from queues.file.site import Site
from queues.file.waiting import Waiting
from queues.file.watch import Watch


class Deferred:
    """Know what becomes due when, and move it to the waiting jobs then."""

    def __init__(
        self, site: Site, *, records: Records, room: Room, quarantine: Quarantine, waiting: Waiting
    ) -> None:
        self._site = site
        self._disk = site.disk
        self._folder = site.layout.top("scheduled")
        self._records = records
        self._room = room
        self._quarantine = quarantine
        self._waiting = waiting
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # entries that `_due` does not confirm are skipped
        self._watch = Watch(site)
        self._buckets: set[str] = set()
        self.look_again()

    def push(self, job_id: str, due: float) -> None:
        """Note a job that was just put into its bucket."""
        with self._lock:
            self._due[job_id] = due
            heapq.heappush(self._heap, (due, job_id))

    def discard(self, job_id: str) -> None:
        """Forget a job that has left."""
        with self._lock:
            self._due.pop(job_id, None)

    def next_due(self) -> float | None:
        """Return when the next job becomes due, in Unix seconds; None when there is none."""
        with self._lock:
            while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
                heapq.heappop(self._heap)
            return self._heap[0][0] if self._heap else None

    def number(self) -> int:
        """Return how many jobs are not due yet."""
        with self._lock:
            return len(self._due)

    def promote(self, now: float) -> bool:
        """Move every job that is due to the waiting ones; return whether there was one.

        The moves are not synced: a power cut that undoes one leaves the job here, to become due again.
        """
        promoted = False
        while (job_id := self._pop_due(now)) is not None:
            job = self._promoted(job_id, now)
            if job is not None:
                self._waiting.push(job.queue, job.priority, job_id)
                promoted = True
        return promoted

    def look_again(self) -> None:
        """Notice what other processes or people put into the folder or took out of it."""
        present = set(self._site.folders.buckets(self._folder))
        for bucket in present | self._buckets:
            names = self._watch.news(f"{self._folder}/{bucket}")
            if names is not None:
                self._compare(bucket, set(job_ids_in(bucket, names)))
        self._buckets = present

    def _compare(self, bucket: str, found: set[str]) -> None:
        """Learn what is new in a bucket and forget what has left it."""
        with self._lock:
            known = {job_id for job_id in self._due if job_id.startswith(bucket)}
        for job_id in known - found:
            self.discard(job_id)
        for job_id in found - known:
            with contextlib.suppress(FileNotFoundError):
                self.push(job_id, self._disk.status(f"{self._folder}/{bucket}/{job_id}.json").st_mtime)
        if not found:
            self._site.folders.remove_if_empty(f"{self._folder}/{bucket}")

    def _pop_due(self, now: float) -> str | None:
        """Take out the job that is due first, if one is."""
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                due, job_id = heapq.heappop(self._heap)
                if self._due.get(job_id) == due:
                    del self._due[job_id]
                    return job_id
        return None

    def _promoted(self, job_id: str, now: float) -> Job | None:
        """Move one job if its record agrees that it is due; return it."""
        path = f"{self._site.layout.scheduled(job_id)}/{job_id}.json"
        try:
            job = self._records.read_waiting(path, job_id)
            if job.run_after is not None and job.run_after > now:
                self.push(job_id, job.run_after)
                return None
            bucket = self._site.layout.waiting(job.queue, job.priority, job_id)
            place = bucket, f"{job_id}.json"
            self._room.lending(lambda: self._site.folders.place(self._disk.rename, path, *place))
        except FileNotFoundError:
            return None
        except RecordDamaged as error:
            self._quarantine.put_record(path, error)
            return None
        return job
