"""Huey on its storages: files, SQLite, Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from huey import FileHuey, Huey, RedisHuey, SqliteHuey
from huey.api import Result

from benchmarks.peers import noop
from benchmarks.peers.peer import STORE, Peer, folder, from_threads, lax, server

_GLANCE = 0.0005  # seconds between two looks at the result store


def _opened() -> Huey:
    store = os.environ[STORE]
    if store == "file":
        return FileHuey("bench", path=str(folder() / "huey"))
    if store == "sqlite":
        # `fsync=True` is PRAGMA synchronous = FULL.
        return SqliteHuey("bench", filename=str(folder() / "huey.db"), fsync=not lax(), timeout=60)
    return RedisHuey("bench", url=server())


huey = _opened()
task = huey.task()(noop.noop)


class _HueyPeer:
    """Huey's own consumer works; results are polled more often than Huey itself would."""

    def submit(self, number: int) -> Result:
        return task(number, noop.TEXT)

    def fill(self, numbers: Sequence[int]) -> None:
        from_threads(self.submit, numbers)

    def result(self, ticket: Result) -> int:
        while (answer := ticket.get(preserve=True)) is None:
            time.sleep(_GLANCE)
        return answer["number"]

    def waiting(self) -> list[int]:
        stored = huey.storage.enqueued_items()
        return [huey.deserialize_task(bytes(item)).args[0] for item in stored]

    def finished(self) -> int:
        return huey.result_count()

    def work(self, slots: int) -> Any:
        raise NotImplementedError("huey_consumer works")

    def close(self) -> None:
        huey.storage.close()


def connect() -> Peer:
    """Open the queue."""
    return _HueyPeer()
