"""Names made durable: moving files into folders that come and go, and syncing folders once and enough."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable

from core.errors import Unsupported
from queues.file.disk import Disk
from queues.file.layout import is_bucket
from queues.file.quarantine import Quarantine
from queues.file.trouble import missing

_SEEN_AT_MOST = 128
#: What a move says when its folder is missing, or when something that is not ours bears one of the names.
_IN_THE_WAY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EEXIST, errno.EXDEV})
_NOT_OURS = "It bore a name that the bus needs, and was not what the bus keeps there."


class Folders:
    """Folders below a base. A name is durable when its folder is synced, and the folder's own name too."""

    def __init__(self, disk: Disk, base: str, quarantine: Quarantine) -> None:
        self._disk = disk
        self._quarantine = quarantine
        self._base = base
        self._top_depth = base.count("/") + 1
        self._seen: dict[str, None] = {}  # folders that were there when something was put into them

    def place(self, move: Callable[[str, str], None], source: str, folder: str, name: str) -> None:
        """Rename or link a file into a folder, which is made if it is missing.

        What is no folder or file and bears one of their names is put aside. A folder is looked at before its
        first use, lest a link lead the file elsewhere. It may still be gone later: another process may just
        have removed it.
        """
        if folder not in self._seen:
            self.ensure(folder)
            self._note(folder)
        try:
            move(source, f"{folder}/{name}")
        except OSError as error:
            if error.errno not in _IN_THE_WAY or not self._disk.exists(source):
                raise
            self._clear(folder, name)
            move(source, f"{folder}/{name}")

    def append(
        self, folder: str, name: str, data: bytes, *, sync: bool = False, mtime: float | None = None
    ) -> None:
        """Add to a file in a folder; both are made if they are missing, and what is neither is put aside."""
        path = f"{folder}/{name}"
        try:
            self._disk.append(path, data, sync=sync, mtime=mtime)
        except (FileNotFoundError, Unsupported):
            self._clear(folder, name)
            self._disk.append(path, data, sync=sync, mtime=mtime)

    def buckets(self, folder: str) -> list[str]:
        """Return the names of the buckets in a folder, oldest first; whatever else lies there is not ours."""
        if not self._is_top(folder) and not self._disk.is_folder(folder):
            return []
        return sorted(filter(is_bucket, self._disk.folders(folder)))

    def strays(self, top: str) -> list[str]:
        """Return what lies in a folder of buckets and is none."""
        return sorted(set(self._disk.names(top)).difference(self.buckets(top)))

    def settle(self, folder: str) -> None:
        """Make every name in the folder durable, and the folder's own name up to the base.

        Whoever made the folder may not have synced its parent yet, so that is done here too. Raises OSError:
        what is durable is unknown then.
        """
        self._disk.sync_folder(self._disk.open_folder(folder))
        if folder != self._base:
            self.settle(os.path.dirname(folder))

    def make(self, path: str) -> None:
        """Make a folder below an existing one if it is missing, durably."""
        with contextlib.suppress(FileExistsError):
            self._disk.make_folder(path)
        self.settle(os.path.dirname(path))

    def ensure(self, folder: str) -> None:
        """Make a bucket and what it needs above it, but never a top folder: their loss must show.

        Raises EngineUnavailable when the top folder is missing.
        """
        if self._is_top(folder):
            if not self._disk.exists(folder):
                raise missing(folder)
            return
        self.ensure(os.path.dirname(folder))
        if self._disk.is_folder(folder):
            return
        self._quarantine.put(folder, _NOT_OURS, spare=self._disk.is_folder)
        with contextlib.suppress(FileExistsError):
            self._disk.make_folder(folder)

    def remove_if_empty(self, folder: str) -> None:
        """Remove a folder in which nothing is left."""
        try:
            self._disk.remove_folder(folder)
        except OSError:
            return
        self._seen.pop(folder, None)

    def _is_top(self, folder: str) -> bool:
        return folder.count("/") <= self._top_depth

    def _clear(self, folder: str, name: str) -> None:
        """Make the folder if need be, and put aside what bears the name there and is no file."""
        self.ensure(folder)
        self._quarantine.put(f"{folder}/{name}", _NOT_OURS, spare=self._disk.is_file)

    def _note(self, folder: str) -> None:
        if len(self._seen) >= _SEEN_AT_MOST:
            self._seen.clear()
        self._seen[folder] = None
