"""A bell that wakes who waits and is not missed by who was just looking elsewhere."""

from __future__ import annotations

import threading


class Bell:
    """Count strokes: a listener notes the count, looks for work, and waits only if no stroke came since."""

    def __init__(self) -> None:
        #: How often the bell was rung so far.
        self.strokes = 0
        self._rung = threading.Condition()

    def ring(self) -> None:
        """Wake one listener."""
        with self._rung:
            self.strokes += 1
            self._rung.notify()

    def ring_all(self) -> None:
        """Wake every listener."""
        with self._rung:
            self.strokes += 1
            self._rung.notify_all()

    def wait_beyond(self, heard: int) -> None:
        """Return as soon as the bell has been rung more than `heard` times."""
        with self._rung:
            while self.strokes == heard:
                self._rung.wait()
