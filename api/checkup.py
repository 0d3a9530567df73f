"""Asks what may hang (the store, and whatever asks it) in a thread, so that /health always answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import BusError

if TYPE_CHECKING:
    from core.clock import Clock

DEADLINE = 2.0  # seconds
FRESH = 1.0  # seconds for which a finding is handed out again


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What the last examination found."""

    #: What the examination returned; None when it failed or has not ended.
    facts: Any = None
    #: Why there are no facts, in one sentence.
    problem: str | None = None
    #: Milliseconds that it took.
    latency_ms: float | None = None


class Checkup:
    """Run one examination at a time, however many ask, and hang for none of them."""

    def __init__(self, examine: Callable[[], Any], clock: Clock) -> None:
        self._examine = examine
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None
        self._found = Finding()
        self._found_at = float("-inf")

    def finding(self) -> Finding:
        """Return what an examination not older than a second found, or that it does not end."""
        with self._lock:
            if self._clock.monotonic() - self._found_at < FRESH:
                return self._found
            if self._ended is None:
                self._ended = threading.Event()
                threading.Thread(target=self._run, args=[self._ended], name="checkup", daemon=True).start()
            ended = self._ended
        if not self._clock.wait(ended, DEADLINE):
            return Finding(problem=f"The store has not answered for {DEADLINE:g} seconds.")
        return self._found

    def _run(self, ended: threading.Event) -> None:
        began = self._clock.monotonic()
        facts, problem = None, None
        try:
            facts = self._examine()
        except BusError as error:
            problem = error.message
        except Exception as error:  # noqa: BLE001  Whatever breaks here is what /health is there to tell.
            problem = f"The check itself failed: {error!r}"
        now = self._clock.monotonic()
        with self._lock:
            self._found = Finding(facts=facts, problem=problem, latency_ms=round((now - began) * 1000, 3))
            self._found_at = now
            self._ended = None
        ended.set()
