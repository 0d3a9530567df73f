"""Hears from Google's metadata server that the machine is being preempted: it is off half a minute later."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cloud.metadata import MetadataServer, NoMetadata, Preempted
from core.clock import Clock

#: Seconds between two questions, lest a server that does not wait for a change is asked without end.
_PAUSE = 1.0
#: The same after a failure: the server may be late at boot.
_REST = 5.0


class PreemptionWatch:
    """Wait for the news, and pass it on once."""

    def __init__(self, server: MetadataServer, clock: Clock, tell: Callable[[], object]) -> None:
        self._server = server
        self._clock = clock
        self._tell = tell
        self._seen: Preempted | None = None

    def start(self) -> None:
        """Ask from now on, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="preemption", daemon=True).start()

    def step(self) -> float | None:
        """Ask once, for a minute while nothing changes; return the seconds to rest, None when it is told."""
        try:
            self._seen = self._server.preempted(since=self._seen)
        except NoMetadata:
            self._seen = None
            return _REST
        if not self._seen.yes:
            return _PAUSE
        self._tell()
        return None

    def _run(self) -> None:
        never = threading.Event()
        while (rest := self.step()) is not None:
            self._clock.wait(never, rest)
