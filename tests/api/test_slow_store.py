"""A store that does not answer in time: the callers learn what to do, and others are served."""

import json
import os
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import Mock

import pytest
from gunicorn.config import Config

from api.gunicorn_threads import Threads
from api.gunicorn_worker import GatheringWorker
from api.server import build_app
from core.patience import Patience
from tests.api.stage import Stage
from tests.core.test_patience import SlowStore

HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
SUBMIT = b"POST /inbound HTTP/1.1\r\n" + HEAD + b'Content-Length: 20\r\n\r\n{"action":"fakejob"}'
POLL = b"POST /outbound HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n%b"
THREADS = 2


@pytest.fixture
def slow(stage: Stage) -> Iterator[SlowStore]:
    store = SlowStore(stage.kernel.bus.engine)
    stage.kernel.bus.engine = store
    yield store
    store.release.set()


@pytest.fixture
def worker(stage: Stage, slow: SlowStore) -> Iterator[GatheringWorker]:
    """A worker of two threads; the test is its main thread."""
    patience = Patience(places=THREADS, seconds=10, clock=stage.clock)
    with socket.create_server(("127.0.0.1", 0)) as listener, select.epoll() as events:
        worker = GatheringWorker(0, os.getppid(), [listener], None, 0, Config(), Mock())
        worker.wsgi = build_app(replace(stage.kernel, patience=patience))
        worker.method_queue, worker.held_up = Mock(), patience.overdue
        worker.events, worker.threads = events, Threads(events, worker.serve)
        worker.threads.start(THREADS)
        worker.set_accept_enabled(True)
        yield worker
        slow.release.set()
        worker.crowd.hurry(0.0)
        worker.murder_pending()
        worker.threads.stop()
        for thread in serving():
            thread.join(30)
        worker.tmp.close()


def serving() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "http"]


def connected(worker: GatheringWorker, request: bytes) -> socket.socket:
    client = socket.create_connection(worker.sockets[0].getsockname(), timeout=30)
    client.sendall(request)
    return client


def answer_to(client: socket.socket) -> tuple[bytes, dict]:
    """Return head and body of all that the server sends before it closes."""
    with client, client.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    return head, json.loads(body)


def hang(worker: GatheringWorker, stage: Stage, slow: SlowStore, number: int) -> list[socket.socket]:
    """Send so many submissions, each of which holds up a thread, and let ten seconds pass."""
    clients = []
    for _ in range(number):
        slow.begun.clear()
        clients.append(connected(worker, SUBMIT))
        assert slow.begun.wait(30)
    stage.clock.advance(10)
    return clients


def test_a_submission_that_takes_too_long_is_answered_with_its_job_id(
    worker: GatheringWorker, stage: Stage, slow: SlowStore
) -> None:
    (client,) = hang(worker, stage, slow, 1)

    worker.murder_pending()
    head, body = answer_to(client)

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in head
    assert (body["code"], len(body["job_id"])) == ("outcome_unknown", 36)
    assert "idempotency key" in body["hint"]


def test_others_are_served_though_the_store_holds_up_all_threads(
    worker: GatheringWorker, stage: Stage, slow: SlowStore
) -> None:
    clients = hang(worker, stage, slow, THREADS)
    worker.murder_pending()
    ids = [answer_to(client)[1]["job_id"] for client in clients]
    asked = json.dumps({"job_ids": ids}).encode()

    head, body = answer_to(connected(worker, POLL % (len(asked), asked)))
    refusal, told = answer_to(
        connected(worker, SUBMIT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    )

    assert (head[:12], [job["code"] for job in body["jobs"]]) == (b"HTTP/1.1 200", ["unknown_job"] * THREADS)
    assert (refusal[:12], told["code"]) == (b"HTTP/1.1 503", "engine_unavailable")


def test_a_job_is_stored_after_its_caller_has_gone_and_its_thread_ends(
    worker: GatheringWorker, stage: Stage, slow: SlowStore
) -> None:
    clients = hang(worker, stage, slow, THREADS)
    worker.murder_pending()
    ids = [answer_to(client)[1]["job_id"] for client in clients]

    held_up = [thread for thread in serving() if thread.ident in worker.threads._replaced]
    slow.release.set()
    for thread in held_up:
        thread.join(30)

    assert [thread.is_alive() for thread in held_up] == [False] * THREADS
    assert [stage.kernel.bus.get(job_id).action for job_id in ids] == ["fakejob"] * THREADS
