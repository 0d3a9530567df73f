"""What the actions of a server under test do: write into a book that they began, take their time, and end."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from core import JobContext

_GLANCE = 0.05  # seconds


def work(job: JobContext, book: str, seconds: float, *, heedless: bool = False) -> str:
    """Work for so long, with an entry in the book before and after; stop early when the bus wants it.

    Who has a file `enough` put beside the book lets all work end.
    """
    enter(book, "started", job.id, ",".join(map(str, lineage())))
    enough = Path(book).with_name("enough")
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not enough.exists():
        threading.Event().wait(min(left, _GLANCE))
        if not heedless:
            job.check_cancelled()
    enter(book, "ended", job.id)
    return job.id


def leave_something_running() -> None:
    """Start a program that goes its own way and would outlive whoever started it."""
    subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)


def enter(book: str, kind: str, job_id: str, detail: str = "-") -> None:
    """Add one entry to a book that many processes write into, in one call that no death can tear."""
    number = os.open(book, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(number, f"{kind} {job_id} {detail} {time.monotonic_ns()}\n".encode())
    finally:
        os.close(number)


def lineage() -> Iterator[int]:
    """Yield the ids of this process and of its ancestors, without the first process of all."""
    number = os.getpid()
    while number > 1:
        yield number
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        number = int(fields[1])
