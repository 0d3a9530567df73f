"""The job that all queues are given: it notes that it began, and answers with what it was asked."""

from __future__ import annotations

import functools
import os
import struct
import time
from pathlib import Path
from typing import Any

#: File in which each job notes, in eight bytes, when it began (CLOCK_MONOTONIC, nanoseconds).
BEGINNINGS = "BENCH_BEGINNINGS"
#: Makes the arguments, and so the result, about 200 bytes of JSON.
TEXT = "All that a queue is asked to carry here is this. " * 3 + "It weighs very little."

_MOMENT = struct.Struct("<q")


def noop(number: int, text: str) -> dict[str, Any]:
    """Note the moment and return the arguments."""
    # One write of O_APPEND is whole and in order, whichever processes write.
    os.write(_beginnings(), _MOMENT.pack(time.monotonic_ns()))
    return {"number": number, "text": text}


def beginnings(file: Path) -> list[int]:
    """Return the moments noted so far, in nanoseconds, oldest first."""
    noted = file.read_bytes()
    whole = len(noted) - len(noted) % _MOMENT.size
    return sorted(moment for (moment,) in _MOMENT.iter_unpack(noted[:whole]))


@functools.cache
def _beginnings() -> int:
    return os.open(os.environ[BEGINNINGS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
