"""The record of a clean stop: written when the machine or the service is about to end, read at the start.

```text
{"state": "running", "since": …, "boot": …, "pid": …}            nobody has said that it ends
{"state": "stopped", "stopped_at": …, "message": …, "next_due": …}     it has
{…, "switch": …, "boot": …, "boottime": …}                             by this switch, at that moment
```

It may be damaged, left over or missing: then no start tells of a stop, or goes on with one.
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


#: What a record raises that nobody of ours wrote.
_DAMAGED = (BusError, LookupError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class LastStop:
    """How the run of the service before this one ended."""

    #: Whether it said that it would: jobs had ended, or were put back.
    clean: bool
    #: One sentence for people.
    message: str
    #: Unix seconds; None when it was not clean.
    at: float | None = None


@dataclass(frozen=True, slots=True)
class StopUnderWay:
    """A stop of the machine that an earlier process of this boot has begun, and that may yet come true."""

    switch: str
    #: Unix seconds, and boot-time seconds, of the moment just before the switch was run.
    at: float
    began: float
    #: One sentence for people.
    message: str


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
            return self._meant(parse(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            return LastStop(False, f"Its record cannot be read: {error.strerror}.")
        except _DAMAGED:
            return LastStop(False, "Its record is damaged.")

    def under_way(self, patience: float) -> StopUnderWay | None:
        """Return the machine's stop that was begun in this boot, and less than `patience` seconds ago."""
        try:
            stop = self._begun(parse(self._path.read_bytes()))
        except (OSError, *_DAMAGED):
            return None
        return stop if stop and 0 <= self._clock.boottime() - stop.began < patience else None

    def note_start(self) -> None:
        """Write that this process runs; where that fails, nothing tells of a clean stop any more."""
        running = {"state": "running", "since": self._clock.now(), "boot": self._boot, "pid": os.getpid()}
        if not self._write(running, durable=False):
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def note_stop(self, message: str, next_due: float | None, *, switch: str = "") -> None:
        """Write durably that the service is about to end, or the machine, by that switch."""
        now = self._clock.now()
        stopped = {"state": "stopped", "stopped_at": now, "message": message, "next_due": next_due}
        if switch:
            stopped |= {"switch": switch, "boot": self._boot, "boottime": self._clock.boottime()}
        self._write(stopped, durable=True)

    def _meant(self, record: Any) -> LastStop | None:
        if record["state"] == "stopped":
            return LastStop(True, str(record["message"]), float(record["stopped_at"]))
        if record["boot"] != self._boot:
            return LastStop(False, "The machine went off, or the service died, without a word.")
        return None if _lives(int(record["pid"])) else LastStop(False, "The service died without a word.")

    def _begun(self, record: Any) -> StopUnderWay | None:
        if record["state"] != "stopped" or "switch" not in record:
            return None
        if not self._boot or record["boot"] != self._boot:  # It was another boot, or may have been.
            return None
        at, began = float(record["stopped_at"]), float(record["boottime"])
        return StopUnderWay(str(record["switch"]), at, began, str(record["message"]))

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
