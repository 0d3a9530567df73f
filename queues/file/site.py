"""What every part of the file engine stands on: the disk, the paths, the folders, a scratch folder."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.clock import Clock, SystemClock
from core.errors import EngineInDoubt, EngineUnavailable, OutcomeUnknown
from queues.file.disk import Disk
from queues.file.folders import Folders
from queues.file.layout import Layout

#: Seconds, ten times the coarsest tick in use.
_TICK = 0.1
_NOT_OPENED = frozenset({errno.EMFILE, errno.ENFILE})


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
    #: Folders with names that are still to be made durable.
    _late: set[str] = field(default_factory=set)
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

    def commit(self, folder: str, job_id: str) -> None:
        """Make the names in a folder durable. Raises OutcomeUnknown, and the engine stays in doubt.

        Where the folder could not even be opened no sync has failed: `be_certain` makes up for it.
        """
        try:
            self._settle(folder)
        except OSError as error:
            raise OutcomeUnknown(job_id, self._noted(folder, error)) from error

    def be_certain(self) -> None:
        """Sync what could not be opened before. Raises EngineInDoubt when the disk's state is unknown."""
        if self.doubt:
            raise EngineInDoubt(
                f"What is on the disk is unknown, because {self.doubt}.",
                hint="Restart the bus: it then reads what is there.",
            )
        for folder in tuple(self._late):
            try:
                self._settle(folder)
            except OSError as error:
                raise EngineUnavailable(self._noted(folder, error), hint="Try again.") from error
            self._late.discard(folder)

    def _noted(self, folder: str, error: OSError) -> str:
        """Remember what a failure means for the folder's names; return it in words."""
        reason = f"syncing {folder} failed: {os.strerror(error.errno or 0)}"
        if error.errno in _NOT_OPENED:
            self._late.add(folder)
        else:
            self.doubt = reason
        return reason

    def _settle(self, folder: str) -> None:
        try:
            self.folders.settle(folder)
        except FileNotFoundError:
            # The bucket is gone because the job was claimed out of it already: that is what must be durable.
            self.folders.settle(self.layout.top("running"))
