"""Webhooks: tell receivers how their jobs ended, and subscribers what happens, until they take it.

One thread decides, others carry; a worker slot never does. Of the processes that share an outbox, one does.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.addresses import checked_spelling
from core.carrying import carrier
from core.errors import BusError
from core.event_bus import KERNEL, EventBus, EventMessage
from core.letters import Letter, failed, letter_id
from core.news import News
from core.outbox import Outbox
from core.postmen import Answer, Postmen, Spawn, in_a_thread
from core.promises import Promises
from core.subscriptions import Subscription, read_subscriptions
from core.webhook_signature import keys_of

if TYPE_CHECKING:
    from core.bus import Bus
    from core.clock import Clock
    from core.engine import Engine

_GLANCE = 5.0  # seconds between two looks whether other processes have put anything into the outbox
_LOOK_ANYHOW = 60.0
_ENDINGS = ("completed", "failed", "cancelled")
_FAREWELL = 1.0  # seconds that a stop waits: to hear this bus out, and again for receivers under way


def furnish(
    bus: Bus,
    folder: Path,
    clock: Clock,
    *,
    secret: str,
    private: bool,
    subscriptions: Path | None,
    **more: Any,
) -> Webhooks:
    """Return the webhooks of a bus, which promises callbacks from now on, with their outbox in a folder.

    Letters are signed with `secret`, or one of the outbox's own. `private` allows receivers inside the
    network. `subscriptions` is a file; what else there is to say goes to Webhooks. Raises ConfigError.
    """
    outbox = Outbox(folder)
    carry = carrier(lambda: keys_of(secret or outbox.secret()), clock, private=private)
    standing = read_subscriptions(subscriptions, partial(checked_spelling, private=private))
    webhooks = Webhooks(outbox, bus.engine, bus.events, clock, carry=carry, subscriptions=standing, **more)
    bus.promises = webhooks.promises
    return webhooks


class Webhooks:
    """Turn ends of jobs and events into letters, and see to it that they are delivered.

    What happens is told on `events`; standing subscriptions hear what is told on `news`. `base` is the first
    wait between attempts, `linger` how long the machine stays on for a letter, both in seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        engine: Engine,
        events: EventBus,
        clock: Clock,
        *,
        carry: Callable[[Letter], Answer],
        news: EventBus | None = None,
        subscriptions: Sequence[Subscription] = (),
        base: float = 2.0,
        linger: float = 900.0,
        spawn: Spawn = in_a_thread,
    ) -> None:
        #: What the bus asks to promise a callback before it stores the job.
        self.promises = Promises(outbox, engine, clock, broken=self._tell_of_broken)
        self._outbox, self._events, self._clock = outbox, events, clock
        self._base = base
        self._bell = threading.Event()
        self._postmen = Postmen(outbox, clock, carry, linger=linger, back=self._bell.set, spawn=spawn)
        self._news = News(subscriptions, news, events, ring=self._bell.set)
        #: When the outbox had last changed, and when it was looked at.
        self._looked = -1, float("-inf")
        self._trouble, self._stopped = "", False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        for ending in _ENDINGS:
            events.subscribe(KERNEL, f"task.{ending}", self._note_end)

    def pending(self) -> tuple[float, ...]:
        """Return for each undelivered letter the boot-time seconds at which it is waited for no longer."""
        return self._postmen.pending()

    def next_due(self) -> float | None:
        """Return when the next letter is to be tried, in Unix seconds, perhaps past; None without one."""
        due = self._postmen.next_due()
        return None if due is None else self._clock.now() + due - self._clock.boottime()

    def start(self) -> None:
        """Begin to listen for the subscriptions, and to deliver in a thread of its own."""
        self._news.listen()
        self._thread.start()

    def stop(self) -> None:
        """Hear and write what was told until now, and try it once; what is pending waits for the next start.

        That takes two seconds at most.
        """
        self._wait(lambda: self._news.complete)
        self._news.close()
        self._stopped = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()
            self.round()
            self._wait(lambda: not self._postmen.under_way)
        self._try(self._settle_all)
        self._outbox.resign()

    def round(self) -> float:
        """Write what is to be told, see to the deliveries; return the seconds until the next round is due.

        What fails is said and tried again later, and keeps nothing else from being done.
        """
        trouble = self._trouble
        self._trouble = ""
        if not self._led():
            self._try(self.promises.written)
            if self._outbox.used:  # By the process that delivers. Nobody does before the first event.
                self._news.forget()
            return _GLANCE
        for step in (self._write_letters, self._write_news, self._look_around, self._settle_all):
            self._try(step)
        again = self._try(self.promises.check)
        if self._trouble not in {"", trouble}:
            message = f"webhooks are delayed: {self._trouble}"
            self._events.publish("system.warning", KERNEL, {"message": message})
        due = self._try(self._postmen.send_out)
        return min(_GLANCE, *(pause for pause in (again, due) if pause is not None))

    def _run(self) -> None:
        pause = 0.0
        while True:
            self._clock.wait(self._bell, pause)
            self._bell.clear()
            if self._stopped:
                return
            pause = self.round()

    def _wait(self, done: Callable[[], bool]) -> None:
        """Wait for something, for as long as a stop may be held up."""
        deadline = self._clock.monotonic() + _FAREWELL
        while not done() and self._clock.monotonic() < deadline:
            self._clock.wait(threading.Event(), 0.01)

    def _try(self, step: Callable[[], float | object]) -> float | None:
        try:
            done = step()
        except (OSError, BusError) as error:
            self._trouble = str(error)
        except Exception as error:  # noqa: BLE001  Whatever it was, others are still to be told.
            self._trouble = f"{type(error).__name__}: {error}"
        else:
            return done if isinstance(done, float) else None
        return None

    def _led(self) -> bool:
        """Return whether this process delivers."""
        if self._news.waiting:
            self._try(self._outbox.make)
        return bool(self._try(lambda: float(self._outbox.lead())))

    def _note_end(self, message: EventMessage) -> None:
        if self.promises.note_end(message.payload["job_id"]):
            self._bell.set()

    def _write_letters(self) -> None:
        for letter in self.promises.written():
            self._postmen.add(letter)

    def _write_news(self) -> None:
        """Write to the standing subscriptions of what was heard."""

        def put(letter: Letter) -> None:
            self._outbox.put(letter)
            self._postmen.add(letter)

        self._news.write(put, self._clock)

    def _look_around(self) -> None:
        """Take up the letters of an earlier process, and of others, when there may be some."""
        now = self._clock.monotonic()
        since, changed = now - self._looked[1], self._outbox.changed_at()
        if since < _GLANCE or (changed == self._looked[0] and since < _LOOK_ANYHOW):
            return
        for name in self._outbox.letters():
            if not self._postmen.knows(name) and (letter := self._outbox.get(name)):
                self._postmen.add(letter)
        self._looked = changed, now

    def _settle_all(self) -> None:
        for answer in self._postmen.answers():
            self._settle(answer)

    def _settle(self, answer: Answer) -> None:
        letter = answer.letter
        if answer.taken:
            self._postmen.forget(letter.id)
            self._outbox.settle(letter)
            self._tell("webhook.delivered", letter, answer.said)
            return
        now, jitter = self._clock.now(), random.random()
        later = failed(letter, error=answer.said, now=now, base=self._base, jitter=jitter)
        if answer.final or later.hopeless:
            self._postmen.forget(letter.id)
            self._outbox.give_up(later)
            self._tell("webhook.given_up", later, answer.said)
            return
        self._postmen.add(later)
        self._tell("webhook.failed", later, answer.said)
        self._outbox.put(later)

    def _tell(self, event_type: str, letter: Letter, said: str) -> None:
        told = {
            "webhook_id": letter.id,
            "job_id": letter.job_id,
            "to": letter.host,
            "about": letter.event_type,
            "attempts": letter.attempts,
            "delay": letter.delay,
            "reason": said,
        }
        self._events.publish(event_type, KERNEL, told)

    def _tell_of_broken(self, job_id: str, why: str) -> None:
        lost = Letter(id=letter_id(job_id), url="", body="", event_type="the end of its job", job_id=job_id)
        self._tell("webhook.given_up", lost, why)
