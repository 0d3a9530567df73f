"""What the bus tells the workers of its own process directly, to save them a poll."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortcuts:
    """Whom to tell; without any, workers find out by themselves a little later."""

    #: New work may be claimable in that queue.
    wake: Callable[[str], object] = lambda queue: None
    #: The running attempt of that job is to stop.
    stop_attempt: Callable[[str], object] = lambda job_id: None
