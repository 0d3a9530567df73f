"""The log of each job: JSON lines, only ever appended to, never synced."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice

from core.errors import Unsupported
from core.jobs import LogEntry
from core.strict_json import BadJson, parse
from queues.file.site import Site
from queues.file.whereabouts import Whereabouts
from queues.record import encoded_line


class Logs:
    """Append to and read the logs of jobs."""

    def __init__(self, site: Site, whereabouts: Whereabouts) -> None:
        self._disk = site.disk
        self._layout = site.layout
        self._folders = site.folders
        self._whereabouts = whereabouts

    def append(self, job_id: str, entries: Iterable[LogEntry]) -> None:
        """Add entries, whole lines at once, so that several processes may write."""
        lines = b"".join(encoded_line(asdict(entry)) for entry in entries)
        self._folders.append(*os.path.split(self._layout.log(job_id)), lines)

    def read(self, job_id: str, *, offset: int, limit: int) -> list[LogEntry]:
        """Return a part of the log, oldest first; lines that a crash tore are skipped."""
        if self._whereabouts.find(job_id) is None:
            self._whereabouts.read(job_id, whole_result=False)  # says why there is no log
        try:
            lines = self._disk.read_file(self._layout.log(job_id)).splitlines()
        except (FileNotFoundError, Unsupported):
            return []
        entries = (entry for line in lines if (entry := _entry(line)))
        return list(islice(entries, offset, offset + limit))


def _entry(line: bytes) -> LogEntry | None:
    try:
        return LogEntry(**parse(line))
    except (BadJson, TypeError):
        return None
