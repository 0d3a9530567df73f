"""What a process says of its work, line by line on a pipe, each with the moment at which it was true."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job."""

    #: `tried` and `batch` before a submission; `kept`, `whole` (a batch), `keyed`, `started`, `once` and
    #: `ended` after the acknowledgement; or the name of a fault that the process noticed.
    kind: str
    job_id: str
    detail: str
    #: CLOCK_MONOTONIC, which all processes share; read after the thing was done.
    at_ns: int


def say(kind: str, job_id: str, detail: object = "-") -> None:
    """Write one event to standard output, which no buffer holds back."""
    os.write(1, f"{kind} {job_id} {detail} {time.monotonic_ns()}\n".encode())


def heard(output: bytes) -> list[Event]:
    """Return the events of a process; a line that its death cut short is dropped."""
    whole, _, _ = output.rpartition(b"\n")
    rows = (line.split(" ") for line in whole.decode().splitlines())
    return [Event(kind, job_id, detail, int(at)) for kind, job_id, detail, at in rows]


def until(events: Iterable[Event], moment_ns: int) -> list[Event]:
    """Return the events that were true before a moment: of later ones nobody can say what the disk knew."""
    return [event for event in events if event.at_ns < moment_ns]
