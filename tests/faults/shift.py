"""A worker process to be killed, stopped or led astray: `python -m tests.faults.shift BASE …`.

It claims jobs and ends them one after the other, beside a janitor of the bus, until it is ended itself.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from pathlib import Path

from core import lifecycle
from core.claim import Claim
from core.clock import Clock, SystemClock
from core.engine import Engine
from core.event_bus import EventBus, LocalTransport
from core.janitor import Janitor
from core.jobs import DEFAULT_QUEUE
from tests.faults.events import say
from tests.faults.mutants import ROOM
from tests.faults.shift_clock import FollowingClock
from tests.faults.shift_mutants import ENGINES

_IDLE = 0.005  # seconds


def main(arguments: list[str]) -> None:
    """Work in the queue until killed."""
    parser = argparse.ArgumentParser(prog="tests.faults.shift", description=__doc__)
    parser.add_argument("base", help="the queue's folder")
    parser.add_argument("--mutant", default="", choices=list(ENGINES))
    parser.add_argument("--clock", type=Path, help="file that says how far ahead the wall clock is")
    parser.add_argument("--longest", type=float, default=0.02, help="seconds that a job takes at most")
    asked = parser.parse_args(arguments)
    clock = SystemClock() if asked.clock is None else FollowingClock(asked.clock)
    engine = ENGINES[asked.mutant](asked.base, ROOM, clock)
    a_janitor(engine, clock, Path(asked.base)).start()
    say("ready", "-")
    while True:
        perform_one(engine, clock, asked.longest)


def perform_one(engine: Engine, clock: Clock, longest: float) -> None:
    """Claim one job and end it, telling of both; wait a moment if none is due."""
    now = clock.now()
    job = engine.claim("shift", now=now, lease=30, queues=[DEFAULT_QUEUE])
    if job is None:
        threading.Event().wait(_IDLE)
        return
    say("started", job.id, job.attempt)
    if longest:
        threading.Event().wait(random.uniform(0, longest))
    ended = Claim(engine, job).change(lambda job: lifecycle.succeeded(job, result=None, now=now))
    say("ended" if ended else "robbed", job.id, "succeeded")


def a_janitor(engine: Engine, clock: Clock, base: Path) -> Janitor:
    """Return the bus's own janitor, which rescues the jobs of dead workers."""
    return Janitor(
        engine,
        EventBus(LocalTransport()),
        clock,
        wake_all=lambda: None,
        sweep=lambda job_id: None,
        backoff=lambda attempt: 0.0,
        downloads=base / "downloads",
        result_ttl=1e12,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
