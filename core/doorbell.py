"""A bell that `poll` and selectors hear, beside pipes and sockets."""

from __future__ import annotations

import os
import threading


class Doorbell:
    """Wake a thread that waits for descriptors. Any thread may ring, after the end too."""

    def __init__(self) -> None:
        self._number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to wait for: it can be read while the bell rings."""
        return self._number

    def ring(self) -> None:
        """Ring until somebody answers, or the bell is closed."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._number, 1)

    def answer(self) -> None:
        """End the ringing. Raises BlockingIOError when nobody has rung."""
        os.eventfd_read(self._number)

    def close(self) -> None:
        """Let go of the descriptor; nobody may wait for it any more."""
        with self._lock:
            self._closed = True
            os.close(self._number)
