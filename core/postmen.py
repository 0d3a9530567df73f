"""Postmen: threads that carry letters, few to one host, so that a dead one keeps no other waiting."""

from __future__ import annotations

import heapq
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.letters import Letter

#: Runs a function, in a thread of its own but in tests.
Spawn = Callable[[Callable[[], None]], object]

if TYPE_CHECKING:
    from core.clock import Clock
    from core.outbox import Outbox

_POSTMEN = 4
_TO_ONE_HOST = 2
#: How often in a row a host may not answer before it is left alone, for 2 seconds, 4, … up to a minute.
_SILENCES = 3
_LONGEST_REST = 60.0


def in_a_thread(go: Callable[[], None]) -> None:
    """Run a function in a thread of its own."""
    threading.Thread(target=go, name="postman", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt."""

    letter: Letter
    taken: bool
    #: The status of the answer or what went wrong, in one clause.
    said: str
    #: Trying again would not help.
    final: bool = False
    #: There was no answer at all, or one of a server in trouble.
    unwell: bool = False


@dataclass(slots=True)
class _Waiting:
    host: str
    #: Boot-time seconds at which it is due, and until which the machine stays on for it.
    due: float
    until: float
    #: Whether it stays on, or is started, for it at all.
    counts: bool
    on_its_way: bool = False


class Postmen:
    """Know which letters wait, and carry those that are due.

    All methods but `pending` and `next_due` are for one thread. `carry` is called in threads, and `back`
    after each call.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        carry: Callable[[Letter], Answer],
        *,
        linger: float,
        back: Callable[[], object],
        spawn: Spawn = in_a_thread,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._carry = carry
        self._linger = linger
        self._back = back
        self._spawn = spawn
        self._waiting: dict[str, _Waiting] = {}
        self._due: list[tuple[float, str]] = []  # a heap; entries that have become untrue are skipped
        #: By host, those that are due and go when one on its way there is back.
        self._held_up: defaultdict[str, deque[str]] = defaultdict(deque)
        self._came_back: deque[tuple[str, Answer | None]] = deque()
        self._busy: Counter[str] = Counter()
        self._silences: Counter[str] = Counter()
        self._resting: dict[str, float] = {}

    def add(self, letter: Letter) -> None:
        """Have a letter delivered when it is due."""
        now = self._clock.boottime()
        known = self._waiting.get(letter.id)
        until = known.until if known else now + self._linger
        due = now + letter.due_in(self._clock.now())
        self._put(letter.id, _Waiting(letter.host, due, until, counts=not letter.of_the_system))

    @property
    def under_way(self) -> bool:
        """Whether a letter is on its way; its answer may be there already."""
        return self._busy.total() > len(self._came_back)

    def knows(self, letter: str) -> bool:
        """Return whether a letter of that id waits or is on its way."""
        return letter in self._waiting

    def pending(self) -> tuple[float, ...]:
        """Return for each letter that counts the boot-time seconds at which it is waited for no longer."""
        return tuple(waiting.until for waiting in self._waiting.copy().values() if waiting.counts)

    def next_due(self) -> float | None:
        """Return the boot-time seconds at which the next letter that counts is due, perhaps past, or None."""
        return min((one.due for one in self._waiting.copy().values() if one.counts), default=None)

    def send_out(self) -> float:
        """Carry what is due, as far as there are postmen; return the seconds until something else will be."""
        now = self._clock.boottime()
        while self._due and self._due[0][0] <= now and self._busy.total() < _POSTMEN:
            due, name = heapq.heappop(self._due)
            waiting = self._waiting.get(name)
            if waiting is None or waiting.on_its_way or waiting.due != due:
                continue
            if (rested := self._resting.get(waiting.host, 0.0)) > now:
                waiting.due = rested
                self._put(name, waiting)
            elif self._busy[waiting.host] >= _TO_ONE_HOST:
                self._held_up[waiting.host].append(name)
            else:
                self._begin(name, waiting)
        free = self._busy.total() < _POSTMEN
        return max(0.0, self._due[0][0] - now) if self._due and free else float("inf")

    def answers(self) -> Iterator[Answer]:
        """Yield what became of the letters that were on their way; each is then to be added or forgotten."""
        while self._came_back:
            name, answer = self._came_back.popleft()
            waiting = self._waiting[name]
            self._busy -= Counter([waiting.host])
            self._release(waiting.host)
            if answer is None:
                self.forget(name)
            else:
                self._learn(waiting.host, answer)
                yield answer

    def forget(self, letter: str) -> None:
        """Have the letter of that id delivered no more."""
        self._waiting.pop(letter, None)

    def _put(self, name: str, waiting: _Waiting) -> None:
        self._waiting[name] = waiting
        heapq.heappush(self._due, (waiting.due, name))

    def _release(self, host: str) -> None:
        """Let one go that was held up, now that another one to that host is back."""
        held_up = self._held_up.get(host)
        while held_up:
            name = held_up.popleft()
            waiting = self._waiting.get(name)
            if waiting is not None and not waiting.on_its_way:
                self._put(name, waiting)
                return
        self._held_up.pop(host, None)

    def _begin(self, name: str, waiting: _Waiting) -> None:
        waiting.on_its_way = True
        self._busy[waiting.host] += 1
        try:
            self._spawn(lambda: self._go(name))
        except RuntimeError:  # There are too many threads: it stays in the outbox, and is found there later.
            self._came_back.append((name, None))

    def _go(self, name: str) -> None:
        """Carry a letter and come back with its answer; without one when it is gone, or there was a fault."""
        answer = None
        try:
            letter = self._outbox.get(name)
            answer = self._carry(letter) if letter else None
        finally:
            self._came_back.append((name, answer))
            self._back()

    def _learn(self, host: str, answer: Answer) -> None:
        """Leave a host that is unwell alone for a while."""
        if not answer.unwell:
            self._silences.pop(host, None)
            self._resting.pop(host, None)
            return
        self._silences[host] += 1
        if (number := self._silences[host] - _SILENCES) >= 0:
            rest = min(_LONGEST_REST, 2.0 ** min(number + 1, 10))
            self._resting[host] = self._clock.boottime() + rest
