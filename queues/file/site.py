"""What every part of the file engine stands on: the disk, the paths, the folders, a scratch folder."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.clock import Clock, SystemClock
from core.errors import EngineInDoubt
from queues.file.disk import Disk
from queues.file.folders import Folders
from queues.file.layout import Layout

#: Seconds, ten times the coarsest tick in use.
_TICK = 0.1


@dataclass(slots=True)
class Site:
    """The ground that the parts of one engine object share."""

    disk: Disk
    layout: Layout
    folders: Folders
    #: This process's own folder below tmp/: what lies there is nobody's until it is renamed.
    tmp: str
    clock: Clock = field(default_factory=SystemClock)
    #: Why the state of the disk is unknown since a failed sync; empty while all is well.
    doubt: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def scratch(self, job_id: str) -> str:
        """Return a path for a new file that no other thread uses."""
        return f"{self.tmp}/{job_id}.{next(self._numbers)}"

    def live_scratch(self, job_id: str) -> str:
        """Return such a path on the file system of the live files."""
        return f"{self.layout.live}/.{job_id}.{next(self._numbers)}"

    def discard(self, draft: str) -> None:
        """Remove a draft that is not needed; if that fails, the next start does it."""
        with contextlib.suppress(OSError):
            self.disk.unlink(draft)

    def is_past(self, changed_ns: int) -> bool:
        """Return whether a file time is so old that the next change will get another.

        File systems date changes by a clock that ticks every few milliseconds.
        """
        return self.clock.now() - changed_ns / 1e9 > _TICK

    def be_certain(self) -> None:
        """Raise EngineInDoubt when a sync has failed and nobody knows what is on the disk."""
        if self.doubt:
            raise EngineInDoubt(
                f"What is on the disk is unknown, because {self.doubt}.",
                hint="Restart the bus: it then reads what is there.",
            )
