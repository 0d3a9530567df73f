"""System calls of a running server that fail because strace makes them fail."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.crew import waited_for

#: What leads to the disk, under all the names that a C library may choose. Plain `write` is not among them:
#: it also wakes threads and speaks to children through pipes, which no disk can make fail.
CALLS = {
    "write": "pwrite64",
    "sync": "fsync,fdatasync,syncfs",
    "commit": "fdatasync",
    "open": "openat",
    "rename": "rename,renameat,renameat2",
    "link": "link,linkat",
    "make": "mkdir,mkdirat",
    "unlink": "unlink,unlinkat,rmdir",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Which calls fail, how, and when."""

    #: One of CALLS.
    kind: str
    #: Such as ENOSPC.
    error: str
    #: Which call of each thread fails, counted from 1; with a `+`, all from there on.
    when: str

    @property
    def options(self) -> list[str]:
        """How strace is told."""
        calls = CALLS[self.kind]
        return ["-e", f"trace={calls}", "-e", f"inject={calls}:error={self.error}:when={self.when}"]


@dataclass
class Injection:
    """A fault that is being injected, and where strace writes what it did."""

    output: Path
    process: subprocess.Popen[bytes]

    def broken(self, folder: Path) -> list[str]:
        """Return the calls that were made to fail on files below a folder, as strace writes them."""
        lines = self.output.read_text(errors="replace").splitlines()
        return [line for line in lines if "(INJECTED)" in line and f"{folder}/" in line]


@contextmanager
def injecting(fault: Fault, pids: list[int], output: Path, *, strace: str) -> Iterator[Injection]:
    """Make calls of these processes fail as long as the block lasts, or until they end."""
    chosen = [part for pid in pids for part in ("-p", str(pid))]
    command = [strace, "-f", "-y", "-qq", "-o", str(output), *fault.options, *chosen]
    with subprocess.Popen(command) as process:
        try:
            waited_for(lambda: process.poll() is not None or all(map(_is_traced, pids)))
            yield Injection(output, process)
        finally:
            process.send_signal(signal.SIGINT)  # it lets go of them and ends


def must_be_told(call: str, queues: Path) -> bool:
    """Return whether a call is one of those that make a job durable, so that its failure must be told.

    That a file could not be removed, or that a folder could not be looked at, may be mended later.
    """
    kept = rf"{re.escape(str(queues))}/(journal|tmp|inbound|scheduled|running|outbound|keys)"
    told = rf"(pwrite64|fsync|fdatasync)\(\d+<{kept}|syncfs\(|\b(rename|link)\w*\(.*{kept}/"
    return re.search(told, call) is not None


def _is_traced(pid: int) -> bool:
    """Return whether all threads of a process are in the hands of a tracer."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return not any("TracerPid:\t0\n" in (thread / "status").read_text() for thread in threads)
    except OSError:
        return True  # it is gone
