"""The place for files that are no jobs: each is moved there with a sentence that says why."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

from core.errors import RecordDamaged, Unsupported
from queues.file.disk import Disk
from queues.file.layout import Layout
from queues.file.trouble import missing

#: Bytes of a file's own name that are kept.
_LONGEST = 200


class NotAFile(RecordDamaged):
    """What bears the record's name cannot be opened as a file."""


class Quarantine:
    """Files that were put aside; `mv quarantine/… inbound/` brings a mended one back."""

    def __init__(self, disk: Disk, layout: Layout, put_aside: Callable[[str, str], None]) -> None:
        self._disk = disk
        self._put_aside = put_aside
        self._folder = layout.top("quarantine")

    def put(self, path: str, reason: str, *, spare: Callable[[str], bool] = lambda path: False) -> None:
        """Move what bears that name aside, unread; somebody else may have been quicker.

        What is no file or folder of ours may have made way for one since it was judged. So it is judged again
        by `spare`, and one process at a time. Raises EngineUnavailable when there is no quarantine.
        """
        try:
            self._disk.status(path)
            folder = self._disk.open_folder(self._folder)
            self._disk.lock(folder.fd, wait=True)
            try:
                moved = not spare(path) and self._move(path, reason)
            finally:
                folder.let_go()
        except FileNotFoundError:
            self._be_there()
            return
        if moved:
            self._put_aside(os.path.basename(path), reason)

    def put_record(self, path: str, error: RecordDamaged) -> None:
        """Move a damaged record aside."""
        if isinstance(error, NotAFile):
            self.put(path, error.reason, spare=self._disk.opens)
        else:
            self.put(path, error.reason)

    def reason_for(self, job_id: str) -> str | None:
        """Return why the job's record was put aside; None when it was not."""
        for name in self._disk.names(self._folder):
            if name.endswith(f"-{job_id}.json"):
                return self._reason(f"{self._folder}/{name}.reason.txt")
        return None

    def _move(self, path: str, reason: str) -> bool:
        written = int(self._disk.status(path).st_mtime)
        name = f"{written}-{secrets.token_hex(3)}-{_short(os.path.basename(path))}"
        self._disk.rename(path, f"{self._folder}/{name}")
        # A view for people: losing it with the power is no harm.
        self._disk.write_new(f"{self._folder}/{name}.reason.txt", reason.encode() + b"\n", sync=False)
        return True

    def _be_there(self) -> None:
        if not self._disk.exists(self._folder):
            raise missing(self._folder)

    def _reason(self, path: str) -> str:
        try:
            return self._disk.read_file(path).decode(errors="replace").strip()
        except (OSError, Unsupported):
            return "It is in quarantine."


def _short(name: str) -> str:
    """Return as much of a name as leaves room for what is put around it: names end at 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST])
