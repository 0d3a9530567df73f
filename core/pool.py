"""Worker slots on APScheduler's thread pool: each claims, runs, claims again; a submit wakes one at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core import lifecycle
from core.bell import Bell
from core.errors import EngineUnavailable
from core.event_bus import KERNEL, EventBus
from core.jobs import Job, State

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

    from core.clock import Clock
    from core.engine import Engine
    from core.runner import Runner

MOST_SLOTS = 64

_BLINK = 0.005  # seconds
_GLANCE = 0.1  # seconds
_PAUSE = 1.0  # seconds before a slot asks an unavailable engine again
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # due at once, however the wall clock jumps


@dataclass(slots=True)
class Slot:
    """One worker: a thread of the pool that serves one queue."""

    id: str
    queue: str
    registered_at: float
    wanted: bool = True
    #: What it runs, from when the runner knows of it.
    job: Job | None = None
    completed: int = 0
    failed: int = 0
    busy_seconds: float = 0.0
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def status(self) -> str:
        """`busy`, `idle` or `offline`."""
        if self.gone.is_set():
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
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._events = events
        self._clock = clock
        self._lease = lease
        self._sizes = dict(slots)
        self._slots: list[Slot] = []
        self._bells = {queue: Bell() for queue in slots}
        self._claiming = True
        self._lock = threading.Lock()
        self._started = 0
        self._hurried = threading.Event()
        #: None before the start, and after the end.
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Start the slots of every queue, unless the pool was told before not to claim."""
        with self._lock:
            if self._scheduler is None and self._claiming:
                self._scheduler = _a_scheduler()
                self._scheduler.start()
        for queue, size in self._sizes.items():
            self.scale(size, queue=queue)

    def wake(self, queue: str) -> None:
        """Tell one idle slot of the queue that there may be work."""
        if bell := self._bells.get(queue):
            bell.ring()

    def wake_all(self) -> None:
        """Tell every idle slot that there may be work."""
        for bell in self._bells.values():
            bell.ring_all()

    def scale(self, size: int, *, queue: str = "default") -> int:
        """Set how many slots serve a queue; running jobs end first. Returns the former number.

        Before the start this only says how many there will be.
        """
        with self._lock:
            self._sizes[queue] = size
            serving = [slot for slot in self._slots if slot.queue == queue and slot.wanted]
            for slot in serving[size:]:
                slot.wanted = False
            if self._scheduler is not None:
                for _ in range(size - len(serving)):
                    self._add_slot(queue, self._scheduler)
        self.wake_all()
        return len(serving)

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
        return in_time

    def hurry(self, *, grace: float = 1.0) -> None:
        """Put running jobs back without waiting for them to end, while `drain` waits or before it begins."""
        self._hurried.set()
        self._runner.stop(grace)

    def status(self) -> list[Slot]:
        """Return the slots, those that are leaving included while they are busy."""
        with self._lock:
            self._slots = [slot for slot in self._slots if slot.wanted or not slot.gone.is_set()]
            return list(self._slots)

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

    def _add_slot(self, queue: str, scheduler: BackgroundScheduler) -> None:
        self._started += 1
        slot = Slot(f"worker-{self._started:03d}-internal", queue, self._clock.now())
        self._bells.setdefault(queue, Bell())
        self._slots.append(slot)
        scheduler.add_job(self._serve, "date", run_date=_LONG_AGO, args=[slot], id=slot.id)

    def _serve(self, slot: Slot) -> None:
        bell = self._bells[slot.queue]
        try:
            while self._claiming and slot.wanted:
                heard = bell.strokes
                if not self._took_turn(slot):
                    bell.wait_beyond(heard)
        finally:
            slot.gone.set()

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

        began = self._clock.monotonic()
        try:
            ended = self._runner.perform(job, taken=taken)
        finally:
            slot.job = None
            slot.busy_seconds += self._clock.monotonic() - began
        if ended is not None and ended.state.ended:
            slot.completed += ended.state is State.SUCCEEDED
            slot.failed += ended.state is State.FAILED


def _a_scheduler() -> BackgroundScheduler:
    # Imported here, because a bus accepts jobs before it starts slots.
    from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: PLC0415
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(MOST_SLOTS)},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
