"""A process that submits jobs with callbacks until its disk fails: `python -m tests.faults.promising …`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from core import outbox as outbox_module
from core.clock import SystemClock
from core.ids import JobIds
from core.jobs import Job
from core.outbox import Outbox
from core.promises import Promises
from queues import open_engine
from tests.faults.events import say

ROOM = {"min_free_bytes": 0, "min_free_share": 0.0, "reserve_bytes": 0}
_REST = 0.005  # seconds between two submissions: in a rush each makes durable what others forgot to


def main(base: str, mutant: str) -> None:
    """Submit, and say each job that was acknowledged; as the mutant `unsynced`, sync no promise."""
    clock = SystemClock()
    engine = open_engine(f"file:{base}", **ROOM)
    outbox = Outbox(Path(base, "webhooks"))
    outbox.make()
    if mutant == "unsynced":
        outbox_module._sync = lambda folder: None
    promises = Promises(outbox, engine, clock, broken=lambda job_id, why: None)
    ids, rest = JobIds(clock), threading.Event()
    while not rest.wait(_REST):
        job = Job(id=ids(), action="noop", submitted_at=clock.now(), callback_url="https://example.org/")
        promises.stored([job], lambda jobs: [engine.add(job) for job in jobs])
        say("kept", job.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
