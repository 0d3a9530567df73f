"""What can be set about the file engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from core.jobs import Job
from queues.aging import AGING
from queues.file.adopt import Accept, Entered
from queues.file.journal import STEP

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOptions:
    """Limits and choices; the defaults are those of a server of its own."""

    #: Makes a job of what a dropped file asks for; None checks only its shape.
    accept: Accept | None = None
    #: Entered for as long as a dropped file becomes a job; where that raises ShuttingDown, the file stays.
    entered: Entered = nullcontext
    #: Told of each job that a dropped file made.
    adopted: Callable[[Job], None] = lambda job: None
    #: Told the name of each file that was put into quarantine, and why.
    put_aside: Callable[[str, str], None] = lambda name, reason: None
    #: Where running attempts report, best cleared by a reboot; None for `live` below the base.
    live_dir: str | None = None
    #: Jobs that may wait; beyond them QueueFull is raised.
    max_pending: int = 1_000_000
    #: Seconds of waiting that lift a job by one priority.
    aging: float = AGING
    #: Open the queue on a remote file system too, where no promise holds.
    allow_any_filesystem: bool = False
    #: Bytes by which the journal grows.
    journal_step: int = STEP
    #: New jobs are refused when fewer bytes, or a smaller share of bytes or inodes, are free.
    min_free_bytes: int = 256 * _MIB
    min_free_share: float = 0.05
    #: Size of the file that is given up to let running jobs end on a full disk; 0 for none.
    reserve_bytes: int = 16 * _MIB
