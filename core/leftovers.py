"""What an attempt leaves behind when even its warden was killed, and its removal. Linux only: reads /proc."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from core.order import JOB_ID

#: How the name of a warden's spare folder begins; its process id and a dash follow.
SPARE = "aafai-warden-"

_LOOK_AGAIN = 0.02  # seconds
_SWEEPS = 250


def sweep(job_id: str) -> None:
    """Kill what an attempt left running and remove its folder, when its warden could not.

    Its processes are known by the job id in their environment or by their working directory.
    """
    prefix = str(Path(tempfile.gettempdir()) / folder_prefix(job_id))
    for _ in range(_SWEEPS):
        found = [pid for pid in processes() if _belongs(pid, f"{JOB_ID}={job_id}".encode(), prefix)]
        if not found:
            break
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        threading.Event().wait(_LOOK_AGAIN)
    for folder in Path(tempfile.gettempdir()).glob(f"{folder_prefix(job_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)
    sweep_spares()


def sweep_spares() -> None:
    """Remove the spare folders of wardens that are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SPARE}*"):
        if not _lives(folder.name.removeprefix(SPARE).partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)


def folder_prefix(job_id: str) -> str:
    """Return how the names of the temporary folders of a job's attempts begin."""
    # Short, because Chromium keeps a socket deep within, whose path may have 107 bytes.
    return f"aafai-attempt-{job_id[-12:]}-"


def processes() -> list[int]:
    """Return the ids of all processes of the machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _lives(pid: str) -> bool:
    try:
        Path("/proc", pid, "exe").readlink()
    except OSError:  # The dead have none, even before their parent has noticed.
        return False
    return True


def _belongs(pid: int, mark: bytes, prefix: str) -> bool:
    here = Path(f"/proc/{pid}")
    with suppress(OSError):  # It ended, which takes its working directory away, or it is somebody else's.
        return str((here / "cwd").readlink()).startswith(prefix) or mark in (
            here / "environ"
        ).read_bytes().split(b"\0")
    return False
