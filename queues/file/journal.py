"""The journal: what was acknowledged a moment ago, in one file that is synced once for all who wait.

A step is written down here and synced before its files get their names; the files themselves become durable
together, about a second later, and then the entries are forgotten. After a crash `replay.py` makes the files
what the entries say, so the folders show the truth of everything that was acknowledged.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from core.errors import BusError, Conflict, OutcomeUnknown
from queues.file.combining import Combiner
from queues.file.entries import Entry, Kind
from queues.file.site import Site
from queues.file.volume import Volume

#: Bytes by which a volume grows.
STEP = 1 << 20
#: How the names of volumes end.
SUFFIX = ".journal"
#: A volume that has grown beyond this is not used again.
_LARGEST = 32 << 20
#: What says that a folder could not be synced now, and nothing about what is on the disk.
_SHORT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True, eq=False)
class _Step:
    """An entry on its way, what is to be done before and after it is durable, and what went wrong."""

    entry: Entry
    job_id: str
    first: Callable[[], None]
    then: Callable[[], None]
    error: BaseException | None = None


class Journal:
    """Two volumes by turns: one takes entries while the files of the other's are made durable."""

    def __init__(self, site: Site, *, step: int = STEP) -> None:
        self._site = site
        self._disk = site.disk
        #: The folder in which all engine objects have their volumes.
        self.folder = site.layout.top("journal")
        self._step = step
        self._combiner = Combiner(self._serve)
        self._turn = threading.Lock()  # held while entries are added and while the volumes change places
        self._suffixes = itertools.count()
        self._number = 0
        # Both are made at once: later the disk may be full.
        self._open, self._blank = self._new_volumes(2)
        self._full: Volume | None = None
        self._owes = False

    def commit(
        self,
        kind: Kind,
        records: Sequence[bytes],
        *,
        job_id: str,
        first: Callable[[], None] = _nothing,
        then: Callable[[], None] = _nothing,
    ) -> None:
        """Write a draft by `first`, make the step durable, and then visible by `then`, which moves names.

        Both run in whichever thread does the work of all, so they wait for nobody. Raises what `first`
        raises, or a Conflict of `then`: the step did not happen. Raises OutcomeUnknown when the entry may be
        durable and the names are not there: a replay puts that right.
        """
        step = _Step(Entry(kind, tuple(records)), job_id, first, then)
        self._combiner.do(step)
        if step.error is not None:
            raise step.error

    def owe(self) -> None:
        """Remember that names were moved without an entry; they become durable with the files of the next."""
        self._owes = True

    def turn_over(self) -> Volume | None:
        """Return the volume whose files are to be made durable now; None when there is nothing to do."""
        if self._full is None and (self._owes or not self._open.is_blank):
            with self._turn:
                self._owes = False
                self._full, self._open = self._open, self._blank
        return self._full

    def use_again(self, volume: Volume) -> None:
        """Take back a volume whose jobs all have durable files, or a new one in its place.

        Raises OSError when it is unknown which volumes a power cut would leave.
        """
        volume.wipe()
        self._full, self._blank = None, volume
        if volume.size > _LARGEST:
            try:
                (self._blank,) = self._new_volumes(1)
            except OSError as error:
                if error.errno not in _SHORT:
                    self._site.doubt = f"making a volume in {self.folder} failed: {error.strerror}"
                    raise
            else:
                volume.close()

    @property
    def fd(self) -> int:
        """A descriptor that has been open since before the first entry."""
        return self._volumes()[0].fd

    def is_mine(self, path: str) -> bool:
        """Return whether this object uses that volume."""
        return path in {volume.path for volume in self._volumes()}

    def let_go(self) -> None:
        """Leave what is not durable by itself to whoever opens the folder next."""
        for volume in self._volumes():
            volume.close()

    def _volumes(self) -> list[Volume]:
        return [self._open, self._full or self._blank]

    def _serve(self, steps: list[_Step]) -> None:
        with self._turn:
            drafted = [step for step in steps if _is_drafted(step)]
            for step in self._written(drafted) if drafted else ():
                self._finish(step)

    def _written(self, steps: list[_Step]) -> list[_Step]:
        """Make the entries durable and return the steps, none of them if that fails."""
        try:
            data = self._open.prepared([step.entry for step in steps], self._number)
        except OSError as error:
            for step in steps:
                step.error = error
            return []
        try:
            self._open.commit(data)
            self._number += len(steps)
        except OSError as error:
            self._site.doubt = f"writing {self._open.path} failed: {os.strerror(error.errno or 0)}"
            for step in steps:
                step.error = OutcomeUnknown(step.job_id, self._site.doubt)
            return []
        return steps

    def _finish(self, step: _Step) -> None:
        """Do what an entry says, now that it is durable."""
        try:
            step.then()
        except Conflict as error:
            step.error = error
        except (OSError, BusError) as error:
            self._open.unfinished.append(step.entry)
            step.error = OutcomeUnknown(step.job_id, f"it is stored, but not yet in its place: {error}")
        except BaseException as error:  # noqa: BLE001  It belongs to the thread that brought the step.
            step.error = error

    def _new_volumes(self, number: int) -> list[Volume]:
        """Return new volumes whose names are durable, or leave none behind."""
        with ExitStack() as undo:
            volumes = []
            for _ in range(number):
                volume = Volume(self._disk, self._site.scratch("journal"), step=self._step)
                undo.callback(volume.close)
                name = f"{os.path.basename(self._site.tmp)}.{next(self._suffixes)}{SUFFIX}"
                volume.move(f"{self.folder}/{name}")
                volumes.append(volume)
            self._site.folders.settle(self.folder)
            undo.pop_all()
            return volumes


def _is_drafted(step: _Step) -> bool:
    """Do what comes before the entry; return whether it went well."""
    try:
        step.first()
    except BaseException as error:  # noqa: BLE001  It belongs to the thread that brought the step.
        step.error = error
    return step.error is None
