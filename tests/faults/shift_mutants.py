"""Engines of worker processes, each broken on purpose in one place: what the harness must notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from core.clock import Clock
from core.jobs import Job
from queues.file.disk import Disk, OpenFolder
from queues.file.engine import FileEngine
from queues.file.options import FileOptions

#: Seconds after which a lease is over: less than any worker is stopped for.
LEASE = 1.5


class Lockless(Disk):
    """Take the locks of running jobs for free, as where locks do not work."""

    def lock(self, fd: int, *, wait: bool = False, shared: bool = False) -> bool:
        return super().lock(fd, wait=wait, shared=shared) or self._is_free(fd)

    def _is_free(self, fd: int) -> bool:
        return "/running/" in str(Path(f"/proc/self/fd/{fd}").readlink())


class Leased(Lockless):
    """Take them from who has not been heard of for a while, by a clock: stopped and dead look alike."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def mark_claimed(self, fd: int) -> None:
        super().mark_claimed(fd)
        self.date(fd, self._clock())

    def _is_free(self, fd: int) -> bool:
        return super()._is_free(fd) and abs(self._clock() - self.status_of(fd).st_mtime) > LEASE


class Unmoved(Disk):
    """Ignore that a name could not be moved."""

    def rename(self, source: str, target: str) -> None:
        with suppress(OSError):
            super().rename(source, target)


class Deaf(Disk):
    """Ignore that something did not become durable."""

    def sync_file(self, fd: int) -> None:
        with suppress(OSError):
            super().sync_file(fd)

    def sync_data(self, fd: int) -> None:
        with suppress(OSError):
            super().sync_data(fd)

    def sync_folder(self, folder: OpenFolder) -> None:
        with suppress(OSError):
            super().sync_folder(folder)

    def sync_all(self, fd: int) -> None:
        with suppress(OSError):
            super().sync_all(fd)


class Heedless(FileEngine):
    """Never notice that a worker died."""

    def abandoned(self, now: float) -> list[Job]:
        del now
        return []


class Blind(FileEngine):
    """Never notice what other processes have stored since."""

    def upkeep(self, now: float) -> bool:
        del now
        return False


class Steadfast(FileEngine):
    """Judge what is due by a clock that knows nothing of jumps, as a timer does that was set once."""

    def __init__(self, base: str, options: FileOptions, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()
        super().__init__(base, options)

    def claim(self, worker: str, *, now: float, lease: float, queues: Sequence[str]) -> Job | None:
        del now
        steady = self._clock.monotonic() + self._offset
        return super().claim(worker, now=steady, lease=lease, queues=queues)


#: What is broken, to the maker of an engine that is broken so, and the maker of a sound one.
ENGINES: dict[str, Callable[[str, FileOptions, Clock], FileEngine]] = {
    "": lambda base, options, clock: FileEngine(base, options),
    "lockless": lambda base, options, clock: FileEngine(base, options, disk=Lockless()),
    "leased": lambda base, options, clock: FileEngine(base, options, disk=Leased(clock.now)),
    "leased-since-boot": lambda base, options, clock: FileEngine(base, options, disk=Leased(clock.boottime)),
    "heedless": lambda base, options, clock: Heedless(base, options),
    "unmoved": lambda base, options, clock: FileEngine(base, options, disk=Unmoved()),
    "deaf": lambda base, options, clock: FileEngine(base, options, disk=Deaf()),
    "blind": lambda base, options, clock: Blind(base, options),
    "steadfast": Steadfast,
}
