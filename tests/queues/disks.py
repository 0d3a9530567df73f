"""Disks for tests: one that syncs nothing and is quick, one that remembers every call, one that fails."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from queues.file.disk import CLAIMED_BIT, FILE_MODE, Disk, OpenFolder


class QuickDisk(Disk):
    """Sync nothing: for tests that cut no power."""

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        super().write_new(path, data, sync=False, mtime=mtime)

    def append(self, path: str, data: bytes, *, sync: bool = False, mtime: float | None = None) -> None:
        super().append(path, data, sync=False, mtime=mtime)

    def sync_folder(self, folder: OpenFolder) -> None:
        pass

    def sync_file(self, fd: int) -> None:
        pass

    def sync_data(self, fd: int) -> None:
        pass

    def sync_all(self, fd: int) -> None:
        pass


@dataclass(frozen=True)
class Call:
    """One call that changes the disk, or makes changes durable."""

    kind: str
    path: str = ""
    source: str = ""
    inode: int = 0
    data: bytes = b""
    #: Where the data goes; None for the end of the file.
    position: int | None = None

    @property
    def names_in(self) -> str:
        """The folder whose sync makes the call durable."""
        return str(Path(self.path).parent)


class RecordingDisk(QuickDisk):
    """Note every call, so that the states that a power cut leaves can be built from them."""

    def __init__(self) -> None:
        #: How many states were made of the calls.
        self.states = 0
        self.calls: list[Call] = []
        #: How many calls it took to open the engine.
        self.opened = 0
        self.mtimes: dict[int, float] = {}

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        super().write_new(path, data, mtime=mtime)
        inode = self.status(path).st_ino
        if mtime is not None:
            self.mtimes[inode] = mtime
        self.calls.append(Call("create", path, inode=inode))
        self.calls.append(Call("data", inode=inode, data=data))
        if sync:
            self.calls.append(Call("sync file", inode=inode))

    def create(self, path: str) -> int:
        fd = super().create(path)
        self.calls.append(Call("create", path, inode=self.status_of(fd).st_ino))
        return fd

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        super().write_at(fd, data, position)
        self.calls.append(Call("data", inode=self.status_of(fd).st_ino, data=data, position=position))

    def append(self, path: str, data: bytes, *, sync: bool = False, mtime: float | None = None) -> None:
        is_new = not self.exists(path)
        super().append(path, data, mtime=mtime)
        inode = self.status(path).st_ino
        if is_new:
            self.calls.append(Call("create", path, inode=inode))
        self.calls.append(Call("data", inode=inode, data=data))
        if sync:
            self.calls.append(Call("sync file", inode=inode))

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        self.calls.append(Call("rename", target, source=source, inode=self.status(target).st_ino))

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        self.calls.append(Call("link", target, inode=self.status(target).st_ino))

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.calls.append(Call("unlink", path))

    def make_folder(self, path: str) -> None:
        super().make_folder(path)
        self.calls.append(Call("make folder", path))

    def remove_folder(self, path: str) -> None:
        super().remove_folder(path)
        self.calls.append(Call("remove folder", path))

    def sync_folder(self, folder: OpenFolder) -> None:
        self.calls.append(Call("sync folder", folder.path))

    def sync_file(self, fd: int) -> None:
        self.calls.append(Call("sync file", inode=self.status_of(fd).st_ino))

    def sync_data(self, fd: int) -> None:
        self.calls.append(Call("sync file", inode=self.status_of(fd).st_ino))

    def sync_all(self, fd: int) -> None:
        self.calls.append(Call("sync all"))

    def mark_claimed(self, fd: int, *, claimed: bool = True) -> None:
        super().mark_claimed(fd, claimed=claimed)
        self.calls.append(Call("mark" if claimed else "unmark", inode=self.status_of(fd).st_ino))


class FaultyDisk(QuickDisk):
    """Fail the n-th call with an error, once or from then on."""

    def __init__(self, number: int, *, error: int, for_ever: bool) -> None:
        self.number = number
        self.error = error
        self.for_ever = for_ever
        self.only = ""
        self.seen = 0
        self.failed: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in _NEVER_FAIL or not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self.seen += self.only in {"", name}
            if self.only not in {"", name}:
                return found(*args, **options)
            if self.seen == self.number or (self.for_ever and self.seen > self.number):
                self.failed.append(name)
                if name == "write_new":
                    _leave_half(args[0], args[1])
                raise OSError(self.error, os.strerror(self.error), name)
            return found(*args, **options)

        return call


#: These do not fail in a way that anybody could act upon.
_NEVER_FAIL = frozenset({"close", "exists", "is_removed"})


def _leave_half(path: str, data: bytes) -> None:
    """Do as a write that ran out of room does, cleaning up included."""
    half = Path(path)
    half.write_bytes(data[: len(data) // 2])
    half.unlink()


def rebuilt(
    tree: dict[str, int], contents: dict[int, bytes], marked: set[int], mtimes: dict[int, float]
) -> None:
    """Make the files of a tree (path to inode), hard links included."""
    made: dict[int, Path] = {}
    for path, inode in ((Path(name), inode) for name, inode in tree.items()):
        path.parent.mkdir(parents=True, exist_ok=True)
        if inode in made:
            path.hardlink_to(made[inode])
            continue
        path.write_bytes(contents[inode])
        path.chmod(FILE_MODE | (CLAIMED_BIT if inode in marked else 0))
        if inode in mtimes:
            os.utime(path, (mtimes[inode], mtimes[inode]))
        made[inode] = path
