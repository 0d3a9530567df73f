"""The disk as the file engine uses it: every system call passes here, for tests to watch and break."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from core.errors import Unsupported

FILE_MODE, FOLDER_MODE = 0o640, 0o750
#: Owner-execute on a record: it was claimed. `ls -l running/` shows what executes.
CLAIMED_BIT = stat.S_IXUSR

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KEEP = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ADD = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)

#: What the kernel says of a path that leads through something that is no folder, or to a folder where a file
#: was meant: for the bus nothing of its own is there.
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR})
#: What opening says of a name that is no file of ours, in words.
_NOT_OURS = {
    errno.ELOOP: "It is a symbolic link, and those are never followed.",
    errno.EACCES: "The bus may not open it: it belongs to another user.",
    errno.EISDIR: "It is not a regular file.",
    errno.ENXIO: "It is not a regular file.",
    errno.ENODEV: "It is not a regular file.",
}


class OpenFolder:
    """A folder held open: while it is, its inode number cannot pass to another folder of the same name."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.fd = os.open(path, _FOLDER)
        except OSError as error:
            raise _plainly(error) from None

    def let_go(self) -> None:
        """Let go of the folder's lock."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def __del__(self) -> None:
        # Closing is left to the last user: a thread may still be syncing when another lets the folder go.
        if hasattr(self, "fd"):
            os.close(self.fd)


class Disk:
    """System calls and what they all need: whole writes, no symlinks followed, nothing inherited.

    People can put anything under any name. So a name is either what it should be, or it is not there
    (FileNotFoundError), or, where a file is opened, it is something else (Unsupported, with a sentence).
    """

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

    def create(self, path: str) -> int:
        """Create an empty file and hold it open for reading and writing."""
        return os.open(path, _KEEP, FILE_MODE)

    def write_at(self, fd: int, data: bytes, position: int) -> None:
        """Write over the bytes from a position on."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(fd, rest, position)
            rest, position = rest[written:], position + written

    def append(self, path: str, data: bytes, *, sync: bool = False, mtime: float | None = None) -> None:
        """Add to the end of a regular file, which is created if need be. Raises Unsupported."""
        fd = _opened(path, _ADD)
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
        """Remove a file's name. Raises FileNotFoundError when no file bears it."""
        try:
            os.unlink(path)
        except OSError as error:
            raise _plainly(error) from None

    def make_folder(self, path: str) -> None:
        """Make a folder. Raises FileExistsError."""
        os.mkdir(path, FOLDER_MODE)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)

    def open_folder(self, path: str) -> OpenFolder:
        """Hold a folder open. Raises FileNotFoundError when there is no such folder."""
        return OpenFolder(path)

    def sync_folder(self, folder: OpenFolder) -> None:
        """Make the names in a folder durable."""
        os.fsync(folder.fd)

    def sync_file(self, fd: int) -> None:
        """Make an open file durable, its mode included."""
        os.fsync(fd)

    def sync_data(self, fd: int) -> None:
        """Make the content of an open file durable, and of its inode what is needed to read it."""
        os.fdatasync(fd)

    def sync_all(self, fd: int) -> None:
        """Make durable all that was written to an open file's file system before: files, names and modes.

        Errors of writing back since the file was opened are told too (Linux 5.8).
        """
        if _libc.syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def is_removed(self, folder: OpenFolder) -> bool:
        """Return whether the folder has been removed while it was held open."""
        return os.fstat(folder.fd).st_nlink == 0

    def open(self, path: str) -> int:
        """Open a regular file for reading. Raises FileNotFoundError, and Unsupported for anything else."""
        return _opened(path, _READ)

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

    def mark_claimed(self, fd: int, *, claimed: bool = True) -> None:
        """Set the owner-execute bit of a record, or take it away again."""
        os.fchmod(fd, FILE_MODE | CLAIMED_BIT if claimed else FILE_MODE)

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
        """Return the content of a regular file, or its beginning. Raises as `open` does."""
        fd = self.open(path)
        try:
            return self.read(fd) if limit is None else os.read(fd, limit)
        finally:
            self.close(fd)

    def status(self, path: str) -> os.stat_result:
        """Return what stat says of a name itself, symlink or not. Raises FileNotFoundError."""
        try:
            return os.stat(path, follow_symlinks=False)
        except OSError as error:
            raise _plainly(error) from None

    def status_of(self, fd: int) -> os.stat_result:
        """Return what stat says of an open file."""
        return os.fstat(fd)

    def exists(self, path: str) -> bool:
        """Return whether something bears that name: the cheapest of all calls."""
        return os.access(path, os.F_OK)

    def opens(self, path: str) -> bool:
        """Return whether a regular file bears that name and may be read."""
        try:
            self.close(self.open(path))
        except (FileNotFoundError, Unsupported):
            return False
        return True

    def is_file(self, path: str) -> bool:
        """Return whether a regular file bears that name."""
        try:
            return stat.S_ISREG(self.status(path).st_mode)
        except FileNotFoundError:
            return False

    def is_folder(self, path: str) -> bool:
        """Return whether a folder bears that name, not a link to one."""
        try:
            return stat.S_ISDIR(self.status(path).st_mode)
        except FileNotFoundError:
            return False

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, none if there is no such folder."""
        try:
            return os.listdir(path)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            return []

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders in a folder, links to folders not among them."""
        try:
            return [entry.name for entry in self.entries(path) if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
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


def _opened(path: str, flags: int) -> int:
    """Open a regular file; never follow a link, never wait for the other end of a pipe."""
    try:
        fd = os.open(path, flags, FILE_MODE)
    except OSError as error:
        if error.errno in _NOT_OURS:
            raise Unsupported(_NOT_OURS[error.errno]) from error
        raise _plainly(error) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Unsupported("It is not a regular file.")
    return fd


def _plainly(error: OSError) -> OSError:
    """Return FileNotFoundError for all that means the same to the bus, and else the error itself."""
    if error.errno not in _NOT_THERE:
        return error
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), error.filename)
