"""Which job ids cannot have been stored yet: most submissions need no look at the disk to know that."""

from __future__ import annotations

import threading
from collections import deque

from core.ids import submitted_ms

#: How many ids are remembered, for threads whose ids do not come in the order in which they were made.
_REMEMBERED = 4096


class Novelty:
    """The ids that came lately, and a line below which an id may have been stored by anybody.

    Ids are made by the process that submits, so nobody else can have stored one that was made after this
    object. Asking costs a lookup; a look at the disk costs a dozen.
    """

    def __init__(self, opened: float) -> None:
        """Take every id made before that time, in Unix seconds, for one that may be stored."""
        self._opened_ms = opened * 1000
        self._line = ""
        self._recent: set[str] = set()
        self._order: deque[str] = deque()
        self._lock = threading.Lock()

    def is_new(self, job_id: str) -> bool:
        """Return whether the id can never have been stored, and remember it."""
        with self._lock:
            if job_id <= self._line or job_id in self._recent or submitted_ms(job_id) <= self._opened_ms:
                return False
            self._recent.add(job_id)
            self._order.append(job_id)
            if len(self._order) > _REMEMBERED:
                forgotten = self._order.popleft()
                self._recent.discard(forgotten)
                self._line = max(self._line, forgotten)
            return True
