"""The outbox: whom the bus has promised to tell, and what it has yet to tell, as files under one folder.

```text
webhooks/promised/<job_id>       an empty file: this job has a callback_url and its end was not told yet
webhooks/pending/<letter>.json   a letter that is to be delivered, with its attempts so far
webhooks/given-up/<letter>.json  a letter that nobody took within a day
webhooks/secret                  what signs them, unless a setting does
```

A promise is durable before its job is, and is removed when its letter was taken or given up; the letter
can be written again from the job at any time. So no crash can lose it, and nothing else need be synced.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from core.errors import DiskFull, EngineUnavailable
from core.ids import JOB_ID
from core.letters import Letter, document_of, letter_of
from core.strict_json import BadJson, parse
from core.webhook_signature import secret_of

#: Letters that were given up and are kept to be looked at; the oldest go first.
_GIVEN_UP_KEPT = 1_000
_KEY_LENGTH = 32
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Outbox:
    """Keep promises and letters. All methods may be called from any thread and any process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._promised = folder / "promised"
        self._pending = folder / "pending"
        self._given_up = folder / "given-up"
        self._leading: int | None = None
        #: Whether there was anything in it when this process last looked.
        self.used = False

    def make(self) -> None:
        """Make the folders, durably, if they are missing; what lies above must be there. Raises OSError."""
        if self.used and self._promised.is_dir() and self._pending.is_dir():
            return
        for folder in (self._folder, self._promised, self._given_up, self._pending):
            folder.mkdir(mode=0o750, exist_ok=True)
        _sync(self._folder)
        _sync(self._folder.parent)
        self.used = True

    def promise(self, job_ids: Collection[str]) -> None:
        """Note durably that the ends of these jobs are to be told. Raises DiskFull or EngineUnavailable."""
        try:
            self.make()
            for job_id in job_ids:
                # Empty, so that the name is all there is to sync, and once for all of them.
                (self._promised / job_id).touch(mode=0o640)
            _sync(self._promised)
        except OSError as error:
            self.withdraw(job_ids)
            raise _told(error) from error

    def withdraw(self, job_ids: Collection[str]) -> None:
        """Forget promises: the jobs were not stored, or their ends were told."""
        for job_id in job_ids:
            with suppress(OSError):  # Whoever cannot remove it tells once more.
                (self._promised / job_id).unlink()

    def has_promised(self, job_id: str) -> bool:
        """Return whether the end of that job is still to be told."""
        # Asked at the end of every job, so in the quickest way.
        return os.access(f"{self._promised}/{job_id}", os.F_OK)

    def promises(self) -> list[str]:
        """Return the jobs whose ends are still to be told, oldest first."""
        with suppress(FileNotFoundError):
            return sorted(path.name for path in self._promised.iterdir() if JOB_ID.fullmatch(path.name))
        return []

    def put(self, letter: Letter) -> None:
        """Keep a letter, in place of what was kept of it. Raises OSError."""
        self.make()
        path = self._path(letter.id)
        draft = path.with_suffix(f".{os.getpid()}.part")
        draft.touch(mode=0o640)  # What jobs have answered stands in it.
        draft.write_text(json.dumps(document_of(letter), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    def has(self, letter: str) -> bool:
        """Return whether a letter of that id is pending."""
        return self._path(letter).exists()

    def get(self, letter: str) -> Letter | None:
        """Return the pending letter of that id; None when it is gone, or damaged and removed therefore.

        Raises OSError.
        """
        try:
            found = letter_of(parse(self._path(letter).read_bytes(), max_depth=1_000))
        except FileNotFoundError:
            return None
        except BadJson:
            found = None
        if found is None or found.id != letter:
            self._path(letter).unlink(missing_ok=True)  # The letter of a job is written again from the job.
            return None
        return found

    def letters(self) -> list[str]:
        """Return the ids of all pending letters."""
        with suppress(FileNotFoundError):
            return sorted(path.stem for path in self._pending.iterdir() if path.suffix == ".json")
        return []

    def changed_at(self) -> int:
        """Return when a letter last came or went, in nanoseconds of the file system's time; 0 for never."""
        with suppress(FileNotFoundError):
            return self._pending.stat().st_mtime_ns
        return 0

    def settle(self, letter: Letter) -> None:
        """Forget a letter that was taken, and its promise."""
        self._path(letter.id).unlink(missing_ok=True)
        if letter.job_id is not None:
            self.withdraw([letter.job_id])

    def give_up(self, letter: Letter) -> None:
        """Set a letter aside that nobody takes, and forget its promise."""
        with suppress(OSError):  # Without room it is set aside as it was before.
            self.put(letter)
        with suppress(OSError):
            self._given_up.mkdir(mode=0o750, exist_ok=True)
            self._path(letter.id).replace(self._given_up / f"{letter.id}.json")
        self.settle(letter)
        for path in sorted(self._given_up.iterdir(), key=_age)[:-_GIVEN_UP_KEPT]:
            path.unlink(missing_ok=True)

    def lead(self) -> bool:
        """Return whether this process is the one that delivers, which it stays until it ends."""
        self.used = self.used or self._pending.is_dir()
        if self._leading is None and self.used:
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
            else:
                self._leading = descriptor
        return self._leading is not None

    def resign(self) -> None:
        """Let another process deliver."""
        if self._leading is not None:
            os.close(self._leading)
            self._leading = None

    def secret(self) -> str:
        """Return what signs the letters; made at first use, for receivers to be told. Raises OSError."""
        self.make()
        path = self._folder / "secret"
        if not path.exists():
            # Of this thread's own: once it is linked to it is the secret, and must not be written to again.
            draft = path.with_suffix(f".{threading.get_native_id()}.part")
            draft.touch(mode=0o600)
            draft.write_text(secret_of(secrets.token_bytes(_KEY_LENGTH)) + "\n", encoding="ascii")
            with suppress(FileExistsError):  # Somebody else was quicker.
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_text(encoding="ascii").strip()

    def _path(self, letter: str) -> Path:
        return self._pending / f"{letter}.json"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _age(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _told(error: OSError) -> EngineUnavailable:
    kind = DiskFull if error.errno in _NO_ROOM else EngineUnavailable
    return kind(f"The promise of a callback could not be stored: {error.strerror}.")
