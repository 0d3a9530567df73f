"""Dramatiq on Redis, which carries the jobs and keeps the results."""

from __future__ import annotations

from collections.abc import Sequence

import dramatiq
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers import noop
from benchmarks.peers.peer import Peer, from_threads, server

_PATIENCE = 60_000  # milliseconds

broker = RedisBroker(url=server())
broker.add_middleware(Results(backend=RedisBackend(url=server(), use_namespace_prefix_keys=True)))
dramatiq.set_broker(broker)
actor = dramatiq.actor(noop.noop, store_results=True)


class _DramatiqPeer:
    """Dramatiq's own workers work; results are waited for in a Redis list."""

    def submit(self, number: int) -> Message:
        return actor.send(number, noop.TEXT)

    def fill(self, numbers: Sequence[int]) -> None:
        from_threads(self.submit, numbers)

    def result(self, ticket: Message) -> int:
        return ticket.get_result(block=True, timeout=_PATIENCE)["number"]

    def waiting(self) -> list[int]:
        stored = broker.client.hvals("dramatiq:default.msgs")
        return [Message.decode(message).args[0] for message in stored]

    def finished(self) -> int:
        return sum(1 for _ in broker.client.scan_iter("dramatiq-results:*", count=1000))

    def work(self, slots: int) -> None:
        raise NotImplementedError("the dramatiq command works")

    def close(self) -> None:
        broker.close()


def connect() -> Peer:
    """Open the queue."""
    return _DramatiqPeer()
