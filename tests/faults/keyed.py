"""A process that submits jobs under keys from many threads: `python -m tests.faults.keyed BASE ROUND KEYS`.

It says each answer on stdout. Every key is submitted by several threads at once, in an order of their own.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from core.clock import SystemClock
from core.ids import JobIds
from core.jobs import Job
from queues.file.engine import FileEngine
from tests.faults.events import say
from tests.faults.mutants import ROOM

THREADS = 8
#: Seconds between the look and the leap of the broken engine.
MOMENT = 0.0005

_clock = SystemClock()
_ids = JobIds(_clock)


class KeysInMemory(FileEngine):
    """Remember keys in a dictionary, look before storing, and store without the key."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.known: dict[str | None, Job] = {}

    def add(self, job: Job) -> Job:
        first = self.known.get(job.idempotency_key)
        if first is not None:
            return first
        threading.Event().wait(MOMENT)
        stored = super().add(replace(job, idempotency_key=None))
        self.known[job.idempotency_key] = stored
        return stored


ENGINES: dict[str, type[FileEngine]] = {"": FileEngine, "keys-in-memory": KeysInMemory}


def a_keyed_job(key: str, body: str = "b" * 64) -> Job:
    """Return a new job that is to be stored once under that key."""
    return Job(
        id=_ids(), action="noop", idempotency_key=key, body_hash=body, submitted_at=_clock.now(), params={}
    )


def submit_all(engine: FileEngine, keys: list[str], said: Callable[[str, str], None], *, seed: int) -> None:
    """Submit every key from every thread; tell each answer: key and job id."""

    def submit(number: int) -> None:
        for key in random.Random(seed * THREADS + number // 2).sample(keys, len(keys)):
            said(key, engine.add(a_keyed_job(key)).id)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def keys_of(life: int, number: int) -> list[str]:
    """Return the keys that one process submits."""
    return [f"key-{life}-{which}" for which in range(number)]


def main(base: str, life: int, number: int, mutant: str) -> None:
    """Submit, then wait for the end."""
    engine = ENGINES[mutant](base, ROOM)
    submit_all(engine, keys_of(life, number), lambda key, job_id: say("kept", job_id, key), seed=life)
    say("done", "-")
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
