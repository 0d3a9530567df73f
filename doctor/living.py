"""Which processes have a queue's folder open: those that hold the lock of their own folder in tmp/."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from doctor.looking import Looking
from queues.file.layout import Layout

_SCRATCH = re.compile(r"(\d+)-[0-9a-f]+")


def buses_on(folder: str) -> tuple[int, ...]:
    """Return the ids of the processes that have the queue open, each once."""
    disk, top = Looking(), Layout(folder, "").top("tmp")
    if not os.access(top, os.R_OK | os.X_OK, effective_ids=True):
        return ()
    found = ((_SCRATCH.fullmatch(name), f"{top}/{name}") for name in disk.folders(top))
    held = (int(scratch[1]) for scratch, path in found if scratch is not None and disk.is_held(path))
    return tuple(sorted(set(held)))


def user_of(pid: int) -> int | None:
    """Return the user id of a process; None when there is none or it cannot be seen."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def environment_of(pid: int) -> Mapping[str, str]:
    """Return the environment with which a process was started; nothing when it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            entries = os.fsdecode(environ.read()).split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
