"""Writes a small file so that whoever reads it finds the old text or the new one, never half of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace the file in one step; when `durable`, its text is on the disk before it bears the name.

    Makes the file's own folder and nothing above: a queue whose folder is gone must not get a new one here.
    Raises OSError, and then nothing has changed.
    """
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # two buses may share the folder
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
