"""Room on the disk: new jobs are refused while enough is left to finish the accepted ones."""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Callable
from typing import TypeVar

from core.errors import DiskFull
from queues.file.site import Site

T = TypeVar("T")

#: Empty files beside the reserve: an end takes an inode for its record and one for a bucket that is new.
_SPARE_INODES = 8
_MOMENT = 0.02  # seconds


class Room:
    """Watch the room, and keep a file whose removal makes some when others have filled the disk."""

    def __init__(self, site: Site, *, min_free_bytes: int, min_free_share: float, reserve_bytes: int) -> None:
        self._disk = site.disk
        self._clock = site.clock
        self._roomy_until = -math.inf
        self._base = site.layout.base
        self._reserve = f"{self._base}/reserve.bin"
        self._spares = [f"{self._base}/reserve.{number}" for number in range(1, _SPARE_INODES + 1)]
        self._min_free_bytes = min_free_bytes
        self._min_free_share = min_free_share
        self._reserve_bytes = reserve_bytes

    def admit(self) -> None:
        """Raise DiskFull when a new job would take what the accepted ones may need.

        Room that was there a moment ago is there still.
        """
        now = self._clock.monotonic()
        if now < self._roomy_until:
            return
        room = self._disk.room(self._base)
        free, size = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
        if free < max(self._min_free_bytes, size * self._min_free_share):
            raise DiskFull(
                f"The disk is nearly full: {free >> 20} MiB are left.",
                hint="Make room, purge old jobs, or wait until running jobs have ended.",
            )
        if room.f_favail < room.f_files * self._min_free_share:
            raise DiskFull(
                f"The disk is nearly out of inodes: {room.f_favail} are left.",
                hint="Remove small files, or purge old jobs.",
            )
        self._roomy_until = now + _MOMENT

    def keep_reserve(self) -> None:
        """Make the reserve if it is not there and there is room for it."""
        if not self._reserve_bytes or self._disk.exists(self._reserve):
            return
        with contextlib.suppress(DiskFull, OSError):
            self.admit()
            for spare in self._spares:
                if not self._disk.exists(spare):
                    self._disk.write_new(spare, b"", sync=False)
            self._disk.reserve(self._reserve, self._reserve_bytes)

    def lending(self, write: Callable[[], T]) -> T:
        """Return what `write` returns; if the disk is full, give up the reserve and try once more."""
        try:
            return write()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not self._disk.exists(self._reserve):
                raise
            for path in (*self._spares, self._reserve):
                with contextlib.suppress(FileNotFoundError):  # another process was quicker, or it is no file
                    self._disk.unlink(path)
            return write()
