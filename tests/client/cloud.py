"""A machine of the fake Google's, on which a bus is served after each start, at another address."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from google.oauth2.credentials import Credentials

from client.bus_client import BusClient
from client.google_compute import GoogleCompute
from client.line import Line
from client.machine import Machine
from core.clock import Clock
from core.jobs import Query
from examples.running import free_port
from queues.memory import MemoryEngine
from tests.client.served import App, Served
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_google import TOKEN, FakeGoogle
from tests.cloud.refused import Refused
from tests.fakes import FakeClock

SECOND_ZONE = "europe-west1-c"
_ADDRESSES = itertools.count(2)


class ScriptedClock(FakeClock):
    """A clock that stands still until somebody waits; then something happens that the test has planned."""

    def __init__(self) -> None:
        super().__init__()
        #: What happens at the next waits, in this order.
        self.plan: list[Callable[[], object]] = []
        #: How long was waited, in seconds.
        self.waits: list[float] = []

    def wait(self, event: Any, timeout: float | None) -> bool:
        self.waits.append(timeout or 0.0)
        if self.plan:
            self.plan.pop(0)()
        return super().wait(event, timeout)


class Cloud:
    """The project of the fake Google's with the machine `bus`, off at first. Its disk outlasts each boot."""

    def __init__(self, folder: Path, *, around: Callable[[Cloud, App], App] = lambda _, app: app) -> None:
        self.google = FakeGoogle(on_start=self._boot)
        self.google.compute.instance()["status"] = "TERMINATED"
        self.clock = ScriptedClock()
        self.engine = MemoryEngine()
        self.port = free_port()
        #: The buses of all boots, the newest last.
        self.boots: list[Served] = []
        #: What the client was told that is waited for.
        self.told: list[str] = []
        #: What a start does instead of booting a bus, one by one.
        self.instead: list[Callable[[], object]] = []
        #: Settings of the doors of each boot.
        self.door: dict[str, Any] = {}
        self._around = around
        self._folder = folder

    def __enter__(self) -> Self:
        self.google.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for bus in self.boots:
            bus.hang_up()
        self.google.__exit__()

    def machine(self, *zones: str, clock: Clock | None = None) -> Machine:
        """Return the machine as a client has it, which speaks to Google through Google's library."""
        given = Credentials(token=TOKEN)
        compute = GoogleCompute(PROJECT, INSTANCE, url=self.google.url, given=given)
        return Machine(
            compute, zones or (ZONE,), self.line_to, clock=clock or self.clock, tell=self.told.append
        )

    def line_to(self, address: str) -> Line:
        return Line(f"http://{address}:{self.port}", patience=10.0, clock=self.clock)

    def client(self, *zones: str) -> BusClient:
        return BusClient(machine=self.machine(*zones), clock=self.clock, tell=self.told.append)

    def status(self, status: str, zone: str = ZONE) -> None:
        """Have the machine in a state."""
        self.google.compute.instance(zone=zone)["status"] = status

    def power_off(self) -> None:
        """Have the machine off, as after a stop."""
        self.boots[-1].hang_up()
        self.status("TERMINATED")

    def boot(self) -> Served:
        """Have the machine on, as after a start by somebody else."""
        self.google.compute.change("start")
        self.google.compute.settle()
        return self.boots[-1]

    def starts(self) -> int:
        """Return how often the machine was asked to start."""
        return self.google.calls().count("POST start")

    def jobs(self) -> list[str]:
        """Return the ids of all jobs on the machine's disk."""
        return [job.id for job in self.engine.find(Query()).jobs]

    def _boot(self, _: str) -> None:
        if self.instead:
            self.instead.pop(0)()
            return
        number = len(self.boots) + 1
        address = f"127.0.{next(_ADDRESSES) % 200}.{number + 1}"
        self.google.compute.address_of = lambda _: address
        bus = Served(
            self._folder / f"boot-{number}",
            host=address,
            port=self.port,
            boot_id=f"boot-{number}",
            engine=self.engine,
            around=lambda app: self._around(self, app),
            **self.door,
        )
        self.boots.append(bus.__enter__())


def out_of_stock() -> None:
    """Refuse a start as Google does when it has no such machine to give."""
    raise Refused(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources.")
