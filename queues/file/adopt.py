"""Files that people drop into inbound/: each becomes exactly one job, or lies in quarantine with the reason.

Nothing that lies there can hang or crash the bus: links are not followed, pipes not opened, and what is too
large, half copied or no JSON is never taken for a job.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from core.clock import SystemClock
from core.errors import (
    BusError,
    EngineUnavailable,
    InvalidRequest,
    JobExpired,
    JobNotFound,
    QueueFull,
    RecordDamaged,
    ShuttingDown,
    Unsupported,
)
from core.ids import JOB_ID, JobIds
from core.jobs import Job, Json
from core.strict_json import BadJson, parse
from queues.file.quarantine import Quarantine
from queues.file.site import Site
from queues.file.whereabouts import Whereabouts
from queues.record import job_of

#: Bytes of a dropped file at most.
LARGEST = 1 << 20
#: Seconds that a file must lie still before it is taken, and after which one that is no JSON is put aside.
SETTLED, GIVEN_UP = 1.0, 10.0

#: Turns what was asked into a job, or raises BusError with the sentence for the reason file.
Accept = Callable[[dict[str, Json]], Job]
#: Returns what is held while a file becomes a job.
Entered = Callable[[], AbstractContextManager[object]]

_ACTION = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ASKED = (
    "action",
    "params",
    "priority",
    "run_after",
    "timeout",
    "max_attempts",
    "callback_url",
    "batch",
    "idempotency_key",
)
#: What of a record may be asked again; when it was due and under which key belongs to its past.
_ASKED_AGAIN = tuple(name for name in _ASKED if name not in {"run_after", "idempotency_key"})
_IGNORED = re.compile(r"\..*|.*~|.*\.(part|tmp|swp|crdownload)")
_NO_FILE = "It is not a regular file, so it was not opened."
_OWN_FOLDER = re.compile(r"p\d|q-.*")


def accept_by_shape() -> Accept:
    """Return an acceptance that knows no actions: it checks the kinds of the fields and makes ids."""
    clock = SystemClock()
    ids = JobIds(clock)

    def accept(asked: dict[str, Json]) -> Job:
        unknown = next((name for name in asked if name not in _ASKED), None)
        if unknown is not None:
            raise InvalidRequest(unknown, "There is no such field.", hint="Known are: " + ", ".join(_ASKED))
        if not isinstance(asked.get("action"), str) or not _ACTION.fullmatch(asked["action"]):
            raise InvalidRequest("action", f"It must be a name such as 'fakejob' ({_ACTION.pattern}).")
        try:
            return job_of(asked | {"id": ids(), "submitted_at": clock.now()})
        except ValueError as error:
            raise InvalidRequest("job", str(error)) from None

    return accept


class Adoption:
    """Look through inbound/ for what people have dropped there."""

    def __init__(
        self,
        site: Site,
        *,
        quarantine: Quarantine,
        whereabouts: Whereabouts,
        accept: Accept,
        add: Callable[[Job], Job],
        adopted: Callable[[Job], None],
        entered: Entered = nullcontext,
    ) -> None:
        self._disk = site.disk
        self._folder = site.layout.top("inbound")
        self._quarantine = quarantine
        self._whereabouts = whereabouts
        self._accept = accept
        self._entered = entered
        self._add = add
        self._adopted = adopted

    def adopt(self, now: float) -> bool:
        """Make jobs of the files that are ready; return whether there was one."""
        adopted = [self._adopt_entry(entry, now) for entry in self._disk.entries(self._folder)]
        return any(adopted)

    def ignored(self) -> list[str]:
        """Return the names in inbound/ that will never become jobs, for the operator."""
        return [
            entry.name
            for entry in self._disk.entries(self._folder)
            if not entry.name.endswith(".json")
            and not (_OWN_FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False))
        ]

    def _adopt_entry(self, entry: os.DirEntry[str], now: float) -> bool:
        if _IGNORED.fullmatch(entry.name) or entry.is_dir(follow_symlinks=False):
            return False
        try:
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                self._quarantine.put(entry.path, _NO_FILE, spare=self._is_sound)
            elif entry.name.endswith(".json"):
                return self._adopt_file(entry.path, status, now)
        except FileNotFoundError:
            pass  # whoever dropped it took it away again, or another process was quicker
        return False

    def _is_sound(self, path: str) -> bool:
        return self._disk.opens(path) or self._disk.is_folder(path)

    def _adopt_file(self, path: str, status: os.stat_result, now: float) -> bool:
        if status.st_size > LARGEST:
            self._quarantine.put(path, f"It has {status.st_size} bytes; {LARGEST} is the limit.")
            return False
        age = abs(
            now - status.st_mtime
        )  # a file dated by a clock ahead of ours is as old as one from the past
        try:
            document = parse(self._disk.read_file(path))
        except BadJson as error:
            if age >= GIVEN_UP:  # until then it may still be being copied
                self._quarantine.put(path, error.message)
            return False
        except Unsupported as error:
            self._quarantine.put(path, error.message, spare=self._is_sound)
            return False
        return age >= SETTLED and self._adopt_document(path, document, status)

    def _adopt_document(self, path: str, document: Json, status: os.stat_result) -> bool:
        try:
            with self._entered():
                job = self._job(document, status)
                stored = self._add(job)
        except (EngineUnavailable, QueueFull, ShuttingDown):
            return False  # no fault of the file: it stays for the next time
        except BusError as error:
            self._quarantine.put(path, f"{error.message} {error.hint}".strip())
            return False
        self._take_away(path, status)
        if stored.id == job.id:
            self._adopted(stored)
        return True

    def _job(self, document: Json, status: os.stat_result) -> Job:
        """Return the job that a file asks for, under a key that makes it one job however often it is read."""
        if not isinstance(document, dict):
            raise InvalidRequest("job", 'It must be an object: {"action": "name", "params": {…}}.')
        record_id = document.get("id")
        if isinstance(record_id, str) and JOB_ID.fullmatch(record_id):
            asked = {name: document[name] for name in _ASKED_AGAIN if name in document}
            job = self._once_more(self._accept(asked), record_id, ended="state" in document)
        else:
            job = self._accept(document)
        if job.idempotency_key is None:
            key = f"drop:{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}"
            job = replace(job, idempotency_key=key, body_hash=None)
        return job

    def _once_more(self, job: Job, record_id: str, *, ended: bool) -> Job:
        """Return the job of a record that came back: under its own id unless it had ended."""
        if ended:
            return replace(job, retried_from=record_id)
        try:
            self._whereabouts.read(record_id, whole_result=False)
        except (JobNotFound, RecordDamaged):
            return replace(job, id=record_id)
        except JobExpired:
            pass
        return replace(job, retried_from=record_id)

    def _take_away(self, path: str, status: os.stat_result) -> None:
        """Remove the adopted file, unless somebody has put another in its place meanwhile."""
        now = self._disk.status(path)
        if (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns):
            self._disk.unlink(path)
