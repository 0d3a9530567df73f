"""Procrastinate on Postgres. It keeps no results: that a job succeeded is all it can tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Status

from benchmarks.peers import noop
from benchmarks.peers.peer import Peer, server

_GLANCE = 0.001  # seconds between two looks at a job's status
_CONNECTIONS = 32

app = App(connector=PsycopgConnector(conninfo=server(), min_size=1, max_size=_CONNECTIONS))


@app.task(name="noop")
async def task(number: int, text: str) -> dict[str, Any]:
    """Do nothing in a coroutine, which costs Procrastinate less than a thread."""
    return noop.noop(number, text)


class _ProcrastinatePeer:
    """Procrastinate's own worker works; the status of a job is polled."""

    def __init__(self) -> None:
        app.open()
        if not app.check_connection():
            app.schema_manager.apply_schema()

    def submit(self, number: int) -> int:
        return task.defer(number=number, text=noop.TEXT)

    def fill(self, numbers: Sequence[int]) -> None:
        task.batch_defer(*({"number": number, "text": noop.TEXT} for number in numbers))

    def result(self, ticket: int) -> int:
        manager = app.job_manager
        while manager.get_job_status(ticket) is not Status.SUCCEEDED:
            time.sleep(_GLANCE)
        return ticket

    def waiting(self) -> list[int]:
        return [job.task_kwargs["number"] for job in app.job_manager.list_jobs(status="todo")]

    def finished(self) -> int:
        return sum(queue["succeeded"] for queue in app.job_manager.list_queues())

    def work(self, slots: int) -> None:
        raise NotImplementedError("procrastinate worker works")

    def close(self) -> None:
        app.close()


def connect() -> Peer:
    """Open the queue."""
    return _ProcrastinatePeer()
