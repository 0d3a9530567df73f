"""Streams as our own server sends them: no thread is held, nobody who reads slowly holds up anybody else."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.gunicorn_feeds import PATIENCE
from api.server import build_app
from core.submission import Submission
from tests.api.stage import a_stage
from tests.api.test_gunicorn_worker import Stage as Server
from tests.api.test_gunicorn_worker import heard
from tests.fakes import FakeClock

HOST = b"Host: localhost\r\n"
LISTEN = b"GET /api/events HTTP/1.1\r\n" + HOST + b"\r\n"
OTHER = b"GET /api/power HTTP/1.1\r\n" + HOST + b"\r\n"


class Served:
    """A bus behind a worker without threads: each look at the feeds is taken by hand."""

    def __init__(self, folder: Path) -> None:
        self.bus = a_stage(folder, clock=FakeClock())
        self.server = Server()
        self.server.worker.wsgi = build_app(self.bus.kernel, downloads=folder / "downloads")
        self.feeds = self.server.worker.feeds
        self.feeds.open()
        self.clients: list[socket.socket] = []

    def client(self, request: bytes = LISTEN) -> socket.socket:
        client = self.server.client(request)
        self.clients.append(client)
        self.feeds.round(0)
        return client

    def publish(self, event_type: str = "a.b", **payload: Any) -> None:
        self.bus.kernel.bus.events.publish(event_type, "a", payload)
        self.feeds.round(0)

    def pass_seconds(self, seconds: float) -> None:
        self.bus.clock.advance(seconds)
        self.server.after(seconds)
        self.feeds.round(0)

    def close(self) -> None:
        self.bus.kernel.bus.hang_up()
        for client in self.clients:
            client.close()
        for _ in range(3):
            self.feeds.round(0)
        self.server.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()
    assert not served.feeds._clients


def chunks(data: bytes) -> bytes:
    """Return the content of a chunked body, which need not have ended."""
    content = b""
    while data and (size := int(data.split(b"\r\n", 1)[0], 16)):
        data = data.split(b"\r\n", 1)[1]
        content += data[:size]
        assert data[size : size + 2] == b"\r\n"
        data = data[size + 2 :]
    return content


def test_a_stream_goes_on_while_the_thread_is_free_again(served: Served) -> None:
    client = served.client()
    head, _, opening = heard(client)[0].partition(b"\r\n\r\n")

    served.publish("writer.done", text="first")
    first, closed = heard(client)

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Type: text/event-stream; charset=utf-8" in head
    assert chunks(opening) == b"retry: 3000\n: listening\nid: boot-1-0\n\n"
    assert b'"text": "first"' in chunks(first)
    assert not closed
    # The worker has no threads here: whatever is answered now is so beside the stream.
    assert heard(served.client(OTHER))[0].startswith(b"HTTP/1.1 200 OK")


def test_all_listeners_hear_the_same(served: Served) -> None:
    clients = [served.client() for _ in range(20)]
    for client in clients:
        heard(client)

    served.publish("a.b", number=7)

    assert len({heard(client)[0] for client in clients}) == 1


def test_a_connection_whose_stream_has_ended_takes_the_next_request(served: Served) -> None:
    client = served.client()
    heard(client)
    served.bus.kernel.bus.hang_up()

    served.feeds.round(0)
    end, closed = heard(client)
    served.server.send(client, OTHER)

    assert end.endswith(b"0\r\n\r\n")
    assert b"event: end" in chunks(end)
    assert not closed
    assert heard(client)[0].startswith(b"HTTP/1.1 200 OK")


def test_who_asked_to_close_is_closed_behind_the_end(served: Served) -> None:
    client = served.client(LISTEN[:-2] + b"Connection: close\r\n\r\n")
    heard(client)
    served.bus.kernel.bus.hang_up()

    served.feeds.round(0)

    assert heard(client)[1]


def test_an_old_client_gets_no_chunks(served: Served) -> None:
    client = served.client(LISTEN.replace(b"HTTP/1.1", b"HTTP/1.0"))
    body = heard(client)[0].partition(b"\r\n\r\n")[2]
    served.bus.kernel.bus.hang_up()

    served.feeds.round(0)
    rest, closed = heard(client)

    assert body == b"retry: 3000\n: listening\nid: boot-1-0\n\n"
    assert (rest.startswith(b"event: end\n"), closed) == (True, True)


def test_head_is_answered_as_ever(served: Served) -> None:
    client = served.client(LISTEN.replace(b"GET", b"HEAD") + OTHER)

    answer, _ = heard(client)

    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert not served.feeds._clients


def test_what_was_sent_behind_the_request_ends_with_the_stream(served: Served) -> None:
    client = served.client(LISTEN + OTHER)
    answer, _ = heard(client)
    served.bus.kernel.bus.hang_up()

    served.feeds.round(0)

    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert heard(client)[1]


def test_a_silent_stream_gives_a_sign_of_life(served: Served) -> None:
    client = served.client()
    heard(client)

    served.pass_seconds(14)
    early = heard(client)[0]
    served.pass_seconds(2)

    assert early == b""
    assert chunks(heard(client)[0]) == b": listening\nid: boot-1-0\n\n"


def test_a_client_that_has_gone_is_let_go(served: Served) -> None:
    client = served.client()
    client.close()

    served.feeds.round(0)

    assert not served.feeds._clients
    assert served.server.worker.crowd.size == 0


def full(served: Served, client: socket.socket) -> None:
    """Publish until the client, which reads nothing, can be sent no more."""
    for _ in range(1_000):
        served.publish("a.b", text="x" * 50_000)
        (one,) = (
            known for known in served.feeds._clients.values() if known.conn.client == client.getsockname()
        )
        if one.full_since is not None:
            return
    pytest.fail("the client took everything")


def test_who_does_not_read_holds_up_nobody(served: Served) -> None:
    slow = served.client()
    full(served, slow)
    quick = served.client()
    heard(quick)

    served.publish("a.b", text="quick")

    assert b'"quick"' in heard(quick)[0]


def test_who_takes_nothing_for_a_while_is_dropped(served: Served) -> None:
    slow = served.client()
    full(served, slow)
    served.client()
    size = served.server.worker.crowd.size

    served.bus.clock.advance(PATIENCE - 1)
    served.server.clock.advance(PATIENCE - 1)
    served.feeds.round(0)
    kept = len(served.feeds._clients)
    served.server.clock.advance(2)
    served.feeds.round(0)

    assert (kept, len(served.feeds._clients)) == (2, 1)
    assert served.server.worker.crowd.size == size - 1


def test_who_takes_enough_stays_however_slowly_there_is_room(served: Served) -> None:
    slow = served.client()
    full(served, slow)
    (one,) = served.feeds._clients.values()
    for _ in range(3):
        while one.conn.taken < (PATIENCE + 1) * served.server.worker.least_rate:
            slow.recv(4096)
        served.server.clock.advance(PATIENCE)
        served.feeds.round(0)

    kept = len(served.feeds._clients)
    served.server.clock.advance(PATIENCE)
    served.feeds.round(0)

    assert (kept, len(served.feeds._clients)) == (1, 0)


def test_who_reads_late_gets_all_that_is_kept_and_is_told_what_is_not(served: Served) -> None:
    slow = served.client()
    full(served, slow)
    for _ in range(4_200):
        served.bus.kernel.bus.events.publish("a.c", "a", {})

    data = b""
    while b"event: missed" not in data:
        data += heard(slow)[0]
        served.feeds.round(0.1)

    assert data.count(b'"a.b"') >= 1


def test_a_fault_of_one_feed_costs_its_client_and_no_other(served: Served) -> None:
    bad, good = served.client(), served.client()
    heard(good)
    (one,) = (known for known in served.feeds._clients.values() if known.conn.client == bad.getsockname())
    one.conn.sock.feed.read = lambda: 1 / 0

    served.publish("a.b", text="still there")

    assert b"still there" in heard(good)[0]
    assert heard(bad)[1]
    assert served.server.worker.log.exception.called


def test_a_file_is_sent_to_who_reads_slowly_without_a_thread(served: Served, tmp_path: Path) -> None:
    job_id = served.bus.kernel.bus.submit(Submission(action="fakejob")).id
    folder = tmp_path / "downloads" / job_id
    folder.mkdir(parents=True)
    content = os.urandom(20_000_000)
    (folder / "big").write_bytes(content)
    path = f"GET /api/jobs/{job_id}/files/big HTTP/1.1\r\n".encode()

    client = served.client(path + HOST + b"\r\n")
    beside = heard(served.client(OTHER))[0]
    head, _, body = heard(client)[0].partition(b"\r\n\r\n")
    while len(body) < len(content):
        served.feeds.round(0.1)
        body += heard(client)[0]
    served.feeds.round(0)
    served.server.send(client, OTHER)

    assert beside.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 20000000\r\n" in head
    assert body == content
    assert heard(client)[0].startswith(b"HTTP/1.1 200 OK")
