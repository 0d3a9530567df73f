"""persist-queue, a bare queue: the loop around it is ours, results lie in a second one."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import persistqueue
from persistqueue.exceptions import Empty
from persistqueue.serializers import json as as_json

from benchmarks.peers import noop
from benchmarks.peers.peer import STORE, Peer, folder, lax


class _PersistQueuePeer:
    """Two queues; whoever takes a job stores its result before he lets go of it."""

    def __init__(self) -> None:
        self._jobs, self._results = _opened("jobs"), _opened("results")

    def submit(self, number: int) -> None:
        self._jobs.put({"number": number, "text": noop.TEXT})

    def fill(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.submit(number)

    def result(self, ticket: None) -> int:
        return self._results.get()["number"]

    def waiting(self) -> list[int]:
        numbers = []
        while True:
            try:
                numbers.append(self._jobs.get(block=False)["number"])
            except Empty:
                return numbers

    def finished(self) -> int:
        if os.environ[STORE] == "file":
            # To open a queue that another process writes to would truncate it.
            with (folder() / "results" / "info").open("rb") as file:
                return as_json.load(file)["size"]
        return _opened("results").qsize()

    def work(self, slots: int) -> None:
        for _ in range(slots):
            threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        """Leave the threads to the end of the process: they cannot be told to stop."""

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self._results.put(noop.noop(**job))
            if isinstance(self._jobs, persistqueue.SQLiteAckQueue):
                self._jobs.ack(job)
            else:
                self._jobs.task_done()


def connect() -> Peer:
    """Open the queues."""
    return _PersistQueuePeer()


def _opened(name: str) -> Any:
    path = str(folder() / name)
    if os.environ[STORE] == "file":
        return persistqueue.Queue(path, serializer=as_json, autosave=True, tempdir=str(folder()))
    queue = persistqueue.SQLiteAckQueue(path, serializer=as_json, multithreading=True, auto_commit=True)
    if lax():
        queue._putter.execute("PRAGMA synchronous = OFF")  # noqa: SLF001  The package has no setting for it.
    return queue
