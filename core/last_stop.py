"""The record of a clean stop: written when the machine or the service is about to end, read at the start.

```text
{"state": "running", "since": …, "boot": …, "pid": …}            nobody has said that it ends
{"state": "stopped", "stopped_at": …, "message": …, "next_due": …}     it has
```

Nothing but words depends on it, so it may be damaged, left over or missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BusError
from core.strict_json import parse
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock


@dataclass(frozen=True, slots=True)
class LastStop:
    """How the run of the service before this one ended."""

    #: Whether it said that it would: jobs had ended, or were put back.
    clean: bool
    #: One sentence for people.
    message: str
    #: Unix seconds; None when it was not clean.
    at: float | None = None


class StopRecord:
    """The file that one run of the service leaves to the next; `warn` is told when it cannot be written."""

    def __init__(self, path: Path, boot: str, clock: Clock, *, warn: Callable[[str], object]) -> None:
        """`boot` is the kernel's name for this boot of the machine."""
        self._path = path
        self._boot = boot
        self._clock = clock
        self._warn = warn

    def read(self) -> LastStop | None:
        """Return how the last run ended; None when there was none, or it goes on in another process."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return LastStop(False, f"Its record cannot be read: {error.strerror}.")
        try:
            return self._meant(parse(text))
        except (BusError, LookupError, TypeError, ValueError, OverflowError):
            return LastStop(False, "Its record is damaged.")

    def note_start(self) -> None:
        """Write that this process runs; where that fails, nothing tells of a clean stop any more."""
        running = {"state": "running", "since": self._clock.now(), "boot": self._boot, "pid": os.getpid()}
        if not self._write(running, durable=False):
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def note_stop(self, message: str, next_due: float | None) -> None:
        """Write durably that the machine or the service is about to end."""
        now = self._clock.now()
        stopped = {"state": "stopped", "stopped_at": now, "message": message, "next_due": next_due}
        self._write(stopped, durable=True)

    def _meant(self, record: Any) -> LastStop | None:
        if record["state"] == "stopped":
            return LastStop(True, str(record["message"]), float(record["stopped_at"]))
        if record["boot"] != self._boot:
            return LastStop(False, "The machine went off, or the service died, without a word.")
        return None if _lives(int(record["pid"])) else LastStop(False, "The service died without a word.")

    def _write(self, record: dict[str, Any], *, durable: bool) -> bool:
        try:
            write_whole(self._path, json.dumps(record, indent=1) + "\n", durable=durable)
        except OSError as error:
            self._warn(f"the record of the clean stop cannot be written: {error}")
            return False
        return True


def _lives(pid: int) -> bool:
    """Return whether another process has that id. Raises ValueError or OverflowError when none ever can."""
    if pid < 1:
        raise ValueError(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
