"""The gate through which every submission goes: closed before the machine switches off, and only then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import ShuttingDown


class Gate:
    """Let submissions in while open. Closing waits for those already inside, so none is accepted unseen."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False
        self._for_good = False
        self._retry_after = 30.0

    @property
    def closed(self) -> bool:
        """Whether new submissions are refused."""
        return self._closed or self._for_good

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold the gate for one submission. Raises ShuttingDown when it is closed."""
        with self._changed:
            if self.closed:
                raise ShuttingDown(self._retry_after)
            self._inside += 1
        try:
            yield
        finally:
            self._leave()

    def close(self, *, retry_after: float = 30.0, patience: float = 10.0) -> bool:
        """Refuse from now on; return whether all who were inside have left within `patience` seconds."""
        self.refuse(retry_after=retry_after)
        return self.is_left(patience)

    def refuse(self, *, retry_after: float) -> None:
        """Let nobody in from now on; who is inside stays."""
        with self._changed:
            self._closed = True
            self._retry_after = retry_after

    def shut(self) -> None:
        """Refuse for good without waiting: what a signal handler may do."""
        self._for_good = True
        self._closed = True

    def is_left(self, patience: float) -> bool:
        """Return whether all who were inside a closed gate have left, or do within `patience` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._inside == 0, patience)

    def open(self) -> None:
        """Accept again, unless the gate was shut for good."""
        with self._changed:
            self._closed = self._for_good

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if self._closed:
                self._changed.notify_all()
