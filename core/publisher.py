"""The publisher: writes into the mirror how jobs ended, and looks into its mailbox.

One thread does it; a worker slot only notes that a job has ended. What has a status in the mirror is there as
a whole, so a crash is made good by comparing the mirror with the store.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.announcer import Announcer
from core.errors import BusError, JobExpired, JobNotFound, RecordDamaged
from core.event_bus import KERNEL, EventBus, EventMessage
from core.jobs import ENDED, Query
from core.mirror import STATUSES, Mirror
from core.publication import publish
from core.publishers import Publishers

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine
    from core.mailbox import Mailbox

_LOOK_AROUND = 60.0  # seconds between two looks for processes that have died
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds before a mirror that failed is tried again
_FAREWELL = 1.0  # seconds that a stop waits for what is under way
_PAGE = 1_000


@dataclass(kw_only=True, eq=False)
class Publisher:
    """Publish each job that ends, in this process or in one that died; look into the mailbox now and then.

    `linger` is how long the machine stays on for what could not be published, in seconds.
    """

    mirror: Mirror
    engine: Engine
    events: EventBus
    clock: Clock
    publishers: Publishers
    downloads: Path
    linger: float
    #: None in a process that leaves it to the server.
    mailbox: Mailbox | None = None

    def __post_init__(self) -> None:
        #: Jobs that have ended, each with the boot-time seconds at which it is waited for no longer.
        self._waiting: dict[str, float] = {}
        #: How often each of them could not be published.
        self._failed: Counter[str] = Counter()
        self._announcer = Announcer(self.events)
        self._next_look = self._next_mail = self._rest_until = float("-inf")
        self._failures = 0
        self._bell, self._stopped = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        for ending in ("completed", "failed", "cancelled"):
            self.events.subscribe(KERNEL, f"task.{ending}", self._note_end)

    def pending(self) -> tuple[float, ...]:
        """Return for each job that is to be published the boot-time seconds until which it is waited for."""
        return tuple(self._waiting.copy().values())

    def start(self) -> None:
        """Mark this process as one that publishes, and begin, in a thread of its own. Raises nothing."""
        self._join()
        self._thread.start()

    def stop(self) -> None:
        """Publish what can be within a second; the next start finds what is left."""
        self._stopped = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(_FAREWELL)
        with suppress(OSError):
            self.publishers.leave(done=not self._waiting and not self._thread.is_alive())

    def round(self) -> float:
        """Publish and take in what there is; return the seconds until the next round is due.

        What fails keeps nothing else from being done; it is told once, and tried again after a rest.
        """
        now = self.clock.monotonic()
        if now < self._rest_until:
            return self._rest_until - now
        steps = (self._look_around, self._publish_all, self._take_in)
        if [step for step in steps if not self._goes_well(step)]:
            return self._rest(now)
        self._failures = 0
        self._announcer.forget()
        return max(0.0, min(self._next_look, self._next_mail) - self.clock.monotonic())

    def _run(self) -> None:
        if problem := self.mirror.check():
            self._announcer.warn(problem)
        pause = 0.0
        while True:
            if not self._stopped:
                self.clock.wait(self._bell, pause)
            self._bell.clear()
            pause = self.round()
            if self._stopped:
                return

    def _note_end(self, message: EventMessage) -> None:
        self._waiting.setdefault(message.payload["job_id"], self.clock.boottime() + self.linger)
        if self._thread.is_alive():
            self._bell.set()
        else:  # A program that only submits and cancels leaves it to those that publish.
            self._join()

    def _join(self) -> None:
        try:
            self.publishers.join()
        except OSError as error:
            self._announcer.warn(f"After a crash the mirror may lack results: {error}.")

    def _goes_well(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except (BusError, OSError) as error:
            self._announcer.say_once("system.mirror_failed", str(error))
        except Exception as error:  # noqa: BLE001  Whatever it was, there is more to be done.
            self._announcer.say_once("system.mirror_failed", f"{type(error).__name__}: {error}")
        else:
            return True
        return False

    def _rest(self, now: float) -> float:
        rest = min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._rest_until = now + rest
        return rest

    def _look_around(self) -> None:
        """Find what was never published, when some process has died or the mirror is a new one."""
        now = self.clock.monotonic()
        if now < self._next_look:
            return
        left_behind = self.publishers.left_behind()
        if left_behind or self.publishers.is_new():
            published = {name.removesuffix(".json") for name in self.mirror.names(STATUSES)}
            until = self.clock.boottime() + self.linger
            for job_id in self._ended():
                if job_id not in published:
                    self._waiting.setdefault(job_id, until)
            self.publishers.forget(left_behind)
        self._next_look = now + _LOOK_AROUND

    def _ended(self) -> Iterator[str]:
        query: Query | None = Query(states=ENDED, limit=_PAGE)
        while query is not None:
            page = self.engine.find(query)
            yield from (job.id for job in page.jobs)
            query = Query(states=ENDED, limit=_PAGE, cursor=page.next_cursor) if page.next_cursor else None

    def _publish_all(self) -> None:
        # What ends meanwhile has rung the bell.
        for job_id in sorted(self._waiting.copy(), key=lambda job_id: self._failed[job_id]):
            try:
                self._publish(job_id)
            except BaseException:
                self._failed[job_id] += 1  # Others go first the next time.
                raise
            self._waiting.pop(job_id, None)
            self._failed.pop(job_id, None)

    def _publish(self, job_id: str) -> None:
        try:
            job = self.engine.get(job_id)
        except (JobNotFound, JobExpired, RecordDamaged):
            return  # There is nothing to tell, and never will be.
        publish(job, self.mirror, self.downloads)

    def _take_in(self) -> None:
        now = self.clock.monotonic()
        if self.mailbox is None or self._stopped:
            self._next_mail = float("inf")
        elif now >= self._next_mail:
            more = self.mailbox.take_in()
            self._next_mail = now if more else now + self.mirror.interval
