"""Makes a client of the settings: a fixed line, or a machine of Google's."""

from __future__ import annotations

from collections.abc import Callable

from client.bus_client import BusClient
from client.google_compute import ADDRESS, GoogleCompute
from client.line import Line
from client.machine import Machine
from client.mirror import STORAGE, MirrorReader
from client.settings import Target
from core.clock import Clock, SystemClock


def opened(
    target: Target,
    *,
    patience: float = 30.0,
    clock: Clock | None = None,
    tell: Callable[[str], object] = lambda told: None,
) -> BusClient:
    """Return a client of the bus, which has asked nobody yet.

    A bus may leave it without a word for `patience` seconds; `tell` is told what is waited for.
    """
    clock = clock or SystemClock()
    if target.url:
        return BusClient(
            target.url, token=target.token, signs=target.signs, patience=patience, clock=clock, tell=tell
        )
    machine = machine_of(target, patience=patience, clock=clock, tell=tell)
    mirror = MirrorReader(target.mirror, target.google_url or STORAGE) if target.mirror else None
    return BusClient(machine=machine, mirror=mirror, patience=patience, clock=clock, tell=tell)


def machine_of(target: Target, *, patience: float, clock: Clock, tell: Callable[[str], object]) -> Machine:
    """Return the machine that the settings name."""
    compute = GoogleCompute(
        target.project, target.instance, url=target.google_url or ADDRESS, internal=target.internal
    )

    def line_to(address: str) -> Line:
        host = f"[{address}]" if ":" in address else address
        return Line(f"http://{host}:{target.port}", target.token, target.signs, patience, clock)

    return Machine(compute, target.zones, line_to, clock=clock, tell=tell)
