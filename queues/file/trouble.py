"""What the disk's errors mean, in the words of core/errors.py."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from core.errors import DiskFull, EngineUnavailable

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
_MEANING = {
    errno.EROFS: ("its file system is mounted read-only", "Look at the disk (dmesg) and mount it writable."),
    errno.ENOENT: ("a folder of the queue is missing", "Restart the bus when the folder is back."),
    errno.EACCES: ("the bus may not write there", "Let the folder belong to the user of the bus: chown -R."),
    errno.EMFILE: ("the process has too many open files", "Raise LimitNOFILE."),
}


class Reported:
    """Turn what escapes as OSError into EngineUnavailable or DiskFull: `with reported: …`."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the error that people understand in place of an OSError."""
        if isinstance(error, OSError):
            raise meaning_of(error) from error


reported = Reported()


def missing(folder: str) -> EngineUnavailable:
    """Return the error that says that one of the queue's own folders is gone."""
    return EngineUnavailable(
        f"The queue's folder {folder} is missing.", hint="Put it back, or restart the bus."
    )


def meaning_of(error: OSError) -> EngineUnavailable:
    """Return the error of the bus that says what a failed system call means."""
    number = error.errno or 0
    where = f" ({error.filename})" if error.filename else ""
    if number in _FULL:
        return DiskFull(
            f"The queue cannot be written: {_FULL[number]}{where}.", hint="Make room on the disk."
        )
    what, hint = _MEANING.get(number, (f"{os.strerror(number)}", "Look at the disk and at the kernel's log."))
    return EngineUnavailable(f"The queue's disk failed: {what}{where}.", hint=hint)
