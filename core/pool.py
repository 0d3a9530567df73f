"""Worker slots on APScheduler's thread pool: each claims, runs, claims again; a submit wakes one at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from core import lifecycle
from core.bell import Bell
from core.errors import EngineUnavailable
from core.event_bus import KERNEL, EventBus
from core.jobs import DEFAULT_QUEUE, Job
from core.roster import Roster

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

    from core.clock import Clock
    from core.engine import Engine
    from core.runner import Runner

#: Of all queues together. A thread is made when a slot needs one, so this costs nothing.
MOST_SLOTS = 1_000

_BLINK = 0.005  # seconds
_GLANCE = 0.1  # seconds
_PAUSE = 1.0  # seconds before a slot asks an unavailable engine again
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # due at once, however the wall clock jumps


@dataclass(slots=True)
class Slot:
    """One worker: a thread of the pool that serves one queue."""

    #: `worker-001-internal` and so on: a name is used again when its bearer has gone.
    id: str
    queue: str
    #: When it started, in boot-time seconds.
    since: float
    #: Whether it is to claim another job.
    wanted: bool = True
    #: What it runs, from when the runner knows of it.
    job: Job | None = None
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def status(self) -> str:
        """`busy`, `idle` or `offline`."""
        if self.gone.is_set() or not (self.wanted or self.job):
            return "offline"
        return "busy" if self.job else "idle"


class Pool:
    """Run the jobs of each queue in as many slots as that queue has."""

    def __init__(
        self,
        engine: Engine,
        runner: Runner,
        events: EventBus,
        clock: Clock,
        *,
        slots: Mapping[str, int],
        lease: float = 60.0,
        roster: Roster | None = None,
    ) -> None:
        """Have as many slots for each queue as `slots` says; `roster` remembers what each of them does."""
        self.roster = roster or Roster(events, clock)
        self._engine = engine
        self._runner = runner
        self._events = events
        self._clock = clock
        self._lease = lease
        self._sizes = dict(slots)
        self._slots: list[Slot] = []
        self._bells = {queue: Bell() for queue in slots}
        #: Off for good once the pool drains.
        self._claiming = True
        #: On between a start and the stop that follows.
        self._running = False
        self._lock = threading.Lock()
        self._hurried = threading.Event()
        #: None before the start, and after the end.
        self._scheduler: BackgroundScheduler | None = None

    @property
    def running(self) -> bool:
        """Whether slots claim jobs."""
        return self._running and self._claiming

    def start(self) -> None:
        """Start the slots of every queue, at first or after a stop, unless the pool was told to drain."""
        with self._lock:
            if self._scheduler is None and self._claiming:
                self._scheduler = _a_scheduler()
                self._scheduler.start()
                self.roster.start()
            self._running = self._claiming
            for queue in self._sizes:
                self._fit(queue)
        self.wake_all()

    def stop(self) -> None:
        """Let every slot go, the busy ones when their jobs have ended. What waits goes on waiting."""
        with self._lock:
            self._running = False
            for queue in self._sizes:
                self._fit(queue)
        self.wake_all()

    def wake(self, queue: str) -> None:
        """Tell one idle slot of the queue that there may be work."""
        if bell := self._bells.get(queue):
            bell.ring()

    def wake_all(self) -> None:
        """Tell every idle slot that there may be work."""
        for bell in self._bells.values():
            bell.ring_all()

    def scale(self, size: int, *, queue: str = DEFAULT_QUEUE) -> int:
        """Set how many slots serve a queue; running jobs end first. Returns the former number.

        Before the start, and after a stop, this only says how many there will be.
        """
        with self._lock:
            former = sum(slot.queue == queue and slot.wanted for slot in self._present())
            self._sizes[queue] = size
            self._fit(queue)
        self.wake_all()
        return former

    def serve(self, queues: Iterable[str]) -> None:
        """Have a slot for each of these queues that has none."""
        for queue in queues:
            if queue not in self._sizes:
                self.scale(1, queue=queue)

    def stop_claiming(self) -> None:
        """Claim nothing more. Takes no lock: a signal handler may call it."""
        self._claiming = False

    def drain(self, timeout: float, *, grace: float = 2.0) -> bool:
        """Claim nothing more, give running jobs `timeout` seconds to end and put back the others.

        A job that is put back has its attempt given back. Returns whether every job ended by itself.
        """
        self.stop_claiming()
        self.wake_all()
        deadline = self._clock.monotonic() + timeout
        in_time = all(self._is_gone(slot, deadline) for slot in self.status())
        # Whose claim is on its way, unknown to the runner, must find the store open to put the job back.
        late = [slot for slot in self.status() if slot.job is None]
        self._runner.stop(grace)
        for slot in late:
            self._clock.wait(slot.gone, grace)
        self._shut_down()
        self.roster.stop()
        return in_time

    def hurry(self, *, grace: float = 1.0) -> None:
        """Put running jobs back without waiting for them to end, while `drain` waits or before it begins."""
        self._hurried.set()
        self._runner.stop(grace)

    def status(self) -> list[Slot]:
        """Return the slots, those that are leaving included while they are busy."""
        with self._lock:
            return self._present()

    def _is_gone(self, slot: Slot, deadline: float) -> bool:
        """Wait for the slot until the deadline, or until there is a hurry."""
        while not slot.gone.is_set() and not self._hurried.is_set():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            self._clock.wait(slot.gone, min(left, _GLANCE))
        return slot.gone.is_set()

    def _shut_down(self) -> None:
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            # A scheduler that is shut down while it hands a slot to its threads raises in its own thread.
            while scheduler.get_jobs():
                self._clock.wait(threading.Event(), _BLINK)
            scheduler.shutdown(wait=False)

    def _present(self) -> list[Slot]:
        self._slots = [slot for slot in self._slots if slot.wanted or not slot.gone.is_set()]
        return list(self._slots)

    def _fit(self, queue: str) -> None:
        """Give the queue as many slots as it is to have; one that is leaving may stay. Needs the lock."""
        size = self._sizes[queue] if self._running else 0
        here = [slot for slot in self._present() if slot.queue == queue and not slot.gone.is_set()]
        here.sort(key=lambda slot: (not slot.wanted, slot.id))
        for place, slot in enumerate(here):
            slot.wanted = place < size
        if self._scheduler is not None:
            for _ in range(size - len(here)):
                self._add_slot(queue, self._scheduler)

    def _add_slot(self, queue: str, scheduler: BackgroundScheduler) -> None:
        taken = {slot.id for slot in self._slots if not slot.gone.is_set()}
        name = next(name for name in map("worker-{:03d}-internal".format, count(1)) if name not in taken)
        slot = Slot(name, queue, self._clock.boottime())
        self._bells.setdefault(queue, Bell())
        self._slots.append(slot)
        self.roster.enlist(name)
        scheduler.add_job(self._serve, "date", run_date=_LONG_AGO, args=[slot])

    def _serve(self, slot: Slot) -> None:
        bell = self._bells[slot.queue]
        try:
            while True:
                heard = bell.strokes  # Before the look at `wanted`: whoever changes that rings afterwards.
                if not self._stays(slot):
                    return
                if not self._took_turn(slot):
                    bell.wait_beyond(heard)
        finally:
            slot.gone.set()

    def _stays(self, slot: Slot) -> bool:
        """Return whether the slot goes on; one that does not is gone before anybody can want it again."""
        with self._lock:
            if not (self._claiming and slot.wanted):
                slot.gone.set()
            return not slot.gone.is_set()

    def _took_turn(self, slot: Slot) -> bool:
        """Run the next job of the queue; return False when there is none. Never raises."""
        try:
            job = self._engine.claim(slot.id, now=self._clock.now(), lease=self._lease, queues=[slot.queue])
            if job is not None and not self._claiming:
                self._engine.swap(job, lifecycle.given_back(job))
            elif job is not None:
                self._perform(slot, job)
        except EngineUnavailable:  # The janitor tells of it; a slot just asks again.
            self._clock.wait(slot.gone, _PAUSE)
        except Exception as error:  # noqa: BLE001  Whatever it was, it must not cost the slot.
            fault = f"{type(error).__name__}: {error}"
            self._events.publish("system.worker_failed", KERNEL, {"worker": slot.id, "message": fault})
            self._clock.wait(slot.gone, _PAUSE)
        else:
            return job is not None
        return True

    def _perform(self, slot: Slot, job: Job) -> None:
        def taken() -> None:
            slot.job = job

        try:
            self._runner.perform(job, taken=taken)
        finally:
            slot.job = None


def _a_scheduler() -> BackgroundScheduler:
    # Imported here, because a bus accepts jobs before it starts slots.
    from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: PLC0415
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(MOST_SLOTS)},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
