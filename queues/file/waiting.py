"""Which job goes first: the heads of the queues, so that a million waiting jobs cost as much as ten."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Sequence

from queues.aging import rank
from queues.file.layout import PRIORITIES, bucket_of, bucket_start, job_id_in
from queues.file.site import Site

#: Ids that a level without known buckets takes into memory before it leaves the rest to the disk.
_IN_MEMORY = 10_000
#: Empty buckets older than this, in seconds, are removed; nobody adds to them any more, save a retry.
_STALE = 300.0
_END_OF_TIME = "g"  # after every bucket


class Level:
    """One priority of one queue: in memory its oldest ids, on the disk all of them."""

    def __init__(self, folder: str, priority: int) -> None:
        self.folder = folder
        self.priority = priority
        #: The waiting ids of all buckets up to `reach`, as far as known; some may be gone already.
        self.heap: list[str] = []
        self.reach = ""
        #: The folder as it was when it was last seen empty, and whether it was looked at twice since.
        self.seen: tuple[tuple[str, int], ...] | None = None
        self.seen_twice = False

    def push(self, job_id: str) -> None:
        """Note an id that was just put into the folder."""
        if bucket_of(job_id) > self.reach:
            return
        heapq.heappush(self.heap, job_id)
        if self.reach == _END_OF_TIME and len(self.heap) > _IN_MEMORY:
            self.reach, self.seen = bucket_of(max(self.heap)), None


class Waiting:
    """The waiting jobs of all queues, highest rank first. Safe for threads; other processes are seen later."""

    def __init__(self, site: Site, *, aging: float) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._folders = site.folders
        self._aging = aging
        self._lock = threading.Lock()
        self._levels: dict[str, list[Level]] = {}

    def push(self, queue: str, priority: int, job_id: str) -> None:
        """Note a job that was just put into its bucket."""
        with self._lock:
            self._of(queue)[PRIORITIES.index(priority)].push(job_id)

    def pop(self, queues: Sequence[str], now: float) -> tuple[str, str] | None:
        """Return id and path of the job that goes first, and forget it; None when none waits."""
        with self._lock:
            best: tuple[int, str] | None = None
            for level in [level for queue in queues for level in self._of(queue)]:
                if level.heap or self._refill(level, now):
                    head = level.heap[0]
                    candidate = (-rank(head, level.priority, now=now, aging=self._aging), head)
                    if best is None or candidate < best:
                        best, chosen = candidate, level
            if best is None:
                return None
            job_id = heapq.heappop(chosen.heap)
            return job_id, f"{chosen.folder}/{bucket_of(job_id)}/{job_id}.json"

    def look_again(self, queues: Sequence[str], now: float) -> bool:
        """Notice what others put into levels that were empty; return whether one of them is empty no more."""
        with self._lock:
            levels = [level for queue in queues for level in self._of(queue)]
            return any([self._has_news(level, now) for level in levels if level.seen is not None and not level.heap])

    def forget(self) -> None:
        """List every level anew at the next claim."""
        with self._lock:
            self._levels.clear()

    def _of(self, queue: str) -> list[Level]:
        if queue not in self._levels:
            self._levels[queue] = [
                Level(self._layout.level(queue, priority), priority) for priority in PRIORITIES
            ]
        return self._levels[queue]

    def _refill(self, level: Level, now: float) -> bool:
        """Read the oldest bucket that holds jobs; return whether there is one."""
        if level.seen is not None:
            return False
        seen = self._seen(level)
        for bucket in sorted(self._disk.names(level.folder)):
            ids = [job_id_in(name) for name in self._disk.names(f"{level.folder}/{bucket}")]
            level.heap = sorted(job_id for job_id in ids if job_id)
            if level.heap:
                level.reach = bucket
                return True
            self._drop(level, bucket, now)
        level.seen, level.seen_twice, level.reach = seen, False, _END_OF_TIME
        return False

    def _drop(self, level: Level, bucket: str, now: float) -> None:
        try:
            stale = bucket_start(bucket) + _STALE < now
        except ValueError:  # somebody's own folder
            return
        if stale:
            self._folders.remove_if_empty(f"{level.folder}/{bucket}")

    def _seen(self, level: Level) -> tuple[tuple[str, int], ...]:
        """Return the buckets and the times at which their names last changed."""
        found = []
        for bucket in self._disk.names(level.folder):
            try:
                found.append((bucket, self._disk.status(f"{level.folder}/{bucket}").st_mtime_ns))
            except FileNotFoundError:
                continue
        return tuple(sorted(found))

    def _has_news(self, level: Level, now: float) -> bool:
        """List an empty level again if its folders have changed, and once more a turn later.

        The second time makes up for coarse file times: a change in the tick of the listing leaves no trace.
        """
        seen = self._seen(level)
        unchanged = seen == level.seen
        if unchanged and level.seen_twice:
            return False
        level.seen = None
        found = self._refill(level, now)
        level.seen_twice = unchanged and level.seen == seen
        return found
