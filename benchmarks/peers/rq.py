"""RQ on Redis, with JSON instead of pickle."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from rq import Queue
from rq.job import Job

from benchmarks.peers import noop
from benchmarks.peers.peer import Peer, from_threads, server

_PATIENCE = 60  # seconds


class _RqPeer:
    """RQ's own workers work; results are waited for in a Redis stream."""

    def __init__(self) -> None:
        self._queue = Queue("default", connection=Redis.from_url(server()), serializer="json")

    def submit(self, number: int) -> Job:
        return self._queue.enqueue(noop.noop, number, noop.TEXT)

    def fill(self, numbers: Sequence[int]) -> None:
        from_threads(self.submit, numbers)

    def result(self, ticket: Job) -> int:
        return ticket.latest_result(timeout=_PATIENCE).return_value["number"]

    def waiting(self) -> list[int]:
        return [job.args[0] for job in self._queue.jobs]

    def finished(self) -> int:
        return self._queue.finished_job_registry.count

    def work(self, slots: int) -> None:
        raise NotImplementedError("rq worker-pool works")

    def close(self) -> None:
        self._queue.connection.close()


def connect() -> Peer:
    """Open the queue."""
    return _RqPeer()
