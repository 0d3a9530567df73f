"""The log of one job while it runs: what its action says and prints, cleaned for display and capped."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from core.errors import BusError
from core.jobs import LogEntry

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine

#: What a job's log may hold.
MOST_LINES = 10_000
MOST_BYTES = 2**20

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST_LINE = 65_536


class JobLog:
    """Collect entries and hand them to the engine in batches. Any thread may add."""

    def __init__(
        self, engine: Engine, job_id: str, clock: Clock, *, hide: Callable[[str], str] = str
    ) -> None:
        self._engine = engine
        self._job_id = job_id
        self._clock = clock
        #: Returns a text without the job's secrets.
        self.hide = hide
        self._lock = threading.Lock()
        self._waiting: list[LogEntry] = []
        self._lines = 0
        self._bytes = 0
        self._full = False

    def add(self, level: str, message: str, *, source: str = "action") -> None:
        """Add an entry; beyond 10,000 entries or 1 MiB a note takes the place of all that follow."""
        text = self.hide(shown(message))[:_LONGEST_LINE]
        with self._lock:
            if self._full:
                return
            self._lines += 1
            self._bytes += len(text)
            self._full = self._lines > MOST_LINES or self._bytes > MOST_BYTES
            if self._full:
                level, source = "warning", "bus"
                text = (
                    f"The log is full ({MOST_LINES:,} lines or {MOST_BYTES:,} bytes): the rest is left out."
                )
            self._waiting.append(LogEntry(at=self._clock.now(), level=level, message=text, source=source))

    def flush(self) -> None:
        """Hand what was collected to the engine. No job fails because its log cannot be stored."""
        with self._lock:
            entries, self._waiting = self._waiting, []
        if entries:
            with suppress(BusError):
                self._engine.log(self._job_id, entries)


class Lines:
    """Cut a stream of output into log entries, one a line."""

    def __init__(self, log: JobLog, *, source: str, level: str = "info") -> None:
        self._log = log
        self._source = source
        self._level = level
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Log every line that is whole now."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._add(line)
        while len(self._rest) > _LONGEST_LINE:
            self._add(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def close(self) -> None:
        """Log what came after the last line's end."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""

    def _add(self, line: bytes) -> None:
        self._log.add(self._level, line.decode(errors="replace").rstrip("\r"), source=self._source)


def shown(message: str) -> str:
    """Return a text without terminal escapes and control characters, tabs and line ends excepted."""
    return _CONTROL.sub("", _ESCAPE.sub("", message))
