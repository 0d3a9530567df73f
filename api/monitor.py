"""The bus about itself: /health and /metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import monitor_doc
from api.callers import trusted
from api.checkup import Checkup, Finding
from api.http import answer, iso
from api.openapi import documented
from core.jobs import Json, State

if TYPE_CHECKING:
    from core.kernel import Kernel
    from core.machine import PowerStatus

#: State of the kernel → its name under `queue` in /health.
QUEUE_WORDS: Mapping[State, str] = {
    State.QUEUED: "pending",
    State.RUNNING: "running",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What only the store, and who asks it, can tell."""

    #: Of the store, of the janitor, of the power switches and of the wake alarm.
    warnings: list[str]
    counts: Mapping[State, int]
    power: PowerStatus


def monitor_blueprint(kernel: Kernel) -> Blueprint:
    """Return the routes by which people and programs watch the bus."""
    monitor = Monitor(kernel)
    blueprint = Blueprint("monitor", __name__)
    blueprint.add_url_rule("/health", view_func=monitor.health, methods=["GET"])
    blueprint.add_url_rule("/metrics", view_func=monitor.metrics, methods=["GET"])
    return blueprint


class Monitor:
    """Answer for the health of the bus."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._checkup = Checkup(self._examine, kernel.clock)

    @documented(monitor_doc.HEALTH)
    def health(self) -> Response:
        """Tell whether jobs are accepted, and what stands in the way of health."""
        finding = self._checkup.finding()
        accepting = finding.problem is None and not self._kernel.bus.gate.closed
        body: dict[str, Json] = {
            "status": self._status(finding, accepting),
            "version": self._kernel.version,
            "accepting": accepting,
            "timestamp": iso(self._kernel.clock.now()),
        }
        if trusted():
            body |= self._details(finding)
        return answer(body, 200 if accepting else 503, {} if accepting else {"Retry-After": "5"})

    @documented(monitor_doc.METRICS)
    def metrics(self) -> Response:
        """Give every metric in Prometheus text."""
        text, content_type = self._kernel.metrics.render()
        return Response(text, content_type=content_type)

    def _examine(self) -> Facts:
        engine, power = self._kernel.bus.engine, self._kernel.power.status()
        warnings = [*engine.check(), *self._kernel.janitor.warnings, *_power_warnings(power)]
        return Facts(warnings=warnings, counts=engine.count(), power=power)

    def _status(self, finding: Finding, accepting: bool) -> str:
        if not accepting:
            return "unhealthy"
        facts: Facts = finding.facts
        return "degraded" if self._kernel.registry.broken or facts.warnings else "healthy"

    def _details(self, finding: Finding) -> dict[str, Json]:
        kernel, facts = self._kernel, finding.facts
        slots = Counter(slot.status for slot in kernel.pool.status())
        return {
            "boot_id": kernel.boot_id,
            "database": {
                "engine": kernel.bus.engine.name,
                "connected": finding.problem is None,
                "latency_ms": finding.latency_ms,
                "problem": finding.problem,
            },
            "workers": {
                "total": slots.total(),
                **{name: slots[name] for name in ("idle", "busy", "offline")},
            },
            "queue": {word: facts.counts[state] if facts else None for state, word in QUEUE_WORDS.items()},
            "actions": {
                name: _first_line(spec.description) for name, spec in kernel.registry.actions.items()
            },
            "broken_actions": dict(kernel.registry.broken),
            "power": asdict(facts.power) if facts else None,
            "warnings": [*kernel.warnings, *(facts.warnings if facts else ())],
        }


def _power_warnings(power: PowerStatus) -> Iterator[str]:
    """Yield what keeps the machine from switching itself off, or from being started again in time."""
    for switch in power.switches:
        if switch.problem:
            yield f"The power switch {switch.name} will not work: {switch.problem}"
    if power.last_run and power.last_run.error:
        yield f"Switching off failed: {power.last_run.error}"
    if power.wake.problem:
        yield f"The wake alarm {power.wake.alarm}: {power.wake.problem}"


def _first_line(description: str) -> str:
    return description.partition("\n")[0]
