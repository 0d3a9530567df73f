"""Worker processes on one queue folder, to be hired, killed and stopped."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.events import Event, heard

ROOT = Path(__file__).parents[2]

_GLANCE = 0.02  # seconds
_SETTLING = 0.02  # seconds in which the kernel stops a process


@dataclass
class Hand:
    """One worker process and what it has said."""

    process: subprocess.Popen[bytes]
    output: Path
    #: CLOCK_MONOTONIC of its death in nanoseconds; 0 while it lives.
    killed_ns: int = 0
    _events: list[Event] = field(default_factory=list)
    _read: int = 0

    def events(self) -> list[Event]:
        """Return all that it has said so far, the oldest first."""
        with self.output.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole + newline)
        self._events += heard(whole + newline)
        return self._events

    def unfinished(self) -> str | None:
        """Return the job that it was at when it last said something."""
        said = [event for event in self.events()[-2:] if event.kind in {"started", "ended", "robbed"}]
        return said[-1].job_id if said and said[-1].kind == "started" else None

    def has_ended_a_job(self) -> bool:
        return any(event.kind == "ended" for event in self.events())

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@dataclass
class Crew:
    """The workers of one queue folder, dead ones included."""

    base: Path
    logs: Path
    #: What every worker is told, such as `--longest`.
    options: Sequence[str] = ()
    hands: list[Hand] = field(default_factory=list)

    def hire(self, *options: str, prefix: Sequence[str] = ()) -> Hand:
        """Start one worker more, perhaps under another program such as `unshare --time`."""
        output = self.logs / f"hand-{len(self.hands)}.log"
        program = [sys.executable, "-m", "tests.faults.shift", str(self.base)]
        with output.open("wb") as file:
            command = [*prefix, *program, *self.options, *options]
            self.hands.append(Hand(subprocess.Popen(command, cwd=ROOT, stdout=file), output))
        return self.hands[-1]

    def living(self) -> list[Hand]:
        return [hand for hand in self.hands if not hand.killed_ns]

    def kill(self, hand: Hand) -> None:
        """Kill a worker in the middle of whatever it does."""
        hand.send(signal.SIGKILL)
        hand.killed_ns = time.monotonic_ns()
        hand.process.wait()

    def until_ready(self) -> None:
        """Wait until every worker has opened the queue. Raises AssertionError when one does not."""
        assert waited_for(lambda: all(hand.events() for hand in self.living()))

    def until_all_work(self) -> None:
        """Wait until every living worker has ended a job. Raises AssertionError when one does not."""
        assert waited_for(lambda: all(hand.has_ended_a_job() for hand in self.living()))

    def kill_some(self, kills: int, chance: random.Random) -> None:
        """Kill workers at random moments of their work, and hire others in their place."""
        for _ in range(kills):
            self.until_one_works()
            threading.Event().wait(chance.uniform(0, 2 * _GLANCE))
            self.kill(chance.choice([hand for hand in self.living() if hand.has_ended_a_job()]))
            self.hire()

    def until_one_works(self) -> None:
        """Wait until some living worker has ended a job. Raises AssertionError when none does."""
        assert waited_for(lambda: any(hand.has_ended_a_job() for hand in self.living()))

    def stop_in_a_job(self, hand: Hand) -> str:
        """Stop a worker in the middle of a job and return the job's id."""

        def caught() -> str | None:
            hand.send(signal.SIGSTOP)
            threading.Event().wait(_SETTLING)
            if job_id := hand.unfinished():
                return job_id
            hand.send(signal.SIGCONT)
            return None

        assert waited_for(caught)
        job_id = hand.unfinished()
        assert job_id is not None
        return job_id


@contextmanager
def a_crew(base: Path, logs: Path, *options: str, size: int) -> Iterator[Crew]:
    """Hire workers; kill those that are left at the end."""
    crew = Crew(base, logs, options)
    try:
        for _ in range(size):
            crew.hire()
        yield crew
    finally:
        for hand in crew.hands:
            hand.process.kill()
            hand.process.wait()


def waited_for(condition: Callable[[], object], *, seconds: float = 60.0, glance: float = _GLANCE) -> bool:
    """Return whether the condition came true within so many seconds, after which it is given up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(glance)
    return True
