"""The hold on the machine: in a file, so that it outlives the service, and all who share the folder see it.

Within one boot of the machine its end is a moment of the boot-time clock, which nobody can set. Into another
boot only wall-clock time can be carried; what a wrong clock makes of that is never longer than the hold was.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BusError
from core.idle import Hold
from core.strict_json import parse
from core.whole_file import write_whole

if TYPE_CHECKING:
    from core.clock import Clock

#: The longest hold, in seconds: one that was forgotten must not cost more than a day.
LONGEST_HOLD = 86_400.0


class Holds:
    """Place, release and read the one hold. Any thread may; several processes may share the file."""

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        *,
        boot: str = "",
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Keep the hold at `path`, or only in memory without one; `boot` names this boot of the machine."""
        self._path = path
        self._clock = clock
        self._boot = boot
        self._warn = warn
        self._lock = threading.Lock()
        self._hold: Hold | None = None
        #: Which file `_hold` was last read from.
        self._read: tuple[int, ...] | None = None

    def current(self) -> Hold | None:
        """Return the hold, unless there is none or its time is over."""
        with self._lock:
            if self._path is not None and (found := _mark(self._path)) != self._read:
                self._read = found
                self._hold = self._loaded(self._path)
            hold = self._hold
        return hold if hold and hold.until > self._clock.boottime() else None

    def place(self, seconds: float, *, by: str, why: str) -> Hold:
        """Hold the machine for that long, in place of an earlier hold; LONGEST_HOLD is the most."""
        seconds = min(seconds, LONGEST_HOLD)
        with self._lock:
            self._hold = Hold(until=self._clock.boottime() + seconds, by=by, why=why)
            self._keep(self._hold, seconds)
            return self._hold

    def release(self) -> bool:
        """End the hold; return whether there was one."""
        held = self.current() is not None
        with self._lock:
            self._hold = None
            try:
                if self._path is not None:
                    self._path.unlink(missing_ok=True)
                    self._read = None
            except OSError as error:
                self._warn(f"the hold is released until the next start, its file cannot be removed: {error}")
        return held

    def _keep(self, hold: Hold, seconds: float) -> None:
        if self._path is None:
            return
        document = {
            "by": hold.by,
            "why": hold.why,
            "seconds": seconds,
            "until": self._clock.now() + seconds,
            "boot": self._boot,
            "until_boottime": hold.until,
        }
        try:
            write_whole(self._path, json.dumps(document, indent=1) + "\n", durable=True)
        except OSError as error:
            self._warn(f"the hold would not outlive the service, its file cannot be written: {error}")
        self._read = _mark(self._path)

    def _loaded(self, path: Path) -> Hold | None:
        try:
            document: Any = parse(path.read_bytes())
            left = self._left(document)
            hold = Hold(until=self._clock.boottime() + left, by=str(document["by"]), why=str(document["why"]))
        except FileNotFoundError:
            return None
        except (OSError, BusError, LookupError, TypeError, ValueError):
            self._warn(f"the hold in {path} cannot be read and does not count")
            return None
        if document["boot"] != self._boot and left > 0:
            self._keep(hold, left)
        return hold

    def _left(self, document: Any) -> float:
        """Return how many seconds the hold of the file lasts from now on; not above 0 when it is over."""
        if document["boot"] == self._boot:
            left = float(document["until_boottime"]) - self._clock.boottime()
        else:
            left = float(document["until"]) - self._clock.now()
        return min(left, float(document["seconds"]), LONGEST_HOLD)


def _mark(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of a file from another; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
