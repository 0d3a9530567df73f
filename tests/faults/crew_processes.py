"""Processes of this machine as the kernel shows them: who started whom, and for whom they run."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that have not ended."""
    found = []
    with suppress(OSError):  # It ended while we looked.
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, their children, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def is_python(pid: int) -> bool:
    """Return whether a process is an interpreter, and not a program that something started."""
    with suppress(OSError):
        return "python" in Path(f"/proc/{pid}/exe").readlink().name
    return False


def started_for(folder: Path) -> list[int]:
    """Return the processes whose environment names a folder, or something below it."""
    mark = re.compile(re.escape(bytes(folder)) + rb"[/\0]")
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if mark.search(_environment(pid))]


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Send a signal to processes, those that are gone already excepted."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _environment(pid: int) -> bytes:
    """Return the environment that a process was started with; nothing for one that is gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
