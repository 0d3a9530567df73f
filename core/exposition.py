"""Writes what was counted and measured as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from core.metrics import LIVE, Durations, Tally

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def written(
    readings: Mapping[str, Mapping[str, float]], tallies: Iterable[Tally], durations: Iterable[Durations]
) -> tuple[bytes, str]:
    """Return the gauges, tallies and durations in Prometheus text, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    families = [*_gauges(readings), *map(_counter, tallies), *map(_histogram, durations)]
    registry.register(_Collected(families))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collected(Collector):
    """Families that are there already, in the shape in which a registry takes them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauges(readings: Mapping[str, Mapping[str, float]]) -> Iterator[Metric]:
    for name, (meaning, label) in LIVE.items():
        gauge = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
        for value, number in readings.get(name, {}).items():
            gauge.add_metric([value] if label else [], number)
        yield gauge


def _counter(tally: Tally) -> Metric:
    family = CounterMetricFamily(tally.name, tally.meaning, labels=tally.labels)
    for labels, number in tally.numbers.items():
        family.add_metric(labels, number)
    return family


def _histogram(durations: Durations) -> Metric:
    family = HistogramMetricFamily(durations.name, durations.meaning, labels=durations.labels)
    bounds = [*map(str, durations.bounds), "+Inf"]
    for labels, counts in durations.counts.items():
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        family.add_metric(labels, buckets, durations.sums[labels])
    return family
