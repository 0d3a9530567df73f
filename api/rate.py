"""How many requests one address may send: a bucket of tokens for each, refilled steadily."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from api.errors import Refused

if TYPE_CHECKING:
    from core.clock import Clock

_MOST_ADDRESSES = 10_000


class RateLimit:
    """Allow each address so many requests a minute, all at once or spread; 0 for no limit.

    Behind a proxy every request has the proxy's address: limit there.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._most = per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address → tokens left, and when that was
        self._lock = threading.Lock()

    def spend(self, address: str) -> None:
        """Take one token of the address. Raises Refused, with the time of the next one, when none is left."""
        if not self._most:
            return
        with self._lock:
            tokens = self._tokens(address)
            if tokens >= 1:
                self._buckets[address] = (tokens - 1, self._clock.monotonic())
                return
        wait = str(max(1, math.ceil((1 - tokens) * 60 / self._most)))
        raise Refused(
            "rate_limited",
            f"This address has sent more than {self._most:,} requests a minute.",
            hint="Poll less often: use wait=25, or ask for many jobs at once with POST /outbound.",
            headers={
                "Retry-After": wait,
                "RateLimit-Limit": str(self._most),
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": wait,
            },
        )

    def _tokens(self, address: str) -> float:
        """Return what the address has left now; forget everybody's when there are too many of them."""
        if address not in self._buckets and len(self._buckets) >= _MOST_ADDRESSES:
            self._buckets.clear()
        now = self._clock.monotonic()
        left, since = self._buckets.get(address, (self._most, now))
        return min(self._most, left + (now - since) * self._most / 60)
