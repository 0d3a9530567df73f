"""Which job goes first: the heads of the queues, so that a million waiting jobs cost as much as ten."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from queues.aging import rank
from queues.file.layout import PRIORITIES, bucket_of, bucket_start, job_ids_in
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
        #: The buckets and when their names last changed, when the level was found empty; from then on all of
        #: its ids are in memory, save those that others add. None while the level is known in part only.
        self.seen: tuple[tuple[str, int], ...] | None = None
        #: Whether a later change would show: one within the same tick of the file system's clock does not.
        self.settled = False

    def push(self, job_id: str) -> None:
        """Note an id that was just put into the folder."""
        if bucket_of(job_id) > self.reach:
            return
        heapq.heappush(self.heap, job_id)
        if self.reach == _END_OF_TIME and len(self.heap) > _IN_MEMORY:
            self.reach, self.seen = bucket_of(max(self.heap)), None


@dataclass(frozen=True, slots=True)
class Head:
    """The job that goes first, and where its record lies."""

    job_id: str
    path: str
    level: Level


class Waiting:
    """The waiting jobs of all queues, highest rank first. Other processes' jobs are seen a little later."""

    def __init__(self, site: Site, *, aging: float) -> None:
        self._site = site
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

    def pop(self, queues: Sequence[str], now: float) -> Head | None:
        """Return the job that goes first and forget it; None when none waits."""
        with self._lock:
            levels = [level for queue in queues for level in self._of(queue)]
            heads = [
                (self._order(level, now), level) for level in levels if level.heap or self._refill(level, now)
            ]
            if not heads:
                return None
            _, level = min(heads, key=itemgetter(0))
            job_id = heapq.heappop(level.heap)
            return Head(job_id, f"{level.folder}/{bucket_of(job_id)}/{job_id}.json", level)

    def put_back(self, head: Head) -> None:
        """Remember a job again that could not be claimed."""
        with self._lock:
            heapq.heappush(head.level.heap, head.job_id)

    def look_again(self, queues: Sequence[str], now: float) -> bool:
        """Notice what others put into levels that this object believes to know whole; return whether it did.

        Levels that are known in part only are listed again anyhow, when their known part is done.
        """
        with self._lock:
            levels = [level for queue in queues for level in self._of(queue)]
            news = [self._has_news(level, now) for level in levels if level.seen is not None]
            return any(news)

    def _order(self, level: Level, now: float) -> tuple[int, str]:
        head = level.heap[0]
        return -rank(head, level.priority, now=now, aging=self._aging), head

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
        for bucket, _ in seen:
            level.heap = sorted(job_ids_in(bucket, self._disk.names(f"{level.folder}/{bucket}")))
            if level.heap:
                level.reach = bucket
                return True
            self._drop(level, bucket, now)
        level.seen, level.reach = seen, _END_OF_TIME
        level.settled = all(self._site.is_past(changed_ns) for _, changed_ns in seen)
        return False

    def _drop(self, level: Level, bucket: str, now: float) -> None:
        if bucket_start(bucket) + _STALE < now:
            self._folders.remove_if_empty(f"{level.folder}/{bucket}")

    def _seen(self, level: Level) -> tuple[tuple[str, int], ...]:
        """Return the buckets and the times at which their names last changed."""
        found = []
        for bucket in self._folders.buckets(level.folder):
            try:
                found.append((bucket, self._disk.status(f"{level.folder}/{bucket}").st_mtime_ns))
            except FileNotFoundError:
                continue
        return tuple(found)

    def _has_news(self, level: Level, now: float) -> bool:
        """List a level again if it has changed, or may have; return whether jobs wait there."""
        if level.settled and self._seen(level) == level.seen:
            return False
        level.seen = None
        return self._refill(level, now)
