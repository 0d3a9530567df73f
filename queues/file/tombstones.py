"""Which jobs were purged: a text file for each bucket, a job id on each line."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable

from core.errors import Unsupported
from queues.file.layout import bucket_of
from queues.file.site import Site

#: Seconds that the bus remembers a purged job.
REMEMBERED = 30 * 24 * 3600.0


class Tombstones:
    """Remember purged jobs, so that a client which asks late hears "expired", never "pending"."""

    def __init__(self, site: Site) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._folders = site.folders

    def has(self, job_id: str) -> bool:
        """Return whether the job was purged."""
        path = self._layout.tombstones(bucket_of(job_id))
        if not self._disk.exists(path):
            return False
        try:
            return job_id.encode() in self._disk.read_file(path).split()
        except (FileNotFoundError, Unsupported):
            return False

    def put(self, job_ids: Iterable[str], *, at: float) -> None:
        """Write down that the jobs are about to be removed; durable when this returns."""
        by_bucket = defaultdict(list)
        for job_id in job_ids:
            by_bucket[bucket_of(job_id)].append(job_id)
        for bucket, purged in by_bucket.items():
            # A line break comes first too: a line torn by an earlier power cut must not swallow this one.
            lines = "\n" + "\n".join(purged) + "\n"
            folder, name = os.path.split(self._layout.tombstones(bucket))
            self._folders.append(folder, name, lines.encode(), sync=True, mtime=at)
        if by_bucket:
            self._folders.settle(self._layout.top("tombstones"))

    def forget(self, before: float) -> None:
        """Drop the lists to which nothing was added since that time."""
        folder = self._layout.top("tombstones")
        for name in self._disk.names(folder):
            status = self._disk.status(f"{folder}/{name}")
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                self._disk.unlink(f"{folder}/{name}")
