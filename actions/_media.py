"""The folders that actions may read recordings from, those of AAFAI_MEDIA_DIRS, and the way into them.

Every step of the way is opened by itself and never through a symbolic link, so that nothing can be put in its
place between the look and the reading.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO

from core import Fail

#: The folders that may be read, with `:` between them.
MEDIA_DIRS = "AAFAI_MEDIA_DIRS"

_READ = os.O_RDONLY | os.O_CLOEXEC
#: A pipe is opened without waiting for who writes it, and then refused.
_STEP = _READ | os.O_NOFOLLOW | os.O_NONBLOCK
_REASONS = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is no folder, or a symbolic link, which is not followed",
    errno.ELOOP: "is a symbolic link, which is not followed",
    errno.EACCES: "may not be read by the bus",
    errno.ENAMETOOLONG: "has too long a name",
    errno.EINVAL: "is no regular file",
    errno.ENXIO: "is no regular file",
}


@contextmanager
def opened_folder(folder: str) -> Iterator[int]:
    """Open a folder below one of AAFAI_MEDIA_DIRS and yield its descriptor.

    A relative path starts at the first of them. Raises Fail saying what is wrong with it.
    """
    root, parts = _place(folder)
    try:
        descriptor = _descended(os.open(root, _READ | os.O_DIRECTORY), parts, os.O_DIRECTORY)
    except OSError as error:
        raise Fail(f"The folder {folder} {reason(error)}.", code="unreadable_path") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def files_below(folder: int) -> Iterator[str]:
    """Yield the path of every file below an open folder, relative to it."""
    for place, _, files, _ in os.fwalk(dir_fd=folder):
        yield from (str(PurePosixPath(place, name)) for name in files)


@contextmanager
def opened_file(folder: int, path: str) -> Iterator[BinaryIO]:
    """Open a file by its path below an open folder. Raises OSError for what is no regular file."""
    descriptor = _descended(os.dup(folder), PurePosixPath(path).parts, 0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    with os.fdopen(descriptor, "rb") as file:
        yield file


def reason(error: OSError) -> str:
    """Return what is wrong with a file or folder, as it goes on after its name."""
    return _REASONS.get(error.errno or 0) or f"cannot be read: {error.strerror}"


def _place(folder: str) -> tuple[str, tuple[str, ...]]:
    """Return the allowed folder that a path lies below, and the way from there."""
    path = PurePosixPath(folder)
    roots = [root for root in os.environ.get(MEDIA_DIRS, "").split(os.pathsep) if root]
    if ".." in path.parts or "\0" in folder:
        raise Fail("The path of a folder must hold neither '..' nor NUL.", code="path_not_allowed")
    for root in roots:
        if not path.is_absolute():
            return root, path.parts
        if path.is_relative_to(root):
            return root, path.relative_to(root).parts
    raise Fail(f"{folder} lies outside the folders that {MEDIA_DIRS} allows.", code="path_not_allowed")


def _descended(start: int, parts: tuple[str, ...], last: int) -> int:
    """Return the descriptor at the end of the way; `start` is closed, whatever happens."""
    at = start
    for number, part in enumerate(parts, start=1):
        flags = _STEP | (last if number == len(parts) else os.O_DIRECTORY)
        try:
            below = os.open(part, flags, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at
