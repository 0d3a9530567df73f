"""The jobs that are not due yet: in memory when each will be, on the disk the file's time says the same."""

from __future__ import annotations

import heapq
import threading

from core.errors import RecordDamaged
from core.jobs import Job
from queues.file.layout import job_id_in
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.waiting import Waiting


class Deferred:
    """Know what becomes due when, and move it to the waiting jobs then."""

    def __init__(self, site: Site, records: Records, quarantine: Quarantine, waiting: Waiting) -> None:
        self._site = site
        self._disk = site.disk
        self._folder = site.layout.top("scheduled")
        self._records = records
        self._quarantine = quarantine
        self._waiting = waiting
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # entries that `_due` does not confirm are skipped
        self._seen: dict[str, int] = {}  # when the names in each bucket last changed
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
        """Move every job that is due to the waiting ones; return whether there was one."""
        moved: list[Job] = []
        while (due := self.next_due()) is not None and due <= now:
            with self._lock:
                _, job_id = heapq.heappop(self._heap)
                self._due.pop(job_id, None)
            if job := self._promoted(job_id, now):
                moved.append(job)
        layout = self._site.layout
        for folder in {layout.waiting(job.queue, job.priority, job.id) for job in moved}:
            self._site.folders.settle(folder)
        for job in moved:
            self._waiting.push(job.queue, job.priority, job.id)
        return bool(moved)

    def look_again(self) -> None:
        """Notice what other processes or people put into the folder or took out of it."""
        buckets = self._disk.names(self._folder)
        for bucket in set(buckets) | set(self._seen):
            try:
                changed = self._disk.status(f"{self._folder}/{bucket}").st_mtime_ns
            except FileNotFoundError:
                changed = 0
            if self._seen.get(bucket) != changed:
                self._seen[bucket] = changed
                self._list(bucket)
                self._site.folders.remove_if_empty(f"{self._folder}/{bucket}")

    def _list(self, bucket: str) -> None:
        names = self._disk.names(f"{self._folder}/{bucket}")
        found = {job_id for name in names if (job_id := job_id_in(name))}
        with self._lock:
            known = {job_id for job_id in self._due if job_id.startswith(bucket)}
        for job_id in known - found:
            self.discard(job_id)
        for job_id in found - known:
            try:
                self.push(job_id, self._disk.status(f"{self._folder}/{bucket}/{job_id}.json").st_mtime)
            except FileNotFoundError:
                continue

    def _promoted(self, job_id: str, now: float) -> Job | None:
        """Move one job if its record agrees that it is due; return it."""
        path = f"{self._site.layout.scheduled(job_id)}/{job_id}.json"
        try:
            job = self._records.read_waiting(path, job_id)
            if job.run_after is not None and job.run_after > now:
                self.push(job_id, job.run_after)
                return None
            bucket = self._site.layout.waiting(job.queue, job.priority, job_id)
            self._site.folders.place(self._disk.rename, path, bucket, f"{job_id}.json")
        except FileNotFoundError:
            return None
        except RecordDamaged as error:
            self._quarantine.put(path, error.reason)
            return None
        return job
