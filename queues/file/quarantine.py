"""The place for files that are no jobs: each is moved there with a sentence that says why."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

from core.errors import EngineUnavailable, Unsupported
from queues.file.disk import Disk
from queues.file.layout import Layout

#: Bytes of a file's own name that are kept.
_LONGEST = 200


class Quarantine:
    """Files that were put aside; `mv quarantine/… inbound/` brings a mended one back."""

    def __init__(self, disk: Disk, layout: Layout, put_aside: Callable[[str, str], None]) -> None:
        self._disk = disk
        self._put_aside = put_aside
        self._folder = layout.top("quarantine")

    def put(self, path: str, reason: str) -> None:
        """Move what bears that name aside, unread; somebody else may have been quicker.

        Raises EngineUnavailable when there is no quarantine: callers go on to the next file.
        """
        try:
            written = int(self._disk.status(path).st_mtime)
            name = f"{written}-{secrets.token_hex(3)}-{_short(os.path.basename(path))}"
            self._disk.rename(path, f"{self._folder}/{name}")
            # A view for people: losing it with the power is no harm.
            self._disk.write_new(f"{self._folder}/{name}.reason.txt", reason.encode() + b"\n", sync=False)
        except FileNotFoundError:
            self._be_there()
        else:
            self._put_aside(os.path.basename(path), reason)

    def reason_for(self, job_id: str) -> str | None:
        """Return why the job's record was put aside; None when it was not."""
        for name in self._disk.names(self._folder):
            if name.endswith(f"-{job_id}.json"):
                return self._reason(f"{self._folder}/{name}.reason.txt")
        return None

    def _be_there(self) -> None:
        if not self._disk.exists(self._folder):
            raise EngineUnavailable(
                f"The queue's folder {self._folder} is missing.", hint="Put it back, or restart the bus."
            )

    def _reason(self, path: str) -> str:
        try:
            return self._disk.read_file(path).decode(errors="replace").strip()
        except (OSError, Unsupported):
            return "It is in quarantine."


def _short(name: str) -> str:
    """Return as much of a name as leaves room for what is put around it: names end at 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST])
