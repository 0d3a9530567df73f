"""Schedules as files, one each, beside the queue: `ls` lists them, `cat` tells how far one has come."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from core.clock import Clock, SystemClock
from core.errors import BusError, EngineUnavailable, Unsupported
from core.jobs import Json
from core.schedule_store import Step, Stored
from core.scheduler_models import Schedule
from core.strict_json import parse
from core.task_reader import NAME, task_from
from queues import fields as read
from queues.file.disk import Disk, OpenFolder
from queues.file.trouble import reported
from queues.record import encoded

#: A schedule's file is called by its id and this.
SUFFIX = ".json"
#: The file that a change is written into before it gets its name. Only who holds the folder's lock writes it.
DRAFT = ".draft"
#: Seconds after which a file or folder that changes gets another time of change than it has.
_TICK = 0.1
#: Inode, time of change and size: a file that is replaced has others.
_Mark = tuple[int, int, int]
#: Seconds for which a change waits for another process to finish its own, and between two looks.
_PATIENCE, _GLANCE = 10.0, 0.01


class FileSchedules:
    """Keep schedules in a folder. Processes that share it take turns by a lock of the kernel's.

    A file is replaced in one step and never edited: half a schedule is never to be seen. Who edits by hand
    does likewise (`cp`, edit the copy, `mv`); a file that cannot be read is left alone, and told of.
    """

    def __init__(self, folder: str, disk: Disk | None = None, clock: Clock | None = None) -> None:
        """Make the folder if it is missing. Raises EngineUnavailable when that fails."""
        self._disk = disk or Disk()
        self._clock = clock or SystemClock()
        self._path = folder
        with reported, contextlib.suppress(FileExistsError):
            self._disk.make_folder(folder)
        #: What `all` found, and when the folder had last changed by then.
        self._stored = Stored()
        self._changed: tuple[int, int] | None = None
        #: By file, what it held and what tells that it is still the same.
        self._known: dict[str, tuple[_Mark, Schedule]] = {}

    def all(self) -> Stored:
        """Return every schedule; the folder is read again only after it has changed."""
        with reported:
            status = self._disk.status(self._path)
            changed = (status.st_ino, status.st_mtime_ns)
            if changed != self._changed:
                found = self._read_all()
                self._stored = self._stored if found == self._stored else found
                self._changed = None if self._is_recent(status) else changed
        return self._stored

    def get(self, schedule_id: str) -> Schedule | None:
        """Return the schedule of that id."""
        with reported:
            return self._readable(schedule_id)

    def change(self, schedule_id: str, step: Step) -> Schedule | None:
        """Store what `step` makes of a schedule."""
        with reported, self._locked() as folder:
            old = self._readable(schedule_id)
            new = step(old)
            if new == old:
                return new
            if new is None:
                self._disk.unlink(self._file(schedule_id))
            else:
                self._write(self._file(schedule_id), new)
            self._disk.sync_folder(folder)
        return new

    @contextlib.contextmanager
    def _locked(self) -> Iterator[OpenFolder]:
        folder = self._disk.open_folder(self._path)
        deadline = self._clock.monotonic() + _PATIENCE
        while not self._disk.lock(folder.fd):
            if self._clock.monotonic() >= deadline:
                raise EngineUnavailable(
                    f"Another process has kept {self._path} locked for {_PATIENCE:g} seconds.",
                    hint=f"Look which: fuser {self._path}",
                )
            self._clock.wait(threading.Event(), _GLANCE)
        try:
            yield folder
        finally:
            folder.let_go()

    def _write(self, path: str, schedule: Schedule) -> None:
        draft = f"{self._path}/{DRAFT}"
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(draft)  # A crash may have left it.
        self._disk.write_new(draft, encoded(schedule.to_json()))
        self._disk.rename(draft, path)

    def _read_all(self) -> Stored:
        """Read the files that have changed; of thousands of schedules few do at once."""
        schedules: list[Schedule] = []
        damaged: dict[str, str] = {}
        known: dict[str, tuple[_Mark, Schedule]] = {}
        for name in sorted(self._disk.names(self._path)):
            if name.startswith(".") or not name.endswith(SUFFIX):
                continue
            try:
                status = self._disk.status(f"{self._path}/{name}")
                schedules.append(self._known_or_read(name, _mark(status)))
            except FileNotFoundError:
                continue
            except BusError as error:
                damaged[name] = error.message
            else:
                if not self._is_recent(status):
                    known[name] = (_mark(status), schedules[-1])
        self._known = known
        return Stored(tuple(schedules), damaged)

    def _known_or_read(self, name: str, mark: _Mark) -> Schedule:
        known = self._known.get(name)
        return known[1] if known and known[0] == mark else schedule_in(self._disk, self._path, name)

    def _is_recent(self, status: os.stat_result) -> bool:
        """Return whether something has changed so lately that a further change may bear the same time."""
        return abs(self._clock.now() - status.st_mtime) < _TICK

    def _readable(self, schedule_id: str) -> Schedule | None:
        if not all(NAME.fullmatch(part) for part in schedule_id.split(":", 1)) or ":" not in schedule_id:
            return None
        try:
            return schedule_in(self._disk, self._path, schedule_id + SUFFIX)
        except (FileNotFoundError, BusError):
            return None

    def _file(self, schedule_id: str) -> str:
        return f"{self._path}/{schedule_id}{SUFFIX}"


def schedule_in(disk: Disk, folder: str, name: str) -> Schedule:
    """Return the schedule that a file holds. Raises FileNotFoundError, and BusError when it holds none."""
    schedule = _schedule_of(parse(disk.read_file(f"{folder}/{name}")))
    if schedule.id + SUFFIX != name:
        raise Unsupported(f"It is the schedule {schedule.id!r}: the file must bear that name.")
    return schedule


def _schedule_of(document: Json) -> Schedule:
    """Return the schedule that a document describes. Raises BusError that names what is wrong with it."""
    try:
        return Schedule(
            task=task_from(read.mapping("task", document)),
            enabled=read.flag("enabled", document),
            created_at=read.number("created_at", document),
            updated_at=read.number("updated_at", document),
            dealt_with=read.number("dealt_with", document),
            last_due=_moment(document),
            last_job=read.optional_text("last_job", document),
        )
    except (KeyError, TypeError) as error:
        raise Unsupported(f"It is no schedule: {error} is missing or wrong.") from None
    except ValueError as error:
        raise Unsupported(str(error)) from None


def _mark(status: os.stat_result) -> _Mark:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _moment(document: Json) -> int | None:
    due = read.optional_number("last_due", document)
    return None if due is None else int(due)
