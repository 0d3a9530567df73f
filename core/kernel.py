"""All parts of a running bus, put together by wiring.py; started, drained and asked for facts as one."""

from __future__ import annotations

import queue
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core import at_hand
from core.event_bus import KERNEL

if TYPE_CHECKING:
    from core.books import Books
    from core.bus import Bus
    from core.clock import Clock
    from core.deliveries import Deliveries
    from core.due_runs import DueRuns
    from core.event_bus import Transport
    from core.janitor import Janitor
    from core.metrics import Metrics
    from core.patience import Patience
    from core.pool import Pool
    from core.power import Power
    from core.publisher import Publisher
    from core.registry import Registry
    from core.schedules import Schedules
    from core.webhooks import Webhooks

VERSION = "0.1.0"

#: Seconds that running jobs get when the machine is taken away: it is off after 30, what is left is put back.
_PREEMPTED = 15.0


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What the dialects are handed."""

    bus: Bus
    registry: Registry
    pool: Pool
    janitor: Janitor
    power: Power
    deliveries: Deliveries
    metrics: Metrics
    clock: Clock
    #: How long requests wait for the store; None for as long as it takes.
    patience: Patience | None = None
    #: What is started by the clock, and who starts it; None where nothing is.
    schedules: Schedules | None = None
    due_runs: DueRuns | None = None
    #: Who tells receivers how their jobs ended, and what carries events to other programs; None without.
    webhooks: Webhooks | None = None
    outward: Transport | None = None
    #: Who shows in the mirror how jobs ended, and takes in what lies in its mailbox; None without a mirror.
    publisher: Publisher | None = None
    #: What the machine's time is spent on; None where nobody keeps books.
    books: Books | None = None
    #: A worker beside a server: it serves the queues that it was told, and leaves power to the server.
    beside: bool = False
    #: Whether workers claim jobs from the start.
    auto_start: bool = True
    #: Seconds that running jobs get to end when the process is told to stop.
    drain_timeout: float = 20.0
    #: Seconds that a request waits for the store, and so does a drain for the submissions under way.
    store_timeout: float = 10.0
    #: What the operator should know of the settings, found before the log was open.
    warnings: tuple[str, ...] = ()
    version: str = VERSION
    #: What else is to be got ready while jobs are accepted already, in order, and before the actions.
    errands: list[Callable[[], object]] = field(default_factory=list)
    #: Another one at every start: clients tell a new boot from an old one.
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    #: Set when every action is imported and the slots claim.
    ready: threading.Event = field(default_factory=threading.Event)
    _orders: queue.SimpleQueue[Callable[[], object] | None] = field(default_factory=queue.SimpleQueue)
    _drained: threading.Event = field(default_factory=threading.Event)
    _draining: threading.Lock = field(default_factory=threading.Lock)
    _preempted: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Look after the store, watch for idleness, and get ready to claim, while jobs are accepted already.

        What it takes to run a job takes longer to import than what it takes to accept one.
        """
        for warning in (*self.warnings, *self.bus.engine.check()):
            self._say("system.warning", message=warning)
        at_hand.note(self)
        if not self.beside:
            self.power.start()  # First, for it may close the gate.
        self.janitor.start()
        if self.due_runs is not None:
            self.due_runs.start()
        if self.webhooks is not None:
            self.webhooks.start()
        if self.publisher is not None:
            self.publisher.start()
        threading.Thread(target=self._obey, name="orders", daemon=True).start()
        threading.Thread(target=self._get_ready, name="get ready", daemon=True).start()

    def begin_drain(self, *, hurry: bool = False) -> None:
        """Refuse and claim nothing more, and drain in a thread: what a signal handler may call.

        In a hurry, running jobs are put back at once instead of being waited for; also when a drain goes on.
        """
        self.bus.gate.shut()
        self.pool.stop_claiming()
        # A put is all that is safe in a signal handler; a thread may be being started at this very moment.
        self._orders.put(self.pool.hurry if hurry else None)

    def preempted(self) -> None:
        """Drain within 25 seconds, because the machine is gone after 30; have it started again for the rest.

        Any thread may call it, and call it again; it returns at once. The process does not end by it.
        """
        if self._preempted.is_set():
            return
        self._preempted.set()
        running = sum(slot.status == "busy" for slot in self.pool.status())
        self._say("system.preempted", running=running, seconds=_PREEMPTED)
        self.power.prepare_to_end(preempted=True)
        self.begin_drain()
        threading.Thread(target=self._hurry_in_time, name="preempted", daemon=True).start()

    def drain(self) -> None:
        """Let running jobs end, put back those that do not, let go of the store; once, others wait for it."""
        if not self._draining.acquire(blocking=False):
            self._drained.wait()
            return
        self.bus.gate.shut()
        self.bus.hang_up()
        if not self.beside:
            self.power.prepare_to_end()
        until = self.clock.monotonic() + self.store_timeout
        if running := sum(slot.status == "busy" for slot in self.pool.status()):
            self._say("system.stopping", running=running, seconds=self.drain_timeout)
        in_time = self.pool.drain(self.drain_timeout)
        if self.due_runs is not None:
            self.due_runs.stop()
        self.bus.gate.is_left(max(0.0, until - self.clock.monotonic()))
        self.janitor.stop()
        self.power.stop()
        self._say(
            "system.shutdown",
            message="Stopped; " + ("all jobs ended." if in_time else "what ran was put back."),
        )
        self._let_go()
        self._drained.set()

    def readings(self) -> Mapping[str, Mapping[str, float]]:
        """Return the gauges of `GET /metrics`, read from the store, the pool and the power logic."""
        statuses = [slot.status for slot in self.pool.status()]
        power = self.power.status()
        return {
            "task_queue_size": {state.value: float(number) for state, number in self.bus.count().items()},
            "worker_count": {name: float(statuses.count(name)) for name in ("idle", "busy", "offline")},
            "aafai_accepting": {"": float(not self.bus.gate.closed)},
            "aafai_broken_actions": {"": float(len(self.registry.broken))},
            "aafai_reasons_to_stay_on": {reason.code: 1.0 for reason in power.reasons},
            "aafai_uptime_seconds": {"": power.uptime},
            "aafai_boot_seconds": self.books.last_boot() if self.books is not None else {},
        }

    def _get_ready(self) -> None:
        """Start the slots if they are to, do the errands, import every action, tell which are broken."""
        try:
            with _giving_way():
                if self.auto_start:
                    self.pool.start()
                for errand in self.errands:
                    self._run(errand)
                self.registry.load_found()
            if not self.beside:
                self.pool.serve(sorted({spec.limits.queue for spec in self.registry.actions.values()}))
        except Exception as error:
            self._say("system.warning", message=f"Jobs are accepted, but not all can be run: {error}")
            raise
        for name, reason in self.registry.broken.items():
            self._say("system.broken_action", name=name, reason=reason)
        names = len(self.registry.actions)
        slots = sum(1 for _ in self.pool.status())
        self._say("system.startup", engine=self.bus.engine.name, actions=names, slots=slots)
        self.ready.set()

    def _run(self, errand: Callable[[], object]) -> None:
        """Do an errand. One that fails is told of, and keeps no job from being run."""
        try:
            errand()
        except Exception as error:  # noqa: BLE001  Whatever it was, the bus has to go on.
            self._say("system.warning", message=f"Jobs are run, but not all else is ready: {error!r}")

    def _obey(self) -> None:
        """Drain when told to, and hurry when told that too."""
        order = self._orders.get()
        threading.Thread(target=self.drain, name="drain").start()
        while True:
            if order is not None:
                order()
            order = self._orders.get()

    def _let_go(self) -> None:
        if self.books is not None:
            self.books.close()
        if self.webhooks is not None:  # Whoever wants to know that this bus stops is told, too.
            self.webhooks.stop()
        if self.publisher is not None:
            self.publisher.stop()
        self.bus.engine.close()
        if self.outward is not None:
            self.outward.close()
        at_hand.forget(self)

    def _hurry_in_time(self) -> None:
        if not self.clock.wait(self._drained, _PREEMPTED):
            self.pool.hurry()

    def _say(self, event_type: str, **payload: object) -> None:
        self.bus.events.publish(event_type, KERNEL, payload)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Let other threads have the interpreter sooner: a request asks for it dozens of times."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
