"""Reading the event journal from any place in it: what was written since, in order, torn lines left out."""

from __future__ import annotations

import os
from collections.abc import Iterator

from core.errors import InvalidRequest
from core.event_message import EventMessage, decoded
from queues.event_files import EventFile, event_file, event_files, is_closed

#: Bytes read at once; four times the longest event.
_CHUNK = 1 << 18
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class EventReader:
    """Read on from a cursor, `file:offset` as messages carry it; without one, from the end as it is now.

    Where that file is no longer kept, reading begins with the oldest one after it; where it is another one by
    now, shorter than the cursor says, at its beginning. Raises InvalidRequest for
    a cursor that is none.
    """

    def __init__(self, folder: str, *, since: str | None = None) -> None:
        self._folder = folder
        self._fd: int | None = None
        self._file: EventFile | None = None
        self._offset = 0
        if since is not None:
            self._file, self._offset = _place(since)
        elif files := event_files(folder):
            self._file = files[-1]
            self._offset = os.stat(f"{folder}/{self._file.name}").st_size

    def read(self) -> list[EventMessage]:
        """Return what has been written since the last call, or a part of it; nothing if there is none."""
        while self._fd is not None or self._open():
            fd = self._fd
            assert fd is not None  # noqa: S101  It has just been opened.
            status = os.fstat(fd)  # Asked before it is read: to a closed file nothing is added afterwards.
            if status.st_size < self._offset:
                self._offset = 0  # It is another file than the cursor came from, or was emptied.
            if text := self._next_lines(fd):
                if found := list(self._messages(text)):
                    return found
            elif not is_closed(status) or not self._go_on(removed=status.st_nlink == 0):
                break
        return []

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> bool:
        """Open the file to read from; return whether there is one."""
        files = event_files(self._folder)
        known = next((file for file in files if self._file is None or file >= self._file), None)
        if known is None:
            return False
        if known != self._file:
            self._file, self._offset = known, 0
        try:
            self._fd = os.open(f"{self._folder}/{known.name}", _READ)
        except FileNotFoundError:  # It was too old to be kept; the next look finds another.
            return False
        return True

    def _go_on(self, *, removed: bool) -> bool:
        """Go on to the file after a closed one; return whether there is one yet.

        After one that was removed it may bear the same name: somebody has emptied the folder.
        """
        last = self._file
        later = (
            file for file in event_files(self._folder) if last and (file > last or (removed and file == last))
        )
        following = next(later, None)
        if following is None:
            return False
        self.close()
        self._file, self._offset = following, 0
        return True

    def _next_lines(self, fd: int) -> bytes:
        """Return whole lines from here on; nothing while there is none, or only the beginning of one."""
        while True:
            text = os.pread(fd, _CHUNK, self._offset)
            end = text.rfind(b"\n") + 1
            if end or len(text) < _CHUNK:
                return text[:end]
            self._offset += len(text)  # No event is that long; the rest of the line is none either.

    def _messages(self, text: bytes) -> Iterator[EventMessage]:
        assert self._file is not None  # noqa: S101  It is being read.
        name = self._file.name
        for line in text.splitlines(keepends=True):
            self._offset += len(line)
            if message := decoded(line, cursor=f"{name}:{self._offset}"):
                yield message


def _place(cursor: str) -> tuple[EventFile, int]:
    name, _, offset = cursor.rpartition(":")
    file = event_file(name)
    if file is None or not offset.isdigit() or len(offset) > 18:
        raise InvalidRequest("since", f"{cursor[:60]!r} is no cursor of the journal.", code="bad_cursor")
    return file, int(offset)
