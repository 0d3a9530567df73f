"""The disk as the file engine uses it: every system call passes here, for tests to watch and break."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator

from core.errors import Unsupported

FILE_MODE, FOLDER_MODE = 0o640, 0o750
#: Owner-execute on a record: it was claimed. `ls -l running/` shows what executes.
CLAIMED_BIT = stat.S_IXUSR

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CHUNK = 1 << 20


class OpenFolder:
    """A folder held open: while it is, its inode number cannot pass to another folder of the same name."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, _FOLDER)

    def let_go(self) -> None:
        """Let go of the folder's lock."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def __del__(self) -> None:
        # Closing is left to the last user: a thread may still be syncing when another lets the folder go.
        if hasattr(self, "fd"):
            os.close(self.fd)


class Disk:
    """System calls and what they all need: whole writes, no symlinks followed, nothing inherited."""

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        """Create a file with this content, durable if `sync`; leave nothing behind when that fails."""
        fd = os.open(path, _NEW, FILE_MODE)
        try:
            self._write(fd, data)
            if mtime is not None:
                self.date(fd, mtime)
            if sync:
                os.fsync(fd)
        except BaseException:
            # The same inode is never synced twice: after an error the kernel may call lost pages clean.
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def append(self, path: str, data: bytes, *, sync: bool = False, mtime: float | None = None) -> None:
        """Add to the end of a file, which is created if need be."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            self._write(fd, data)
            if mtime is not None:
                self.date(fd, mtime)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, source: str, target: str) -> None:
        """Move a name, over what bears the target's."""
        os.rename(source, target)

    def link(self, source: str, target: str) -> None:
        """Give a file a further name. Raises FileExistsError when that is taken."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def make_folder(self, path: str) -> None:
        """Make a folder. Raises FileExistsError."""
        os.mkdir(path, FOLDER_MODE)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)

    def open_folder(self, path: str) -> OpenFolder:
        """Hold a folder open."""
        return OpenFolder(path)

    def sync_folder(self, folder: OpenFolder) -> None:
        """Make the names in a folder durable."""
        os.fsync(folder.fd)

    def sync_file(self, fd: int) -> None:
        """Make an open file durable, its mode included."""
        os.fsync(fd)

    def is_removed(self, folder: OpenFolder) -> bool:
        """Return whether the folder has been removed while it was held open."""
        return os.fstat(folder.fd).st_nlink == 0

    def open(self, path: str) -> int:
        """Open for reading; never follows a link and never waits for the writer of a pipe."""
        return os.open(path, _READ)

    def close(self, fd: int) -> None:
        """Close a descriptor, and with the last one of its file let go of the lock."""
        os.close(fd)

    def lock(self, fd: int, *, wait: bool = False, shared: bool = False) -> bool:
        """Take the lock of an open file or folder; return False when somebody else holds it."""
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def mark_claimed(self, fd: int) -> None:
        """Set the owner-execute bit of a record."""
        os.fchmod(fd, FILE_MODE | CLAIMED_BIT)

    def date(self, fd: int, mtime: float) -> None:
        """Set the time that matters in the file's present state, such as when it is due, in Unix seconds."""
        os.utime(fd, (mtime, mtime))

    def read(self, fd: int) -> bytes:
        """Return the rest of an open file."""
        chunks = []
        while chunk := os.read(fd, _CHUNK):
            chunks.append(chunk)
        return b"".join(chunks)

    def read_file(self, path: str, *, limit: int | None = None) -> bytes:
        """Return the content of a regular file, or its beginning. Raises Unsupported for anything else."""
        fd = self.open(path)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Unsupported(f"{path} is not a regular file.")
            return self.read(fd) if limit is None else os.read(fd, limit)
        finally:
            self.close(fd)

    def status(self, path: str) -> os.stat_result:
        """Return what stat says of a name itself, symlink or not."""
        return os.stat(path, follow_symlinks=False)

    def status_of(self, fd: int) -> os.stat_result:
        """Return what stat says of an open file."""
        return os.fstat(fd)

    def exists(self, path: str) -> bool:
        """Return whether something bears that name: the cheapest of all calls."""
        return os.access(path, os.F_OK)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, none if there is no such folder."""
        try:
            return os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def entries(self, path: str) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a folder."""
        with os.scandir(path) as entries:
            yield from entries

    def room(self, path: str) -> os.statvfs_result:
        """Return how much room the file system has."""
        return os.statvfs(path)

    def reserve(self, path: str, size: int) -> None:
        """Create a file that occupies `size` bytes."""
        fd = os.open(path, _NEW, FILE_MODE)
        try:
            os.posix_fallocate(fd, 0, size)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def _write(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
