"""How many requests somebody may send: each takes one out of a bucket, which is refilled steadily."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from api.errors import Refused

if TYPE_CHECKING:
    from core.clock import Clock

_MOST_BUCKETS = 10_000
_IPV6_NETWORK = 64  # bits: what one customer of a provider has at least


@dataclass(frozen=True, slots=True)
class Allowance:
    """What somebody has left."""

    #: Requests a minute.
    limit: int
    #: Requests that may still come at once.
    left: float

    @property
    def headers(self) -> Mapping[str, str]:
        """Return it as answers tell it: the limit, what is left, seconds until nothing is missing."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(int(self.left)),
            "RateLimit-Reset": str(self.seconds_until(self.limit)),
        }

    def seconds_until(self, number: int) -> int:
        """Return the whole seconds until so many requests may come at once."""
        return math.ceil(max(0.0, number - self.left) * 60 / self.limit)


class RateLimit:
    """Allow each so many requests a minute, all at once or spread; 0 for no limit."""

    def __init__(self, per_minute: int, clock: Clock, *, whose: str) -> None:
        """Limit addresses, or tokens; `whose` is how a refusal calls one of them."""
        self._most = per_minute
        self._clock = clock
        self._whose = whose
        #: Who → requests left, and when that was; who asked last comes last.
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def spend(self, who: str, *, per_minute: int | None = None) -> Allowance | None:
        """Take one request out of the bucket and return what is left; None without a limit.

        `per_minute` goes before the usual limit. Raises Refused, with the time to come back, when nothing is.
        """
        most = self._most if per_minute is None else per_minute
        if not most:
            return None
        with self._lock:
            now = self._clock.monotonic()
            left = self._left(who, most, now)
            spent = left - 1 if left >= 1 else left
            self._keep(who, spent, now)
        if left < 1:
            raise self._refusal(Allowance(most, left))
        return Allowance(most, spent)

    def _left(self, who: str, most: int, now: float) -> float:
        left, since = self._buckets.pop(who, (most, now))
        return min(most, left + (now - since) * most / 60)

    def _keep(self, who: str, left: float, now: float) -> None:
        """Remember a bucket, and when there are too many, forget the one that has refilled for longest."""
        self._buckets[who] = (left, now)
        if len(self._buckets) > _MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]

    def _refusal(self, allowance: Allowance) -> Refused:
        return Refused(
            "rate_limited",
            f"{self._whose} has sent more than {allowance.limit:,} requests a minute.",
            hint="Poll less often: use wait=25, or ask for many jobs at once with POST /outbound.",
            headers={"Retry-After": str(allowance.seconds_until(1)), **allowance.headers},
        )


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return the bucket of an address: its own, or that of its IPv6 network, which one client has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), _IPV6_NETWORK), strict=False))
