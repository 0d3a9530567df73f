"""Celery on Redis, which carries the jobs and keeps the results."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from celery import Celery
from celery.result import AsyncResult
from redis import Redis

from benchmarks.peers import noop
from benchmarks.peers.peer import Peer, from_threads, server

_PATIENCE = 60  # seconds

app = Celery("bench", broker=server(), backend=server())
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_connection_retry_on_startup=True,
)
task = app.task(name="noop")(noop.noop)


class _CeleryPeer:
    """Celery's own worker works; results are heard of through Redis' channels."""

    def submit(self, number: int) -> AsyncResult:
        return task.delay(number, noop.TEXT)

    def fill(self, numbers: Sequence[int]) -> None:
        from_threads(self.submit, numbers)

    def result(self, ticket: AsyncResult) -> int:
        return ticket.get(timeout=_PATIENCE)["number"]

    def waiting(self) -> list[int]:
        with Redis.from_url(server()) as redis:
            return [_number_in(message) for message in redis.lrange("celery", 0, -1)]

    def finished(self) -> int:
        with Redis.from_url(server()) as redis:
            return sum(1 for _ in redis.scan_iter("celery-task-meta-*", count=1000))

    def work(self, slots: int) -> None:
        raise NotImplementedError("celery worker works")

    def close(self) -> None:
        app.close()


def connect() -> Peer:
    """Open the queue."""
    return _CeleryPeer()


def _number_in(message: bytes) -> int:
    arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    return arguments[0]
