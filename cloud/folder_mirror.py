"""A mirror that is a folder: on a disk that others share or copy, or below a web server."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from core.errors import InvalidRequest
from core.mirror import INBOX, REFUSED, Left, MirrorFailed

#: Neither following a link nor waiting for a writer, should the name be that of a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderMirror:
    """Keep a mirror in a folder, which must be there: one that is not mounted must not be made anew."""

    interval = 2.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return f"folder:{self._folder}"

    def check(self) -> str | None:
        """Return a sentence when the folder is not there, or may not be written."""
        try:
            self._must_be_there()
        except MirrorFailed as error:
            return f"{error} {error.hint}"
        if os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            return None
        remedy = "Look at its owner and its mode; a service needs ReadWritePaths= for it."
        return f"{self.name}: the user of the bus may not write there. {remedy}"

    def put(self, path: str, source: BinaryIO, *, size: int, content_type: str) -> None:
        """Write a file under another name first, so that no power cut leaves half. Raises MirrorFailed."""
        target = self._folder / path
        # Nobody else's name: two processes may share the folder, and in containers even their numbers.
        draft = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            self._make(target.parent)
            with draft.open("xb") as file:
                copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise self._failed(error, path) from error

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder. Raises MirrorFailed."""
        try:
            paths = list((self._folder / folder).iterdir())
            return [path.name for path in paths if not path.name.startswith(".")]
        except FileNotFoundError:
            self._must_be_there()
            return []
        except OSError as error:
            raise self._failed(error, folder) from error

    def left(self) -> list[Left]:
        """Return what lies in the mailbox, which is made, by name. Raises MirrorFailed."""
        try:
            self._make(self._folder / INBOX)
            found = []
            for path in sorted((self._folder / INBOX).iterdir()):
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    if not stat.S_ISDIR(status.st_mode):
                        found.append(_left(path.name, status))
        except OSError as error:
            raise self._failed(error, INBOX) from error
        return found

    def get(self, left: Left) -> bytes | None:
        """Return a file of the mailbox; None when it has gone or changed.

        Raises MirrorFailed, or InvalidRequest when the file does not let itself be read.
        """
        try:
            descriptor = os.open(self._folder / INBOX / left.name, _FILE)
            with os.fdopen(descriptor, "rb") as file:
                content = file.read(left.size + 1)
                same = _left(left.name, os.fstat(file.fileno())) == left
        except FileNotFoundError:
            return None
        except PermissionError:
            hint = "Give the user of the bus the right to read what you leave, as by chmod a+r."
            raise InvalidRequest("file", "may not be read.", hint=hint, code="not_readable") from None
        except OSError as error:
            raise self._failed(error, f"{INBOX}/{left.name}") from error
        return content if same else None

    def remove(self, left: Left) -> None:
        """Remove a file from the mailbox, unless it has changed. Raises MirrorFailed."""
        path = self._folder / INBOX / left.name
        try:
            if _is_still(left, path):
                path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed(error, f"{INBOX}/{left.name}") from error

    def put_aside(self, left: Left) -> None:
        """Move something to the folder of what was refused, unless it has changed. Raises MirrorFailed."""
        path = self._folder / INBOX / left.name
        try:
            self._make(self._folder / REFUSED)
            if _is_still(left, path):
                path.replace(self._folder / REFUSED / left.name)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._failed(error, f"{INBOX}/{left.name}") from error

    def _make(self, folder: Path) -> None:
        """Make a folder within that of the mirror. Raises OSError or MirrorFailed."""
        self._must_be_there()
        folder.mkdir(parents=True, exist_ok=True)

    def _must_be_there(self) -> None:
        """Raise MirrorFailed when the folder is not there, or may not be looked at."""
        try:
            there = self._folder.is_dir()
        except OSError as error:
            hint = "Let the user of the bus into every folder above it."
            raise MirrorFailed(f"{self.name}: {error.strerror or error}.", hint=hint) from error
        if not there:
            hint = "Make it, or mount what it is to be."
            raise MirrorFailed(f"{self.name}: there is no such folder.", hint=hint)

    def _failed(self, error: OSError, path: str) -> MirrorFailed:
        """Return the error in our words; the path is named when it, and not the disk, was what failed."""
        what = f"{path!r}: " if error.filename else ""
        return MirrorFailed(f"{self.name}: {what}{error.strerror or error}.")


def _is_still(left: Left, path: Path) -> bool:
    """Return whether nobody has put something else in that place. Raises FileNotFoundError."""
    return _left(left.name, path.lstat()) == left


def _left(name: str, status: os.stat_result) -> Left:
    return Left(
        name=name,
        size=status.st_size,
        tag=f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}",
        modified=status.st_mtime,
        regular=stat.S_ISREG(status.st_mode),
    )
