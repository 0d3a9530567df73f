"""Once a second: rescue the jobs of dead workers, purge what is old, do the engine's upkeep."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from core import lifecycle
from core.errors import Conflict, EngineInDoubt, EngineUnavailable, JobExpired, JobNotFound
from core.event_bus import KERNEL, EventBus, job_payload
from core.ids import JOB_ID, submitted_ms
from core.jobs import Job, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from core.engine import Engine

TICK = 1.0  # seconds: a dead worker, a dropped file, a due job is noticed within it
PURGE_EVERY = 60.0
#: Seconds that the wall clock must have gone steadily before anything counts as old by it.
TRUST_AFTER = 3600.0

_SOONEST = 0.01
_JUMP = 60.0


class Janitor:
    """Keep the store tidy and every job moving."""

    def __init__(
        self,
        engine: Engine,
        events: EventBus,
        clock: Clock,
        *,
        wake_all: Callable[[], object],
        sweep: Callable[[str], object],
        backoff: Callable[[int], float],
        downloads: Path,
        result_ttl: float,
    ) -> None:
        self._engine = engine
        self._events = events
        self._clock = clock
        self._wake_all = wake_all
        #: Kills what a lost attempt has left running, and removes what it has left lying about.
        self._sweep = sweep
        self._backoff = backoff
        self._downloads = downloads
        self._result_ttl = result_ttl
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
        self._purged_at = clock.monotonic()
        self._epoch = clock.now() - clock.boottime()
        self._jumped_at = float("-inf")
        self._trouble = ""

    def start(self) -> None:
        """Begin to look after the store in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the round that is under way."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def warnings(self) -> list[str]:
        """What the operator should know: that the last round failed, and why."""
        return [f"The janitor fails, so lost jobs are not rescued: {self._trouble}"] if self._trouble else []

    def round(self) -> float:
        """Look after everything once; return the seconds until the next round is due."""
        now = self._clock.now()
        try:
            new_work = self._engine.upkeep(now)
            for job in self._engine.abandoned(now):
                self._rescue(job, now)
                new_work = True
            if self._clock.monotonic() - self._purged_at >= PURGE_EVERY:
                self._purge(now)
            due = self._engine.next_due()
        except EngineUnavailable as error:
            doubt = isinstance(error, EngineInDoubt)
            self._tell_of_trouble(f"system.engine_{'in_doubt' if doubt else 'unavailable'}", error.message)
            return TICK
        self._trouble = ""
        if new_work or (due is not None and due <= now):
            self._wake_all()
        return TICK if due is None else min(TICK, max(_SOONEST, due - now))

    def _run(self) -> None:
        pause = 0.0
        while not self._clock.wait(self._stopped, pause):
            try:
                pause = self.round()
            except Exception as error:  # noqa: BLE001  Whatever it was, jobs must go on being rescued.
                self._tell_of_trouble("system.janitor_failed", f"{type(error).__name__}: {error}")
                pause = TICK

    def _tell_of_trouble(self, event_type: str, message: str) -> None:
        """Publish it once, not every second until it is over."""
        if message != self._trouble:
            self._trouble = message
            self._events.publish(event_type, KERNEL, {"message": message})

    def _rescue(self, job: Job, now: float) -> None:
        self._sweep(job.id)  # before the job can be claimed anew
        rescued = lifecycle.lost(job, now=now, delay=self._backoff(job.attempt))
        try:
            self._engine.swap(job, rescued)
        except Conflict:  # Its own attempt settled it in the meantime: nothing to rescue.
            return
        self._events.publish(f"task.{_ENDINGS[rescued.state]}", KERNEL, job_payload(rescued))

    def _purge(self, now: float) -> None:
        self._purged_at = self._clock.monotonic()
        if self._is_trusted(now):
            self._engine.purge(now - self._result_ttl)
            self._remove_artefacts(older_than_ms=(now - self._result_ttl) * 1000)

    def _is_trusted(self, now: float) -> bool:
        """Return whether the wall clock has not jumped of late: a wrong one must not cost results."""
        boottime = self._clock.boottime()
        if abs(now - boottime - self._epoch) > _JUMP:
            self._epoch, self._jumped_at = now - boottime, boottime
        return boottime - self._jumped_at >= TRUST_AFTER

    def _remove_artefacts(self, older_than_ms: float) -> None:
        for folder in self._downloads.iterdir() if self._downloads.is_dir() else ():
            if JOB_ID.fullmatch(folder.name) and submitted_ms(folder.name) < older_than_ms:
                try:
                    self._engine.peek(folder.name)
                except (JobExpired, JobNotFound):
                    shutil.rmtree(folder, ignore_errors=True)


_ENDINGS = {State.QUEUED: "retrying", State.FAILED: "failed", State.CANCELLED: "cancelled"}
