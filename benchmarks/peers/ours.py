"""The bus itself, in process: what wiring.py assembles over the file engine, without HTTP."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import noop
from benchmarks.peers.peer import STORE, Peer, folder
from config import Config
from core.jobs import Query, State
from core.submission import Submission
from wiring import assemble

_ACTIONS = Path(__file__).parents[1] / "actions"
_LARGEST_BATCH = 1_000
_PATIENCE = 60.0  # seconds


class _OurPeer:
    """A kernel whose workers start when they are told to."""

    def __init__(self) -> None:
        #: `thread` or `process`: how an attempt is isolated.
        self._action = f"noop_{os.environ[STORE]}"
        self._kernel = assemble(
            Config.load(
                {
                    "QUEUE_BASE_PATH": str(folder() / "queues"),
                    "DOWNLOAD_DIR": str(folder() / "downloads"),
                    "AUTO_START_WORKERS": "false",
                    "AAFAI_ACTIONS_DIR": str(_ACTIONS),
                    "AAFAI_LOG_LEVEL": "ERROR",
                    "AAFAI_PASS_ENV": noop.BEGINNINGS,
                    "AAFAI_SLOTS": "default=4",
                }
            )
        )
        self._kernel.start()

    def submit(self, number: int) -> str:
        return self._kernel.bus.submit(self._submission(number)).id

    def submit_many(self, numbers: Sequence[int]) -> None:
        """Store at most 1,000 jobs as one batch."""
        self._kernel.bus.submit_many([self._submission(number) for number in numbers])

    def fill(self, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), _LARGEST_BATCH):
            self.submit_many(numbers[first : first + _LARGEST_BATCH])

    def result(self, ticket: str) -> int:
        self._kernel.bus.wait(ticket, _PATIENCE)
        return self._kernel.bus.get(ticket).result["number"]

    def waiting(self) -> list[int]:
        bus, numbers, cursor = self._kernel.bus, [], None
        while True:
            page = bus.find(Query(states=frozenset({State.QUEUED}), cursor=cursor))
            numbers += [bus.get(job.id).params["number"] for job in page.jobs]
            if (cursor := page.next_cursor) is None:
                return numbers

    def finished(self) -> int:
        return self._kernel.bus.count()[State.SUCCEEDED]

    def work(self, slots: int) -> None:
        self._kernel.pool.start()
        self._kernel.pool.scale(slots)

    def close(self) -> None:
        self._kernel.drain()

    def _submission(self, number: int) -> Submission:
        return Submission(action=self._action, params={"number": number, "text": noop.TEXT})


def connect() -> Peer:
    """Open the queue."""
    return _OurPeer()
