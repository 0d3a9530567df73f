"""Waiting until something in a folder is written: by inotify, or by looking where that is not to be had."""

from __future__ import annotations

import ctypes
import os
import select

from core.doorbell import Doorbell

_IN_MODIFY, _IN_CREATE, _IN_IGNORED = 0x2, 0x100, 0x8000
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
#: Seconds between two looks without inotify: users may have few watches, and the folder may be gone.
_GLANCE = 0.2
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Wait for changes in one folder. What changes between two waits ends the second one at once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._bell = Doorbell()
        self._notes = _libc.inotify_init1(_FLAGS)
        self._watching = False
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        if self._notes >= 0:
            self._poll.register(self._notes, select.POLLIN)
        self._watch()

    def wait(self, timeout: float) -> None:
        """Return when something has changed, when `ring` was called, or after `timeout` seconds."""
        if not self._watching and self._watch():
            return  # Something may have changed just before.
        seconds = timeout if self._watching else min(timeout, _GLANCE)
        self._poll.poll(seconds * 1000)
        self._forget_notes()

    def ring(self) -> None:
        """End the wait of another thread, now or when it begins."""
        self._bell.ring()

    def close(self) -> None:
        """Let go of everything; nobody may wait any more."""
        self._bell.close()
        if self._notes >= 0:
            os.close(self._notes)

    def _watch(self) -> bool:
        """Begin to watch, and return whether that could be."""
        path = os.fsencode(self._folder)
        number = (
            -1 if self._notes < 0 else _libc.inotify_add_watch(self._notes, path, _IN_MODIFY | _IN_CREATE)
        )
        self._watching = number >= 0
        return self._watching

    def _forget_notes(self) -> None:
        """Read what inotify has to tell, which is no more than that there is something to look at."""
        while self._notes >= 0:
            try:
                notes = os.read(self._notes, 65_536)
            except BlockingIOError:
                return
            self._watching = self._watching and not _says_gone(notes)


def _says_gone(notes: bytes) -> bool:
    """Return whether one of the notes (struct inotify_event: int, three uint32, a name) ends the watch."""
    position = 0
    while position < len(notes):
        mask = int.from_bytes(notes[position + 4 : position + 8], "little")
        if mask & _IN_IGNORED:
            return True
        position += 16 + int.from_bytes(notes[position + 12 : position + 16], "little")
    return False
