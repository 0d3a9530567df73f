"""Prometheus metrics: gauges read from the store when asked, counters fed by events and requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from core.event_bus import KERNEL, EventBus, EventMessage

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

#: How long jobs take, in seconds: from a no-op to a long crawl.
_JOB_BUCKETS = (0.005, 0.05, 0.5, 2.5, 10, 30, 60, 300, 1800, 7200)

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the page and say nothing that the counters do not

Readings = Callable[[], Mapping[str, Mapping[str, float]]]


class Metrics:
    """Everything that is counted or measured, for `GET /metrics`.

    `readings()` answers at each scrape: metric name → label value → number.
    """

    def __init__(self, events: EventBus, readings: Readings) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Live(readings))
        self._requests = Counter(
            "http_requests",
            "HTTP requests answered.",
            ["method", "endpoint", "status"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time to answer a request.",
            ["endpoint"],
            registry=self._registry,
        )
        self._attempts = Counter(
            "aafai_attempts", "Attempts by how they ended.", ["action", "outcome"], registry=self._registry
        )
        self._job_seconds = Histogram(
            "aafai_job_duration_seconds",
            "Time from the start of an attempt to the end of its job.",
            ["action"],
            buckets=_JOB_BUCKETS,
            registry=self._registry,
        )
        events.subscribe("metrics", "task.*", self._count)

    def observe_request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count an answered request under its route, never its raw path."""
        self._requests.labels(method, endpoint, str(status)).inc()
        self._request_seconds.labels(endpoint).observe(seconds)

    def render(self) -> tuple[bytes, str]:
        """Return the metrics in Prometheus text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _count(self, message: EventMessage) -> None:
        outcome = message.event_type.removeprefix("task.")
        if message.source_agent != KERNEL or outcome not in ("completed", "failed", "cancelled", "retrying"):
            return
        action, seconds = message.payload["action"], message.payload["seconds"]
        self._attempts.labels(action, outcome).inc()
        if seconds is not None:
            self._job_seconds.labels(action).observe(seconds)


#: Gauges read at each scrape: name → help and the label that tells its values apart.
LIVE: Mapping[str, tuple[str, str]] = {
    "task_queue_size": ("Jobs by state.", "status"),
    "worker_count": ("Worker slots by status.", "status"),
    "aafai_accepting": ("1 while jobs are accepted.", ""),
    "aafai_broken_actions": ("Action files that could not be loaded.", ""),
    "aafai_reasons_to_stay_on": ("Why the machine is still on, by reason.", "reason"),
    "aafai_uptime_seconds": ("Seconds since the service started, sleep included.", ""),
}


class _Live:
    """Gauges whose truth is elsewhere: the store, the pool, the power logic."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge with its values of this moment."""
        readings = self._readings()
        for name, (meaning, label) in LIVE.items():
            gauge = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
            for value, number in readings.get(name, {}).items():
                gauge.add_metric([value] if label else [], number)
            yield gauge
