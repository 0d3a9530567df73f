"""How many events a second reach ten subscribers: in the publisher's program, and in their own ones."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cells import ROOT
from benchmarks.figures import OURS, Figure, effort
from core.event_bus import EventBus, EventMessage
from queues.event_journal import EventJournal

SUBSCRIBERS = 10
#: The least that brings an event to ten others: nothing is kept, and nobody else can hear.
FAN_OUT = f"{SUBSCRIBERS} queue.Queue"

_PAYLOAD = {"job_id": "0193518c-0000-7000-8000-000000000000", "action": "noop", "text": "x" * 100}
_PATIENCE = 30.0  # seconds
#: Events by which the publisher may be ahead of a subscriber: more would only wait, and the journal keeps no
#: more than 10,000 waiting ones.
_AHEAD = 2_000


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once, another one first in each round."""
    figures = [_journal, _fan_out, _programs, _publish]
    first = round % len(figures)
    return [figure for take in (*figures[first:], *figures[:first]) for figure in take(folder)]


class Count:
    """Counts what it hears, and says when it has heard all."""

    def __init__(self, number: int) -> None:
        self._left = self._number = number
        self.full = threading.Event()

    @property
    def heard(self) -> int:
        """How many it has heard."""
        return self._number - self._left

    def __call__(self, message: object) -> None:
        """Hear one."""
        self._left -= 1
        if self._left == 0:
            self.full.set()

    def wait(self) -> None:
        """Wait for the last one. Raises RuntimeError when it does not come."""
        if not self.full.wait(_PATIENCE):
            raise RuntimeError(f"{self._left} events did not arrive")


def _journal(folder: Path) -> Iterator[Figure]:
    number = effort(2_000, 50_000)
    with _a_journal(folder / "journal") as journal:
        counts = [Count(number) for _ in range(SUBSCRIBERS)]
        buses = [EventBus(journal) for _ in counts]
        for bus, count in zip(buses, counts, strict=True):
            bus.subscribe("reader", "task.*", count)
        rate = _rate(number, lambda: _publish_all(EventBus(journal), _paced(number, counts)), counts)
        for bus in buses:
            bus.close()
    yield Figure(f"events to {SUBSCRIBERS} subscribers", OURS, rate, "events/s")


def _fan_out(folder: Path) -> Iterator[Figure]:
    number = effort(2_000, 50_000)
    counts = [Count(number) for _ in range(SUBSCRIBERS)]
    lines: list[queue.Queue[object]] = [queue.Queue() for _ in counts]
    for line, count in zip(lines, counts, strict=True):
        threading.Thread(target=_drain, args=[line, count, number], daemon=True).start()

    def publish() -> None:
        for n in _paced(number, counts):
            message = EventMessage(
                event_type="task.completed", source_agent="bench", payload={**_PAYLOAD, "n": n}
            )
            for line in lines:
                line.put(message)

    yield Figure(f"events to {SUBSCRIBERS} subscribers", FAN_OUT, _rate(number, publish, counts), "events/s")


def _programs(folder: Path) -> Iterator[Figure]:
    number = effort(1_000, 20_000)
    with _a_journal(folder / "programs") as journal:
        command = [sys.executable, "-m", "benchmarks.events", str(folder / "programs"), str(number)]
        programs = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(SUBSCRIBERS)
        ]
        try:
            for program in programs:
                _expect(program, "ready")
            pace = Count(number)
            EventBus(journal).subscribe("pace", "task.*", pace)
            began = time.monotonic()
            _publish_all(EventBus(journal), _paced(number, [pace]))
            for program in programs:
                _expect(program, "done")
            rate = number / (time.monotonic() - began)
        finally:
            for program in programs:
                program.kill()
                program.communicate()
    yield Figure(f"events to {SUBSCRIBERS} programs", OURS, rate, "events/s")


def _publish(folder: Path) -> Iterator[Figure]:
    """Yield what it costs to tell an event while the writer keeps up and nobody listens."""
    number, spent = effort(1_000, 20_000), 0.0
    with _a_journal(folder / "publish") as journal:
        bus = EventBus(journal)
        for _ in range(number // 100):
            began = time.perf_counter()
            _publish_all(bus, range(100))
            spent += time.perf_counter() - began
            time.sleep(0.002)
    yield Figure("telling an event", OURS, spent / number * 1e6, "µs")


@contextmanager
def _a_journal(folder: Path) -> Iterator[EventJournal]:
    journal = EventJournal(str(folder))
    try:
        yield journal
    finally:
        journal.close()


def _publish_all(bus: EventBus, numbers: Iterable[int]) -> None:
    for n in numbers:
        bus.publish("task.completed", "bench", {**_PAYLOAD, "n": n})


def _paced(number: int, counts: list[Count]) -> Iterator[int]:
    """Count to the number, never far ahead of the slowest. Raises RuntimeError when one hears no more."""
    for n in range(number):
        if n % 500 == 0:
            deadline = time.monotonic() + _PATIENCE
            while n - min(count.heard for count in counts) > _AHEAD:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"a subscriber hears no more after {n:,} events")
                time.sleep(0.001)
        yield n


def _rate(number: int, publish: Callable[[], None], counts: list[Count]) -> float:
    began = time.monotonic()
    publish()
    for count in counts:
        count.wait()
    return number / (time.monotonic() - began)


def _drain(line: queue.Queue[object], count: Count, number: int) -> None:
    for _ in range(number):
        count(line.get())


def _expect(program: subprocess.Popen[str], word: str) -> None:
    said = program.stdout.readline().strip() if program.stdout else ""
    if said != word:
        raise RuntimeError(f"a subscriber said {said!r} and not {word!r}")


def _subscribe(folder: str, number: int) -> None:
    """Be one of the programs: hear so many events, and say so."""
    count = Count(number)
    bus = EventBus(EventJournal(folder))
    bus.subscribe("reader", "task.*", count)
    print("ready", flush=True)
    count.wait()
    print("done", flush=True)


if __name__ == "__main__":
    _subscribe(sys.argv[1], int(sys.argv[2]))
