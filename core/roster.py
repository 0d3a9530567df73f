"""What each worker has done, kept across restarts in a small file that no job ever waits for."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage
from core.jobs import Json
from core.strict_json import BadJson, parse
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock

_PERIOD = 1.0  # seconds between two savings at least
_BEYOND_TIME = 1e11  # Unix seconds of a year that no calendar reaches


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkDone:
    """What a worker has done since it was first seen."""

    #: When it was first seen, in Unix seconds.
    registered_at: float
    #: When it last started, or ended a job, in Unix seconds.
    seen_at: float
    #: Jobs that succeeded in its hands.
    completed: int = 0
    #: Jobs that became dead letters in its hands.
    failed: int = 0
    #: Seconds that the last attempts of all these jobs took together.
    seconds: float = 0.0


_FIELDS = tuple(field.name for field in fields(WorkDone))


class Roster:
    """Count by the events of jobs; save about once a second while there is something new, and at the end.

    A crash or a power cut loses what happened since the last saving; the counts of jobs are the engine's and
    never depend on this. One bus at a time keeps a file.
    """

    def __init__(self, events: EventBus, clock: Clock, *, path: Path | None = None) -> None:
        """Begin with what the file `path` holds; without one, with nothing, and keep nothing."""
        self._events = events
        self._clock = clock
        self._path = path
        self._told: set[str] = set()
        self._work = {} if path is None else self._kept(path)
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._news = threading.Event()
        self._stopped = threading.Event()
        for ending in ("completed", "failed"):
            events.subscribe(KERNEL, f"task.{ending}", self._note)

    def start(self) -> None:
        """Begin to save, in a thread of its own."""
        threading.Thread(target=self._run, name="roster", daemon=True).start()

    def stop(self) -> None:
        """Save a last time, and no more after that."""
        self._stopped.set()
        self.save()
        self._news.set()

    def enlist(self, worker: str) -> None:
        """Note that a worker starts."""
        with self._lock:
            self._work[worker] = replace(self._done_by(worker), seen_at=self._clock.now())
        self._news.set()

    def work(self) -> dict[str, WorkDone]:
        """Return what each worker has done, by its name, in the order of the names."""
        with self._lock:
            return dict(sorted(self._work.items()))

    def save(self) -> None:
        """Write the file if there is something new; one that cannot be written is tried again later."""
        with self._saving:
            if self._path is None or not self._news.is_set():
                return
            self._news.clear()
            workers = {worker: asdict(done) for worker, done in self.work().items()}
            try:
                write_whole(self._path, json.dumps({"workers": workers}, indent=1) + "\n", durable=True)
            except OSError as error:
                self._news.set()
                self._warn(f"What the workers have done cannot be kept: {error}")

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._news.wait()
            # The real time: a test's clock must not make this loop spin.
            if not self._stopped.wait(_PERIOD):
                self.save()

    def _note(self, message: EventMessage) -> None:
        worker = message.payload.get("worker")
        if message.source_agent != KERNEL or worker is None:
            return
        succeeded = message.event_type == "task.completed"
        with self._lock:
            known = self._done_by(worker)
            self._work[worker] = replace(
                known,
                completed=known.completed + succeeded,
                failed=known.failed + (not succeeded),
                seconds=known.seconds + (message.payload["seconds"] or 0.0),
                seen_at=self._clock.now(),
            )
        self._news.set()

    def _done_by(self, worker: str) -> WorkDone:
        now = self._clock.now()
        return self._work.get(worker) or WorkDone(registered_at=now, seen_at=now)

    def _kept(self, path: Path) -> dict[str, WorkDone]:
        """Return what the file holds; nothing when there is none, or none that can be read."""
        try:
            workers = parse(path.read_bytes())["workers"]
            return {worker: _work_from(kept) for worker, kept in workers.items()}
        except FileNotFoundError:
            return {}
        except (OSError, BadJson, ValueError, TypeError, KeyError, AttributeError) as error:
            self._warn(f"{path} cannot be read, so the counts of the workers begin anew: {error!r}")
            return {}

    def _warn(self, message: str) -> None:
        """Tell it once, not every second until it is over."""
        if message in self._told:
            return
        self._told.add(message)
        self._events.publish("system.warning", KERNEL, {"message": message})


def _work_from(kept: Json) -> WorkDone:
    """Return what the file says of one worker. Raises ValueError, KeyError or TypeError."""
    if not all(0 <= kept[name] < _BEYOND_TIME for name in _FIELDS):
        raise ValueError("a number is out of range")
    return WorkDone(
        registered_at=float(kept["registered_at"]),
        seen_at=float(kept["seen_at"]),
        completed=int(kept["completed"]),
        failed=int(kept["failed"]),
        seconds=float(kept["seconds"]),
    )
