"""The scratch folders in tmp/: one for each engine object, locked while it lives, swept when it is dead."""

from __future__ import annotations

import contextlib
import os
import secrets

from queues.file.disk import Disk, OpenFolder
from queues.file.layout import Layout


class Scratch:
    """The folder of one engine object, and the sweeping of those that nobody holds."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._top = layout.top("tmp")
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        #: The folder's path.
        self.path = f"{self._top}/{self._name}"
        self._folder: OpenFolder | None = self._made()

    def sweep(self) -> None:
        """Remove the folders of the dead with all that is in them: drafts that never got a name."""
        for name in self._disk.names(self._top):
            if name != self._name:
                # What somebody else put here, or what cannot be removed, must not hold up the work.
                with contextlib.suppress(OSError):
                    self._sweep(f"{self._top}/{name}")

    def let_go(self) -> None:
        """Remove the folder, or leave it to the next sweep if that fails."""
        if self._folder is not None:
            self._folder.let_go()
        self._folder = None  # closed, or its file system could not be unmounted
        with contextlib.suppress(OSError):
            self._sweep(self.path)

    def _made(self) -> OpenFolder:
        """Make and lock the folder; a sweep between the two takes it away, so look whether it is there."""
        while True:
            with contextlib.suppress(FileExistsError):
                self._disk.make_folder(self.path)
            with contextlib.suppress(FileNotFoundError):
                folder = self._disk.open_folder(self.path)
                if self._disk.lock(folder.fd) and not self._disk.is_removed(folder):
                    return folder

    def _sweep(self, path: str) -> None:
        folder = self._disk.open_folder(path)
        if not self._disk.lock(folder.fd):
            return
        for name in self._disk.names(path):
            self._disk.unlink(f"{path}/{name}")
        self._disk.remove_folder(path)
