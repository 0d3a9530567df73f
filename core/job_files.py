"""The files that a job has made: found and opened below its own folder, never through a link."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Not waiting for a writer, should the name be that of a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 32

#: Types that a browser shows without running anything that is in them; all others are just bytes.
SAFE_TYPES = frozenset(
    {
        *("text/plain", "text/csv", "application/json", "application/pdf", "application/zip"),
        *("image/png", "image/jpeg", "image/gif", "image/webp"),
        *("audio/mpeg", "audio/ogg", "audio/x-wav", "audio/wav", "audio/flac", "video/mp4", "video/webm"),
    }
)
BYTES = "application/octet-stream"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFile:
    """A regular file in a job's folder."""

    #: Relative to the folder, with slashes.
    name: str
    #: In bytes.
    size: int
    #: When it was last written, in Unix seconds.
    modified: float
    #: Changes when the file does.
    tag: str

    @property
    def content_type(self) -> str:
        """The type as which it is served."""
        guessed, encoding = mimetypes.guess_type(self.name)
        return guessed if guessed in SAFE_TYPES and encoding is None else BYTES


def files_in(folder: Path) -> Iterator[JobFile]:
    """Yield the files in the folder and in those within it, by name; none when it is not there."""
    with suppress(OSError):
        yield from _found(os.open(folder, _FOLDER), "", _DEEPEST)


def opened(folder: Path, name: str) -> tuple[int, JobFile] | None:
    """Open a file and return its descriptor and what it is; None when the folder has no such file.

    No part of the name is a link, or leads out of the folder: each is opened from within the one before it.
    """
    *above, last = name.split("/")
    if not all(map(_is_plain, (*above, last))):
        return None
    try:
        descriptor = _walked(folder, above, last)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, _file(name, status)
    os.close(descriptor)
    return None


def _walked(folder: Path, above: list[str], last: str) -> int:
    here = os.open(folder, _FOLDER)
    try:
        for part in above:
            within = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = within
        return os.open(last, _FILE, dir_fd=here)
    finally:
        os.close(here)


def _found(folder: int, path: str, deepest: int) -> Iterator[JobFile]:
    """Yield what is in an open folder, and close it."""
    try:
        for name in sorted(filter(_is_plain, os.listdir(folder))):
            with suppress(OSError):  # It has gone since, or may not be read.
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield _file(path + name, status)
                elif stat.S_ISDIR(status.st_mode) and deepest > 0:
                    yield from _found(os.open(name, _FOLDER, dir_fd=folder), f"{path}{name}/", deepest - 1)
    finally:
        os.close(folder)


def _file(name: str, status: os.stat_result) -> JobFile:
    tag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    return JobFile(name=name, size=status.st_size, modified=status.st_mtime, tag=tag)


def _is_plain(part: str) -> bool:
    """Return whether that may be the name of a file or folder which a URL can spell."""
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return part not in {"", ".", ".."} and not any(one in part for one in "\0\n/")
