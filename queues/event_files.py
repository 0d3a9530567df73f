"""The files of the event journal: a file a day, more on a busy one; which is written, and which are kept.

Any number of processes append to the newest file, whole batches in one write, under a shared lock. Who finds
it full, or of another day, closes it under an exclusive lock: it becomes read-only, and nothing is ever
added to it. So a reader that has read a closed file to its end has missed nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from core.clock import Clock

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.(\d{1,9}))?\.jsonl", re.ASCII)
_FILE_MODE, _CLOSED_MODE, _FOLDER_MODE = 0o640, 0o440, 0o750
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, order=True, slots=True)
class EventFile:
    """One file of the journal, in the order in which they are written."""

    #: As in 2026-11-22, in UTC.
    day: str
    #: 0 for the first one of a day.
    number: int = 0

    @property
    def name(self) -> str:
        """The name in the folder."""
        return f"{self.day}.{self.number}.jsonl" if self.number else f"{self.day}.jsonl"

    def after(self, today: str) -> EventFile:
        """Return the file that follows; the names never go back, though the clock may."""
        return EventFile(today) if today > self.day else EventFile(self.day, self.number + 1)


def event_file(name: str) -> EventFile | None:
    """Return the file that bears this name; None for the name of anything else."""
    found = _NAME.fullmatch(name)
    return EventFile(found[1], int(found[2] or 0)) if found else None


def event_files(folder: str) -> list[EventFile]:
    """Return the files of the journal, oldest first; none where there is no folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(found for name in names if (found := event_file(name)))


def is_closed(status: os.stat_result) -> bool:
    """Return whether nothing will ever be added to the file: it is read-only, or was removed."""
    return not status.st_mode & stat.S_IWUSR or status.st_nlink == 0


class EventWriter:
    """Append to the newest file of a folder, which is made at the first write.

    A file that has an eighth of the `kept` bytes is full; files older than `days`, and the oldest of those
    that are too much together, are removed when a new one is begun.
    """

    def __init__(self, folder: str, clock: Clock, *, kept: int, days: float) -> None:
        self._folder = folder
        self._clock = clock
        self._kept = kept
        self._days = days
        self._made = False
        self._file: EventFile | None = None
        self._fd: int | None = None

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines, which end in no line break, in one write.

        Raises OSError: then some or all of them are missing, and the next write begins on a line of its own.
        """
        fd = self._locked()
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            text = b"\n" * torn + b"\n".join(lines) + b"\n"
            if os.write(fd, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _locked(self) -> int:
        """Return the newest file, locked so that nobody closes it meanwhile."""
        while True:
            fd = self._open() if self._fd is None else self._fd
            fcntl.flock(fd, fcntl.LOCK_SH)
            status = os.fstat(fd)
            if is_closed(status):
                self.close()
            elif self._is_over(status):
                self._finish(fd)
            else:
                return fd

    def _is_over(self, status: os.stat_result) -> bool:
        assert self._file is not None  # noqa: S101  It is open.
        return status.st_size >= self._kept // 8 or self._today() > self._file.day

    def _finish(self, fd: int) -> None:
        """Close the file for everybody, once those who are writing to it have written."""
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.fchmod(fd, _CLOSED_MODE)
        self.close()

    def _open(self) -> int:
        self._make_folder()
        newest = next(reversed(event_files(self._folder)), None)
        self._file = newest or EventFile(self._today())
        try:
            closed = newest is not None and is_closed(os.stat(self._path(newest)))
        except FileNotFoundError:
            closed = True
        if closed:
            self._file = self._file.after(self._today())
            self._sweep()
        try:
            self._fd = os.open(self._path(self._file), _APPEND, _FILE_MODE)
        except PermissionError:
            if not is_closed(os.stat(self._path(self._file))):
                raise
            return self._open()  # Another process has closed it just now.
        return self._fd

    def _make_folder(self) -> None:
        """Make the folder, at first with all above it; later only itself: the loss of the queue must show."""
        if self._made:
            if not os.path.isdir(self._folder):
                os.mkdir(self._folder, _FOLDER_MODE)
            return
        os.makedirs(self._folder, _FOLDER_MODE, exist_ok=True)
        self._made = True

    def _sweep(self) -> None:
        """Remove the oldest files until the others fit into what is kept."""
        oldest_day = (date.fromisoformat(self._today()) - timedelta(days=self._days)).isoformat()
        room = self._kept - self._kept // 8  # for the one that is about to be begun
        for known in reversed(event_files(self._folder)):
            path = self._path(known)
            try:
                room -= os.stat(path).st_size
                if room < 0 or known.day < oldest_day:
                    os.unlink(path)
            except FileNotFoundError:  # Another process sweeps too.
                continue

    def _path(self, file: EventFile) -> str:
        return f"{self._folder}/{file.name}"

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()
