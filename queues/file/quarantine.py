"""The place for files that are no jobs: each is moved there with a sentence that says why."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable

from core.errors import Unsupported
from queues.file.site import Site

#: Bytes of a file's own name that are kept.
_LONGEST = 200


class Quarantine:
    """Files that were put aside; `mv quarantine/… inbound/` brings a mended one back."""

    def __init__(self, site: Site, put_aside: Callable[[str, str], None]) -> None:
        self._disk = site.disk
        self._put_aside = put_aside
        self._folder = site.layout.top("quarantine")

    def put(self, path: str, reason: str) -> None:
        """Move what bears that name aside, unread; somebody else may have been quicker."""
        with contextlib.suppress(FileNotFoundError):
            written = int(self._disk.status(path).st_mtime)
            name = f"{written}-{secrets.token_hex(3)}-{_short(os.path.basename(path))}"
            self._disk.rename(path, f"{self._folder}/{name}")
            # A view for people: losing it with the power is no harm.
            self._disk.write_new(f"{self._folder}/{name}.reason.txt", reason.encode() + b"\n", sync=False)
            self._put_aside(os.path.basename(path), reason)

    def reason_for(self, job_id: str) -> str | None:
        """Return why the job's record was put aside; None when it was not."""
        for name in self._disk.names(self._folder):
            if name.endswith(f"-{job_id}.json"):
                return self._reason(f"{self._folder}/{name}.reason.txt")
        return None

    def _reason(self, path: str) -> str:
        try:
            return self._disk.read_file(path).decode(errors="replace").strip()
        except (OSError, Unsupported):
            return "It is in quarantine."


def _short(name: str) -> str:
    """Return as much of a name as leaves room for what is put around it: names end at 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST])
