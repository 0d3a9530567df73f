"""Which processes publish into the mirror, and which of them died before they had published all.

```text
mirror/<pid>-<number>   locked by the process that bears the number; removed when it has published all
mirror/place            the mirror that all of this is about
```

A file that nobody has locked is that of a process which ended with something left to publish: whoever finds
one looks through the jobs that have ended. So nothing is noted at the end of a job, and none is forgotten.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

_MARK, _PLACE = re.compile(r"\d+-[0-9a-f]{16}"), "place"


class Publishers:
    """Mark this process as one that publishes, and find what others left. Every method raises OSError."""

    def __init__(self, folder: Path, place: str) -> None:
        """Keep the marks in a folder, whose parent must be there; `place` is the name of the mirror."""
        self._folder = folder
        self._place = place
        self._mark: Path | None = None
        self._descriptor = -1

    def join(self) -> None:
        """Mark this process durably: should it die, the next one looks for what it left."""
        if self._mark is not None:
            return
        self._folder.mkdir(mode=0o750, exist_ok=True)
        mark = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        # Locked before it bears its name, or others would take this process for a dead one.
        draft = mark.with_suffix(".part")
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        draft.replace(mark)
        self._mark = mark
        _sync(self._folder)
        _sync(self._folder.parent)

    def leave(self, *, done: bool) -> None:
        """Take the mark away when all is `done`, or leave it for others to find."""
        if self._mark is None:
            return
        if done:
            self._mark.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._mark, self._descriptor = None, -1

    def left_behind(self) -> list[Path]:
        """Return the marks of processes that are no more, for `forget`."""
        with suppress(FileNotFoundError):
            return [path for path in self._folder.iterdir() if _MARK.fullmatch(path.name) and _is_dead(path)]
        return []

    def is_new(self) -> bool:
        """Return whether nothing was published into this very mirror before."""
        try:
            return (self._folder / _PLACE).read_text(encoding="utf-8") != f"{self._place}\n"
        except FileNotFoundError:
            return True

    def forget(self, marks: list[Path]) -> None:
        """Note that what these processes left, and all before this mirror, is known to this one."""
        (self._folder / _PLACE).write_text(f"{self._place}\n", encoding="utf-8")
        for mark in marks:
            mark.unlink(missing_ok=True)


def forget_place(folder: Path) -> None:
    """Have whatever mirror comes next looked through, because jobs end without one. Raises OSError."""
    (folder / _PLACE).unlink(missing_ok=True)


def _is_dead(mark: Path) -> bool:
    try:
        descriptor = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
