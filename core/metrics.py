"""What is counted and measured: gauges read from the store when asked, tallies of events and requests."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from core.event_bus import KERNEL, EventBus, EventMessage

#: Gauges read at each scrape: name → help and the label that tells its values apart.
LIVE: Mapping[str, tuple[str, str]] = {
    "task_queue_size": ("Jobs by state.", "status"),
    "worker_count": ("Worker slots by status.", "status"),
    "aafai_accepting": ("1 while jobs are accepted.", ""),
    "aafai_broken_actions": ("Action files that could not be loaded.", ""),
    "aafai_reasons_to_stay_on": ("Why the machine is still on, by reason.", "reason"),
    "aafai_boot_seconds": ("Seconds that the last start took, by phase.", "phase"),
    "aafai_uptime_seconds": ("Seconds since the service started, sleep included.", ""),
}

_REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
# From a no-op to a long crawl.
_JOB_BOUNDS = (0.005, 0.05, 0.5, 2.5, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

Readings = Callable[[], Mapping[str, Mapping[str, float]]]


class Tally:
    """How often something happened, by the values of its labels."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels
        self.numbers: Counter[tuple[str, ...]] = Counter()


class Durations:
    """How long something took, by the values of its labels."""

    def __init__(self, name: str, meaning: str, *labels: str, bounds: tuple[float, ...]) -> None:
        self.name, self.meaning, self.labels, self.bounds = name, meaning, labels, bounds
        #: How many took no longer than each bound and longer than the one before; those beyond all come last.
        self.counts: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
        #: All their seconds together.
        self.sums: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def add(self, seconds: float, *labels: str) -> None:
        """Count one of them."""
        self.counts[labels][bisect_left(self.bounds, seconds)] += 1
        self.sums[labels] += seconds


class Metrics:
    """Everything that is counted or measured, for `GET /metrics`.

    `readings()` answers at each scrape: metric name → label value → number.
    """

    def __init__(self, events: EventBus, readings: Readings) -> None:
        self._readings = readings
        self._lock = threading.Lock()
        self._requests = Tally("http_requests", "HTTP requests answered.", "method", "endpoint", "status")
        self._attempts = Tally("aafai_attempts", "Attempts by how they ended.", "action", "outcome")
        self._request_seconds = Durations(
            "http_request_duration_seconds", "Time to answer a request.", "endpoint", bounds=_REQUEST_BOUNDS
        )
        self._job_seconds = Durations(
            "aafai_job_duration_seconds",
            "Time from the start of an attempt to the end of its job.",
            "action",
            bounds=_JOB_BOUNDS,
        )
        events.subscribe("metrics", "task.*", self._count)

    def observe_request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count an answered request under its route, never its raw path."""
        with self._lock:
            self._requests.numbers[method, endpoint, str(status)] += 1
            self._request_seconds.add(seconds, endpoint)

    def render(self) -> tuple[bytes, str]:
        """Return the metrics in Prometheus text and its content type."""
        from core.exposition import written  # noqa: PLC0415  Most buses are never scraped.

        readings = self._readings()
        with self._lock:
            tallies = (self._requests, self._attempts)
            return written(readings, tallies, (self._request_seconds, self._job_seconds))

    def _count(self, message: EventMessage) -> None:
        outcome = message.event_type.removeprefix("task.")
        if message.source_agent != KERNEL or outcome not in ("completed", "failed", "cancelled", "retrying"):
            return
        action, seconds = message.payload["action"], message.payload["seconds"]
        with self._lock:
            self._attempts.numbers[action, outcome] += 1
            if seconds is not None:
                self._job_seconds.add(seconds, action)
