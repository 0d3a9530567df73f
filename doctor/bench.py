"""The bench: what mends are made with. It exists only with --fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property

from core import timing
from core.errors import BusError, Conflict, EngineUnavailable
from core.jobs import Job, State
from core.leftovers import sweep
from core.lifecycle import lost
from doctor.patient import Patient
from queues.file.disk import Disk
from queues.file.engine import FileEngine
from queues.file.folders import Folders
from queues.file.options import FileOptions
from queues.file.quarantine import Quarantine
from queues.file.room import Room
from queues.file.site import Site

_OUTCOMES = {
    State.QUEUED: "queued again: its worker had died",
    State.FAILED: "ended as failed: its worker had died, and no attempt is left",
    State.CANCELLED: "cancelled, as had been asked",
}


class Bench:
    """Mend with the engine's own parts wherever it has them."""

    def __init__(self, patient: Patient, *, disk: Disk | None = None) -> None:
        self._patient = patient
        #: Every system call passes here.
        self.disk = disk or Disk()
        #: Puts files aside.
        self.quarantine = Quarantine(self.disk, patient.layout, lambda name, reason: None)
        #: Moves files, and makes their names durable.
        self.folders = Folders(self.disk, patient.folder, self.quarantine)

        self._engine: FileEngine | None = None

    @property
    def engine(self) -> FileEngine:
        """The queue, opened, which alone mends much. Raises BusError when it must not or cannot be."""
        if self._engine is None:
            self._refuse_to_set_aside()
            self._engine = self._opened()
        return self._engine

    def _refuse_to_set_aside(self) -> None:
        """Raise EngineUnavailable while a running record may not be read: the engine would put it aside."""
        running = self._patient.path("running")
        shut = [name for name in self.disk.names(running) if not self._patient.may_read(f"{running}/{name}")]
        if shut:
            raise EngineUnavailable(
                f"running/{shut[0]} may not be read.", hint="Mend owners and modes first."
            )

    def _opened(self) -> FileEngine:
        return FileEngine(self._patient.folder, self._options, disk=self.disk)

    @property
    def _options(self) -> FileOptions:
        config = self._patient.config
        return FileOptions(
            live_dir=self._patient.layout.live,
            min_free_bytes=config.min_free,
            allow_any_filesystem=config.allow_any_filesystem,
        )

    def open(self) -> None:
        """Open the queue unless it is open, which mends what a crash has left. Raises BusError."""
        _ = self.engine

    def close(self) -> None:
        """Let go of everything, and leave nothing in a journal if that can be."""
        if self._engine is not None:
            self._engine.close()
            # Opening the queue once more does what the journal says; if it cannot, the next start does it.
            with suppress(BusError):
                self._opened().close()

    def reserve(self) -> str:
        """Make the reserve. Raises DiskFull when there is no room for it."""
        options = self._options
        room = Room(
            Site(self.disk, self._patient.layout, self.folders, tmp=""),
            min_free_bytes=options.min_free_bytes,
            min_free_share=options.min_free_share,
            reserve_bytes=options.reserve_bytes,
        )
        room.admit()
        room.keep_reserve()
        return "made"

    def put_aside(self, path: str, reason: str, *, spare: Callable[[str], bool]) -> str:
        """Put a file into quarantine unless `spare`, which judges it once more, says that it is sound."""
        self.quarantine.put(path, reason, spare=spare)
        return "left: somebody has mended it" if self.disk.exists(path) else f"put into quarantine: {reason}"

    def remove(self, path: str, done: str) -> str:
        """Remove a file that holds nothing; it may have gone by itself."""
        with suppress(FileNotFoundError):
            self.disk.unlink(path)
        return done

    @contextmanager
    def locked(self, path: str) -> Iterator[int]:
        """Hold the lock of a record, so that no worker takes it meanwhile. Raises EngineUnavailable."""
        fd = self.disk.open(path)
        try:
            is_ours = self.disk.lock(fd)
            if not is_ours or self.disk.status(path).st_ino != self.disk.status_of(fd).st_ino:
                raise EngineUnavailable("A worker is busy with it.", hint="Run the doctor again.")
            yield fd
        finally:
            self.disk.close(fd)

    @contextmanager
    def locked_folder(self, path: str) -> Iterator[None]:
        """Hold the lock of a folder, after whoever changes what is in it has done so."""
        folder = self.disk.open_folder(path)
        self.disk.lock(folder.fd, wait=True)
        try:
            yield
        finally:
            folder.let_go()

    def rescued(self, job_id: str) -> str:
        """Let the jobs of dead workers run again, as the bus does at its start; return what became of one."""
        outcome = self._rescued.get(job_id)
        if outcome is None and self.disk.exists(self._patient.layout.running(job_id)):
            raise EngineUnavailable("A bus has taken it up meanwhile.")
        return outcome or "moved to where it belongs"

    @cached_property
    def _rescued(self) -> dict[str, str]:
        """Rescue every job whose worker is dead, at once; by id what became of it."""
        clock = self._patient.clock
        return {job.id: self._rescue(job, clock.now()) for job in self.engine.abandoned(clock.now())}

    def _rescue(self, job: Job, now: float) -> str:
        sweep(job.id)  # what it left running must be gone before it can be claimed anew
        delay = timing.backoff(job.attempt, jitter=0.5, base=self._patient.config.backoff_base)
        rescued = lost(job, now=now, delay=delay)
        with suppress(Conflict):  # somebody settled it in the meantime
            self.engine.swap(job, rescued)
        return _OUTCOMES[rescued.state]


def reason_of(error: BusError | OSError) -> str:
    """Return why something could not be mended."""
    if isinstance(error, BusError):
        return f"{error.message} {error.hint}".strip()
    return f"{error.strerror or error}"
