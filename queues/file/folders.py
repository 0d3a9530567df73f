"""Names made durable: moving files into folders that come and go, and syncing folders once and enough."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from queues.file.disk import Disk, OpenFolder

_HELD_AT_MOST = 128


class Folders:
    """Folders below a base. A name is durable when its folder is synced, and the folder's own name too."""

    def __init__(self, disk: Disk, base: str) -> None:
        self._disk = disk
        self._base = base
        self._top_depth = base.count("/") + 1
        self._held: dict[str, OpenFolder] = {}  # folders whose own names are durable, oldest use first

    def place(self, move: Callable[[str, str], None], source: str, folder: str, name: str) -> None:
        """Rename or link a file into a folder, which is made if it is missing.

        No cached knowledge is asked whether the folder exists: another process may just have removed it.
        """
        try:
            move(source, f"{folder}/{name}")
        except FileNotFoundError:
            if not self._disk.exists(source):
                raise
            self.ensure(folder)
            move(source, f"{folder}/{name}")

    def settle(self, folder: str) -> None:
        """Make every name in the folder durable, and the folder's own name up to the base.

        Whoever made the folder may not have synced its parent yet, so that is done here too, unless this
        object did it before for this very folder. Raises OSError: what is durable is unknown then.
        """
        held = self._held.get(folder)
        if held is not None:
            self._disk.sync_folder(held)
            if not self._disk.is_removed(held):
                return
        held = self._disk.open_folder(folder)
        self._disk.sync_folder(held)
        if folder != self._base:
            self.settle(os.path.dirname(folder))
        self._keep(folder, held)

    def make(self, path: str) -> None:
        """Make a folder below an existing one if it is missing, durably."""
        with contextlib.suppress(FileExistsError):
            self._disk.make_folder(path)
        self.settle(os.path.dirname(path))

    def ensure(self, folder: str) -> None:
        """Make a bucket and what it needs above it, but never a top folder: their loss must show."""
        parent = os.path.dirname(folder)
        try:
            self._disk.make_folder(folder)
        except FileExistsError:
            return
        except FileNotFoundError:
            if parent.count("/") <= self._top_depth:
                raise
            self.ensure(parent)
            self.ensure(folder)

    def remove_if_empty(self, folder: str) -> None:
        """Remove a folder in which nothing is left."""
        try:
            self._disk.remove_folder(folder)
        except OSError:
            return
        self._held.pop(folder, None)

    def let_go(self) -> None:
        """Hold no folder open any more."""
        self._held.clear()

    def _keep(self, folder: str, held: OpenFolder) -> None:
        if len(self._held) >= _HELD_AT_MOST:
            self._held.pop(next(iter(self._held)), None)
        self._held[folder] = held
