"""Who is at work in an engine object: its closing lets nobody in any more, and waits for those who are."""

from __future__ import annotations

import threading
from types import TracebackType

from core.errors import EngineUnavailable
from queues.file.trouble import Reported


class AtWork(Reported):
    """Around every call: count it, or refuse it when the engine is closed; say what a failure means."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._closed = False
        self._nobody = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._closed

    def __enter__(self) -> None:
        """Raise EngineUnavailable when the engine is closed."""
        with self._lock:
            if self._closed:
                raise EngineUnavailable("The engine is closed.")
            self._number += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the error that people understand in place of an OSError."""
        with self._lock:
            self._number -= 1
            if self._closed and not self._number:
                self._nobody.set()
        if error is not None:
            super().__exit__(kind, error, trace)

    def close(self) -> bool:
        """Let nobody in any more; return False when that was so already."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            if not self._number:
                self._nobody.set()
            return True

    def until_nobody_is(self) -> None:
        """Wait until the last call has ended; for ever, when its disk hangs."""
        self._nobody.wait()
