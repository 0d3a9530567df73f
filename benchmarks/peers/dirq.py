"""dirq, a folder as a bare queue: the loop around it is ours, results lie in a second one."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from dirq.QueueSimple import QueueSimple

from benchmarks.peers import noop
from benchmarks.peers.peer import Peer, folder

#: Seconds between two looks into an empty folder: dirq has no way to wait.
_GLANCE = 0.005 if os.environ.get("BENCH_EAGER") == "1" else 0.1
_GLANCE_AT_RESULTS = 0.0005


class _DirqPeer:
    """Two folders; whoever takes a job stores its result before he removes it."""

    def __init__(self) -> None:
        self._jobs, self._results = _opened("jobs"), _opened("results")

    def submit(self, number: int) -> None:
        self._jobs.add(json.dumps({"number": number, "text": noop.TEXT}))

    def fill(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.submit(number)

    def result(self, ticket: None) -> int:
        return next(_taken(self._results, _GLANCE_AT_RESULTS))["number"]

    def waiting(self) -> list[int]:
        return [json.loads(self._jobs.get(name))["number"] for name in _locked(self._jobs)]

    def finished(self) -> int:
        return self._results.count()

    def work(self, slots: int) -> None:
        for _ in range(slots):
            threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        """Leave the threads to the end of the process: they hold nothing."""

    def _work(self) -> None:
        jobs, results = _opened("jobs"), _opened("results")
        for job in _taken(jobs, _GLANCE):
            results.add(json.dumps(noop.noop(**job)))


def connect() -> Peer:
    """Open the folders."""
    return _DirqPeer()


def _opened(name: str) -> QueueSimple:
    return QueueSimple(str(folder() / name))


def _taken(queue: QueueSimple, glance: float) -> Iterator[dict[str, Any]]:
    """Yield what is put into the folder, for ever; each is removed when the next is asked for."""
    while True:
        for name in _locked(queue):
            yield json.loads(queue.get(name))
            queue.remove(name)
        time.sleep(glance)


def _locked(queue: QueueSimple) -> Iterator[str]:
    name = queue.first()
    while name:
        if queue.lock(name):
            yield name
        name = queue.next()
