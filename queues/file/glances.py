"""Summaries remembered: a poll that finds nothing new opens and parses nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from core.jobs import Summary
from queues.file.site import Site

REMEMBERED = 1024

#: What changes with every change of a file: its inode, its times, its size, its mode.
Identity = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    path: str
    identity: Identity
    summary: Summary


class Glances:
    """Remember what records say while they lie where they were and are what they were.

    Not for running jobs, who tell of themselves in other files too.
    """

    def __init__(self, site: Site) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._lock = threading.Lock()
        #: By id; who was read last comes last.
        self._seen: dict[str, _Seen] = {}

    def recall(self, job_id: str) -> Summary | None:
        """Return what the job's record said when it was last read, None unless it says so still."""
        seen = self._seen.get(job_id)
        if seen is None:
            return None
        final = self._layout.final(job_id)
        try:
            # Of two records the final one counts.
            if self.identity(seen.path) == seen.identity and (
                seen.path == final or not self._disk.exists(final)
            ):
                return seen.summary
        except OSError:  # Whoever reads the record is told what is wrong with it.
            pass
        return None

    def identity(self, path: str) -> Identity:
        """Return what tells this record from any other that may come to lie there. Raises OSError."""
        status = self._disk.status(path)
        return status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_mode

    def remember(self, path: str, identity: Identity, summary: Summary) -> None:
        """Keep what a record said that had this identity before it was read."""
        with self._lock:
            self._seen.pop(summary.id, None)
            self._seen[summary.id] = _Seen(path, identity, summary)
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
