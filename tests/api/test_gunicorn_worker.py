"""The event loop's half of the server: framing, deadlines, limits, and the trial of gunicorn's insides."""

import contextlib
import itertools
import json
import os
import runpy
import select
import socket
import struct
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from gunicorn.config import Config
from gunicorn.workers import gthread
from hypothesis import given
from hypothesis import strategies as st

from api.chunks import MOST_LINE, MOST_TRAILERS, Chunks
from api.errors import Refused
from api.framing import MOST_HEAD, Incoming
from api.gunicorn_crowd import Crowd
from api.gunicorn_socket import Corked
from api.gunicorn_threads import Threads
from api.gunicorn_trial import _echo, trouble_with
from api.gunicorn_worker import GatheringWorker
from tests.fakes import FakeClock

LIMIT = 1_000
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\nabcde"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;why=not\r\ncde\r\n0\r\nX-Sum: 5\r\n\r\n"
ONE_CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"


def cut(data, at):
    """Return the pieces of the data between these places."""
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def received(incoming, pieces):
    """Feed the pieces until the request is whole, and return all that lies behind it."""
    rest = b""
    for piece in pieces:
        rest += piece if incoming.whole else incoming.receive(piece)
    return rest


def code_of_refusal(incoming, pieces):
    """Return the code with which the pieces are refused, None when they are taken in."""
    try:
        received(incoming, pieces)
    except Refused as refused:
        return refused.code
    return None


@st.composite
def chunked_bodies(draw):
    """A body, and one of the ways to write it in chunks."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=60), max_size=8))
    extensions = st.sampled_from([b"", b";a", b" ; a=b", b';q="\xe9"'])
    sizes = [f"{len(piece):0{draw(st.integers(1, 6))}x}".encode() for piece in pieces]
    chunks = [
        size + draw(extensions) + b"\r\n" + piece + b"\r\n" for size, piece in zip(sizes, pieces, strict=True)
    ]
    trailers = draw(st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ: 0\r\n"]))
    return b"".join(pieces), b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


@given(chunked_bodies(), st.lists(st.integers(0, 10_000)), st.binary(max_size=20))
def test_a_chunked_body_is_the_same_however_it_is_cut(body, cuts, behind):
    content, written = body
    chunks = Chunks(LIMIT)

    rest = received(chunks, cut(written + behind, cuts))

    assert (chunks.whole, bytes(chunks.content), rest) == (True, content, behind)


@given(st.lists(st.one_of(st.binary(), st.sampled_from([b"\r\n", b"a\r\n", b"0\r\n", b"3e8\r\n", b";x"]))))
def test_garbage_in_a_chunked_body_is_taken_in_within_bounds_or_refused(pieces):
    chunks = Chunks(LIMIT)

    code = code_of_refusal(chunks, pieces)

    assert code in {None, "truncated_body", "body_too_large"}
    assert len(chunks.content) <= LIMIT
    assert len(chunks._line) < max(MOST_LINE, MOST_TRAILERS)


@given(st.lists(st.one_of(st.binary(), st.sampled_from([b"\r\n", b"\r\n\r\n", b"\n", HEAD, SIZED, CHUNKED]))))
def test_garbage_in_place_of_a_request_is_taken_in_within_bounds_or_refused(pieces):
    incoming = Incoming(LIMIT)

    code = code_of_refusal(incoming, pieces)

    assert code in {None, "truncated_body", "body_too_large"}
    assert incoming.size <= MOST_HEAD + LIMIT + max(map(len, pieces), default=0)


@pytest.mark.parametrize(("request_bytes", "document"), [(SIZED, SIZED), (CHUNKED, ONE_CHUNK), (NEXT, NEXT)])
def test_a_request_ends_at_the_same_byte_wherever_it_is_cut(request_bytes, document):
    stream = request_bytes + NEXT
    for place in range(len(stream) + 1):
        incoming = Incoming(LIMIT)

        rest = received(incoming, [stream[:place], stream[place:]])

        assert (bytes(incoming.document()), rest) == (document, NEXT)


@pytest.mark.parametrize("request_bytes", [SIZED, CHUNKED, NEXT])
def test_a_request_is_whole_with_its_last_byte_and_not_before(request_bytes):
    incoming = Incoming(LIMIT)

    whole = []
    for byte in request_bytes:
        incoming.receive(bytes([byte]))
        whole.append(incoming.whole)

    assert whole == [False] * (len(request_bytes) - 1) + [True]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"Content-Length: +5",
        b"Content-Length: 5_0",
        b"Content-Length:",
        b"X: y",
    ],
)
def test_unclear_framing_goes_to_the_parser_as_a_head_alone(framing):
    head = HEAD + framing + b"\r\n\r\n"
    incoming = Incoming(LIMIT)

    incoming.receive(head + b"abcde")

    assert (incoming.whole, bytes(incoming.document())) == (True, head)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nX: y\n\r\n", b"\n"])
def test_a_bare_line_feed_goes_to_the_parser_at_once(head):
    incoming = Incoming(LIMIT)

    incoming.receive(head)

    assert incoming.whole


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"zz\r\n", "truncated_body"),
        (b"-1\r\n", "truncated_body"),
        (b"\r\n", "truncated_body"),
        (b"1\n", "truncated_body"),
        (b"1 \r\n", "truncated_body"),
        (b"0x1\r\n", "truncated_body"),
        (b"1;a\rb\r\n", "truncated_body"),
        (b"1\r\nab\r\n", "truncated_body"),
        (b"1\r\na\n", "truncated_body"),
        (b"0\r\nX\x00: y\r\n", "truncated_body"),
        (b"0\r\n" + b"X: y\r\n" * 2_000, "truncated_body"),
        (b"0" * MOST_LINE, "truncated_body"),
        (b"1;" + b"x" * MOST_LINE, "truncated_body"),
        (b"%x\r\n" % (LIMIT + 1), "body_too_large"),
        (b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n", "body_too_large"),
        (b"ffffffffffffffff\r\n", "body_too_large"),
    ],
)
def test_a_broken_or_long_chunked_body_is_refused_whole_or_byte_by_byte(body, code):
    for pieces in ([body], [bytes([byte]) for byte in body]):
        with pytest.raises(Refused) as refused:
            received(Chunks(LIMIT), pieces)

        assert refused.value.code == code


@pytest.mark.parametrize("length", [b"1001", b"9" * 19, b"9" * 10_000])
def test_a_length_over_the_limit_is_refused_before_the_body_comes(length):
    with pytest.raises(Refused) as refused:
        Incoming(LIMIT).receive(HEAD + b"Content-Length: " + length + b"\r\n\r\n")

    assert (refused.value.code, refused.value.message) == (
        "body_too_large",
        "The body is longer than 1,000 bytes.",
    )


class Stage:
    """A worker without threads, driven event by event, and a clock that tests move."""

    def __init__(self, **settings):
        configuration = Config()
        configuration.set("keepalive", 15)
        self.clock = FakeClock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.worker = GatheringWorker(0, os.getppid(), [self.listener], None, 0, configuration, Mock())
        for name, value in {"clock": self.clock, "max_body": LIMIT, **settings}.items():
            setattr(self.worker, name, value)
        self.worker.wsgi = _echo
        self.worker.method_queue = Mock()
        self.worker.events = select.epoll()
        self.worker.set_accept_enabled(True)
        self.clients = []

    def client(self, *pieces):
        """Connect a client that has sent these pieces, one event after the other."""
        client = socket.create_connection(self.listener.getsockname())
        client.settimeout(0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.append(client)
        self.settle()
        for piece in pieces:
            self.send(client, piece)
        return client

    def send(self, client, data):
        client.sendall(data)
        self.settle()

    def settle(self):
        """Handle events until there are none."""
        while events := self.worker.events.poll(0):
            for descriptor, _ in events:
                self.worker.serve(descriptor)

    def calm(self):
        """Let the clients' machines take what they do unread, and say so, which they do late."""
        waiting = list(self.worker.crowd._resting.values())
        calm = 0
        while calm < 2:  # What was confirmed between a look and the next makes room for more.
            threading.Event().wait(0.001)
            self.settle()
            calm = 0 if any(map(is_on_its_way, waiting)) else calm + 1

    def watch_anew(self):
        """Let whoever waits for room have taken nothing so far."""
        self.calm()
        for conn in self.worker.crowd._resting.values():
            conn.watch(self.clock.monotonic())

    def after(self, seconds):
        """Move the clock and let the worker look at it."""
        self.clock.advance(seconds)
        self.worker.murder_pending()
        self.settle()

    def close(self):
        for client in self.clients:
            client.close()
        self.settle()
        crowd = self.worker.crowd
        assert (crowd.size, crowd.held, crowd.addresses) == (0, 0, {})
        self.listener.close()
        self.worker.events.close()
        self.worker.tmp.close()


@pytest.fixture
def stage():
    """A stage that, when its clients have gone, has nothing left of them."""
    stages = []

    def build(**settings):
        stages.append(Stage(**settings))
        return stages[-1]

    yield build
    for built in stages:
        built.close()


def is_on_its_way(conn):
    """Return whether something that was sent over the connection is still to be confirmed."""
    known = conn.sock._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return struct.unpack_from("I", known, 24) != (0,)  # tcpi_unacked


def heard(client):
    """Return what the client has received, and whether the server has closed the connection."""
    data = b""
    try:
        while piece := client.recv(65_536):
            data += piece
    except BlockingIOError:
        return data, False
    except ConnectionResetError:
        pass
    return data, True


def refusal_in(answer):
    """Return status and code of an answer that is a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close\r\nContent-Type: application/json\r\n" in head
    return int(head.split()[1]), json.loads(body)["code"]


@pytest.mark.parametrize("request_bytes", [SIZED, CHUNKED])
def test_a_request_is_answered_wherever_it_is_cut(stage, request_bytes):
    stage = stage()
    for place in range(1, len(request_bytes)):
        client = stage.client(request_bytes[:place], request_bytes[place:])

        answer, closed = heard(client)

        assert (answer.count(b" 200 OK\r\n"), answer.endswith(b"\r\n\r\nabcde"), closed) == (1, True, False)
        client.close()
        stage.settle()


def test_requests_sent_at_once_are_answered_one_after_the_other(stage):
    last = HEAD + b"Connection: close\r\nContent-Length: 4\r\n\r\nlast"

    answer, closed = heard(stage().client(SIZED + CHUNKED + NEXT + last[:-1], last[-1:]))

    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert (bodies, closed) == ([b"abcde", b"abcde", b"", b"last"], True)


def test_no_thread_is_spent_on_a_request_that_is_not_whole(stage):
    stage = stage()
    stage.worker.handle = Mock()

    stage.client()
    stage.client(HEAD)
    stage.client(SIZED[:-1])
    stage.client(CHUNKED[:-1])

    stage.worker.handle.assert_not_called()


def test_a_client_that_sends_nothing_is_closed_at_the_deadline_without_a_word(stage):
    stage = stage()
    client = stage.client()

    stage.after(9.9)
    early = heard(client)
    stage.after(0.2)

    assert (early, heard(client)) == ((b"", False), (b"", True))


def test_the_deadline_counts_from_the_first_byte_of_a_request(stage):
    stage = stage()
    client = stage.client()
    stage.after(9.0)
    stage.send(client, SIZED[:1])

    stage.after(9.9)
    early = heard(client)
    stage.after(0.2)
    answer, closed = heard(client)

    assert early == (b"", False)
    assert (refusal_in(answer), closed) == ((408, "request_timeout"), True)


@pytest.mark.parametrize(
    "framing",
    [b"X-Drip: ", b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"],
)
def test_a_byte_a_second_does_not_move_the_deadline(stage, framing):
    stage = stage()
    client = stage.client(HEAD + framing)

    for _ in range(11):
        stage.send(client, b"1")
        stage.after(1.0)
    answer, closed = heard(client)

    assert (refusal_in(answer), closed) == ((408, "request_timeout"), True)


def test_a_second_request_has_a_deadline_of_its_own(stage):
    stage = stage()
    client = stage.client(SIZED)
    stage.after(9.0)
    stage.send(client, SIZED[:-1])
    stage.after(9.0)

    stage.send(client, SIZED[-1:])

    assert heard(client)[0].count(b" 200 OK\r\n") == 2


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (HEAD + b"Content-Length: 1001\r\n\r\n", (413, "body_too_large")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n", (413, "body_too_large")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nno\r\n", (400, "truncated_body")),
    ],
)
def test_what_the_loop_refuses_is_answered_in_json_and_closed(stage, sent, refusal):
    answer, closed = heard(stage().client(sent))

    assert (refusal_in(answer), closed) == (refusal, True)


@pytest.mark.parametrize(("part", "code"), [(HEAD, "bad_request"), (SIZED[:-1], "truncated_body")])
def test_a_request_that_is_cut_off_is_400(stage, part, code):
    stage = stage()
    client = stage.client(part)

    client.shutdown(socket.SHUT_WR)
    stage.settle()
    answer, closed = heard(client)

    assert (refusal_in(answer), closed) == ((400, code), True)


def test_an_endless_head_is_431(stage):
    answer, closed = heard(stage().client(HEAD + b"X: y\r\n" * 20_000))

    assert (answer.split()[1], closed) == (b"431", True)


EXPECTING = HEAD + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n"


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_once(stage):
    stage = stage()
    client = stage.client(EXPECTING)

    asked, _ = heard(client)
    stage.send(client, b"abcde")
    answer, _ = heard(client)

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("sent", "start"),
    [
        ((EXPECTING + b"abcde",), b"HTTP/1.1 200 OK\r\n"),
        ((EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"), b"abcde"), b"HTTP/1.0 200 OK\r\n"),
        ((EXPECTING.replace(b": 5", b": 5000"),), b"HTTP/1.1 413 "),
        ((EXPECTING.replace(b"100-Continue", b"a-cake"), b"abcde"), b"HTTP/1.1 417 "),
    ],
)
def test_a_client_is_not_asked_for_its_body_in_vain(stage, sent, start):
    answer, _ = heard(stage().client(*sent))

    assert answer.startswith(start)


def test_an_address_has_so_many_connections_and_no_more(stage):
    stage = stage(most_per_address=2)
    first, _ = stage.client(), stage.client()

    refused = heard(stage.client())
    first.close()
    stage.settle()
    welcome = heard(stage.client(NEXT))

    assert (refusal_in(refused[0]), refused[1]) == ((429, "too_many_connections"), True)
    assert welcome[0].startswith(b"HTTP/1.1 200 OK\r\n")


def test_long_requests_are_refused_and_short_ones_served_while_too_much_is_held(stage):
    stage = stage(most_held=100_000, max_body=1_000_000)
    long = HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 70_000

    first, second = stage.client(long), stage.client(long)
    short = stage.client(SIZED)

    assert heard(first) == (b"", False)
    assert refusal_in(heard(second)[0]) == (503, "server_busy")
    assert heard(short)[0].startswith(b"HTTP/1.1 200 OK\r\n")


def test_when_no_descriptor_is_left_the_oldest_unfinished_request_makes_room(stage):
    stage = stage()
    oldest, next_oldest = stage.client(HEAD), stage.client(HEAD)

    exhausted = Mock(accept=Mock(side_effect=OSError(24, "Too many open files")))
    stage.worker.door._let_in(exhausted)

    assert (heard(oldest)[1], heard(next_oldest)[1]) == (True, False)


def test_a_client_that_keeps_a_finished_connection_open_is_closed_after_a_while(stage):
    stage = stage()
    client = stage.client(NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    heard(client)
    answered = stage.worker.crowd.size

    stage.send(client, b"more and more")
    stage.after(2.1)

    assert (answered, stage.worker.nr_conns) == (1, 0)


def test_a_worker_that_stops_gives_unfinished_requests_no_more_time_than_idle_connections(stage):
    stage = stage()
    client = stage.client(HEAD)

    stage.worker.alive = False
    stage.worker._cap_keepalive(stage.clock.monotonic() + 2.0)
    stage.after(2.1)

    assert heard(client)[1]


def test_whom_the_door_takes_in_at_last_gunicorn_waits_for(stage):
    stage = stage()
    client = socket.create_connection(stage.listener.getsockname())
    stage.clients.append(client)

    stage.worker.alive = False
    stage.worker.set_accept_enabled(False)

    assert stage.worker.nr_conns == 1


def test_a_door_is_not_locked_before_whoever_was_just_accepted_is_counted(stage, monkeypatch):
    stage = stage()
    accepted, go_on, sizes = threading.Event(), threading.Event(), []
    welcome = stage.worker.welcome

    def welcomed_late(conn):
        accepted.set()
        assert go_on.wait(30)
        welcome(conn)

    monkeypatch.setattr(stage.worker, "welcome", welcomed_late)
    stage.clients.append(socket.create_connection(stage.listener.getsockname()))
    accepting = threading.Thread(target=stage.settle)
    stopping = threading.Thread(
        target=lambda: (stage.worker.set_accept_enabled(False), sizes.append(stage.worker.nr_conns))
    )

    accepting.start()
    assert accepted.wait(30)
    stage.worker.alive = False
    stopping.start()
    stopping.join(0.2)
    early = list(sizes)
    go_on.set()
    stopping.join(30)
    accepting.join(30)

    assert (early, sizes) == ([], [1])


def test_who_has_connected_when_the_worker_stops_is_answered_and_who_comes_later_is_refused(stage):
    stage = stage()
    address = stage.listener.getsockname()
    client = socket.create_connection(address)
    client.settimeout(0)
    client.sendall(SIZED)
    stage.clients.append(client)

    stage.worker.alive = False
    stage.worker.set_accept_enabled(False)
    stage.settle()

    assert b" 200 OK\r\n" in heard(client)[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


@pytest.mark.parametrize("epoll_is_gone", [False, True])
def test_a_thread_that_lets_somebody_in_while_the_door_is_being_locked_goes_on(
    stage, monkeypatch, epoll_is_gone
):
    stage = stage()
    door, listener = stage.worker.door, stage.listener.fileno()

    def let_in(_):
        door.lock()
        if epoll_is_gone:
            monkeypatch.setattr(stage.worker, "events", closed_epoll())

    monkeypatch.setattr(door, "_let_in", let_in)

    was_knocked_at = door.answers(listener)
    monkeypatch.undo()

    assert was_knocked_at
    assert not door.is_open


def closed_epoll():
    events = select.epoll()
    events.close()
    return events


def test_a_worker_that_is_busy_leaves_callers_waiting(stage):
    stage = stage()

    stage.worker.set_accept_enabled(False)

    stage.client()
    assert stage.worker.crowd.size == 0


def test_a_full_worker_lets_nobody_in_until_there_is_room(stage):
    stage = stage(worker_connections=1)
    first = stage.client(NEXT)
    waiting = stage.client()
    stage.send(waiting, NEXT)
    unanswered = heard(waiting)

    first.close()
    stage.settle()
    stage.worker.method_queue.defer.assert_called()  # gunicorn's loop looks around …
    stage.worker.set_accept_enabled(True)  # … and sees that there is room.
    stage.settle()

    assert (unanswered, heard(waiting)[0][:15]) == ((b"", False), b"HTTP/1.1 200 OK")


def test_who_is_let_in_before_the_door_is_quite_open_does_not_close_it(stage):
    stage = stage()
    stage.worker.set_accept_enabled(False)
    eager = socket.create_connection(stage.listener.getsockname())
    stage.clients.append(eager)

    stage.worker.events = EagerEvents(stage.worker)
    stage.worker.set_accept_enabled(True)

    assert heard(stage.client(NEXT))[0].startswith(b"HTTP/1.1 200 OK\r\n")


class EagerEvents:
    """Events of which a thread hears at once."""

    def __init__(self, worker):
        self.worker = worker
        self.events = worker.events

    def __getattr__(self, name):
        return getattr(self.events, name)

    def modify(self, descriptor, mask):
        self.events.modify(descriptor, mask)
        for ready, _ in self.events.poll(0):
            self.worker.serve(ready)


def test_a_request_that_breaks_the_worker_costs_its_own_connection_only(stage):
    stage = stage()
    quiet = stage.client()
    stage.worker.handle = Mock(side_effect=SystemExit)

    broken = stage.client(NEXT)

    assert (heard(broken)[1], heard(quiet)[1]) == (True, False)
    stage.worker.log.exception.assert_called_once()


def test_an_answer_is_sent_in_one_piece_and_a_long_one_as_it_comes():
    socket = Mock()
    socket.send.side_effect = lambda data, flags: len(data)
    corked = Corked(socket)

    corked.sendall(b"head")
    corked.sendall(b"body")
    held_back = socket.send.call_count
    corked.flush()
    corked.sendall(b"x" * 70_000)

    sent = [bytes(call.args[0]) for call in socket.send.call_args_list]
    assert (held_back, sent) == (0, [b"headbody", b"x" * 70_000])
    assert (corked.unsent, corked.kept) == (0, 0)


def test_what_the_client_does_not_take_is_kept_in_its_order():
    taken = []
    room = [3, 0, 4, 0, 100_000, 100_000]

    def send(data, flags):
        if not (size := room.pop(0)):
            raise BlockingIOError
        taken.append(bytes(data[:size]))
        return len(taken[-1])

    corked = Corked(Mock(send=send))

    corked.sendall(b"abcdefgh" * 10_000)
    corked.sendall(b"behind")
    corked.flush()
    kept = corked.kept
    while corked.unsent:
        corked.flush()

    assert kept == 80_006
    assert b"".join(taken) == b"abcdefgh" * 10_000 + b"behind"
    assert (corked.unsent, corked.kept) == (0, 0)


LARGE = 8 << 20  # bytes: more than the machine keeps for one connection


def large(environ, start_response):
    """Answer with the path, far too often for a client's machine to take it unread."""
    body = environ["PATH_INFO"].encode() * (LARGE // len(environ["PATH_INFO"]))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def asked(*paths):
    """Return requests for the paths, all in one."""
    return b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths)


def read_slowly(stage, client, until):
    """Read what the server sends, which sends more only where there is room, until it has sent so much."""
    data, closed = b"", False
    while not closed and len(data) < until:
        piece, closed = heard(client)
        data += piece
        stage.settle()
    return data, closed


@pytest.fixture
def readers(stage):
    """A stage whose app answers at length."""

    def build(**settings):
        built = stage(**settings)
        built.worker.wsgi = large
        return built

    return build


def test_an_answer_that_is_not_read_takes_no_thread(readers):
    stage = readers()
    silent = stage.client(asked(b"/silent"))

    stage.worker.wsgi = _echo  # There are no threads here: whoever is answered now is so beside the silent.
    beside = heard(stage.client(SIZED))

    assert beside[0].startswith(b"HTTP/1.1 200 OK")
    assert stage.worker.crowd.held > LARGE
    data, closed = read_slowly(stage, silent, LARGE)
    assert (data.count(b"/silent"), closed) == (LARGE // 7, False)
    assert stage.worker.crowd.held == 0


def test_what_came_behind_is_answered_in_order_once_there_is_room_and_not_before(readers):
    stage = readers()
    whole = asked(b"/a", b"/b", b"/c")
    client = stage.client(whole[:-3])
    served = stage.worker.nr

    data, _ = read_slowly(stage, client, 2 * LARGE)
    stage.send(client, whole[-3:] + asked(b"/d"))
    rest, closed = read_slowly(stage, client, 2 * LARGE)

    bodies = [part.partition(b"\r\n\r\n")[2] for part in (data + rest).split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert (served, closed) == (1, False)
    assert bodies == [path * (LARGE // 2) for path in (b"/a", b"/b", b"/c", b"/d")]


def test_who_asked_to_close_is_closed_behind_a_long_answer(readers):
    stage = readers()
    client = stage.client(asked(b"/a")[:-2] + b"Connection: close\r\n\r\n" + asked(b"/b"))

    data, closed = read_slowly(stage, client, 3 * LARGE)

    assert closed
    assert data.partition(b"\r\n\r\n")[2] == b"/a" * (LARGE // 2)


@pytest.mark.parametrize("read", [0, 1024])
def test_who_takes_hardly_any_of_an_answer_is_given_up(readers, read):
    stage = readers()
    client = stage.client(asked(b"/a", b"/b"))

    counts = []
    for _ in range(8):
        stage.after(4.0)
        counts.append(stage.worker.crowd.size)
        if counts[-1] and read:
            client.recv(read)
        stage.settle()

    assert (counts[2], counts[-1], stage.worker.crowd.held) == (1, 0, 0)


def test_who_takes_enough_gets_all_of_an_answer_however_long_that_lasts(readers):
    stage = readers()
    client = stage.client(asked(b"/a"))

    data = b""
    while len(data) < LARGE:
        with contextlib.suppress(BlockingIOError):
            data += client.recv(200_000)
        stage.calm()
        stage.after(10.0)

    assert stage.clock.monotonic() > 300
    assert data.partition(b"\r\n\r\n")[2] == b"/a" * (LARGE // 2)


def test_the_slowest_readers_are_given_up_while_too_much_is_held(readers):
    stage = readers(most_held=2 * LARGE + LARGE // 2)
    slow, reading = stage.client(asked(b"/slow")), stage.client(asked(b"/reading"))
    stage.watch_anew()
    stage.after(1.0)
    start = reading.recv(200_000)
    latest = stage.client(asked(b"/latest"))

    sizes = stage.worker.crowd.size
    stage.worker.wsgi = _echo
    beside = heard(stage.client(SIZED))[0]
    rest, _ = read_slowly(stage, reading, LARGE - len(start))

    assert sizes == 2
    assert read_slowly(stage, slow, LARGE)[1]
    assert beside.startswith(b"HTTP/1.1 200 OK")
    assert (start + rest).count(b"/reading") == LARGE // 8
    assert not read_slowly(stage, latest, LARGE)[1]


def test_a_worker_that_stops_gives_who_does_not_read_no_more_time_than_who_lingers(readers):
    stage = readers()
    silent, reading = stage.client(asked(b"/silent")), stage.client(asked(b"/reading"))
    stage.watch_anew()

    stage.worker.alive = False
    stage.worker._cap_keepalive(stage.clock.monotonic() + 2.0)
    data, _ = read_slowly(stage, reading, LARGE // 2)
    stage.after(2.1)
    rest, _ = read_slowly(stage, reading, LARGE - len(data))

    assert (data + rest).count(b"/reading") == LARGE // 8
    assert read_slowly(stage, silent, LARGE)[1]


def test_many_threads_answer_each_request_once(stage):
    stage = stage(most_per_address=100)
    clients = [socket.create_connection(stage.listener.getsockname(), timeout=30) for _ in range(20)]

    threads = Threads(stage.worker.events, stage.worker.serve)
    threads.start(4)
    try:
        for client in clients:
            client.sendall(SIZED * 2)
        for client in clients:
            stream = client.makefile("rb")
            client.sendall(SIZED * 48 + HEAD + b"Connection: close\r\n\r\n")
            assert stream.read().count(b" 200 OK\r\n") == 51
            stream.close()
            client.close()
        while stage.worker.crowd.size:
            threading.Event().wait(0.001)
    finally:
        threads.stop()
        for thread in threading.enumerate():
            if thread.name == "http":
                thread.join(30)

    assert not stage.worker.log.exception.called


def test_of_many_who_want_a_resting_connection_one_gets_it():
    crowd = Crowd()
    connection = SimpleNamespace(sock=SimpleNamespace(fileno=lambda: 7), host="", held=0, gives_up_at=1.0)
    crowd.enter(connection)
    takers = 8
    ready = threading.Barrier(takers)
    taken = []

    def take(number):
        ready.wait(30)
        taken.extend([crowd.taken(7)] if number % 2 else crowd.taken_late(2.0))

    for _ in range(200):
        crowd.rest(connection)
        threads = [threading.Thread(target=take, args=[number]) for number in range(takers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert taken.count(connection) == 200


def test_a_request_is_not_kept_in_memory_once_the_parser_has_read_it(stage):
    stage = stage()
    stage.client(SIZED)

    (connection,) = stage.worker.crowd.taken_late(stage.clock.monotonic() + 15)
    stage.worker.crowd.rest(connection)

    assert (connection._gathered._rest.nbytes, connection._gathered._rest.obj) == (0, b"")


def test_a_client_that_reads_nothing_is_given_up(monkeypatch):
    monkeypatch.setenv("AAFAI_ENGINE", "memory:")
    ready = runpy.run_path("gunicorn.conf.py")["when_ready"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)]))

        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            timeout = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)

    assert struct.unpack("ll", timeout) == (15, 0)


@pytest.fixture
def worker():
    """Build what the trial looks at of a worker, gunicorn's log being silent."""
    workers = []

    def build(**settings):
        configuration = Config()
        for name, value in {"keepalive": 15, **settings}.items():
            configuration.set(name, value)
        workers.append(GatheringWorker(0, os.getppid(), [], None, 0, configuration, Mock()))
        return workers[-1]

    yield build
    for built in workers:
        built.tmp.close()


@pytest.mark.parametrize("keepalive", [15, 0])
def test_the_installed_gunicorn_passes_the_trial(worker, keepalive):
    assert trouble_with(worker(keepalive=keepalive)) is None


@pytest.mark.parametrize(
    ("owner", "name", "changed"),
    [
        (gthread.ThreadWorker, "handle", lambda self, conn: conn.sock.recv(1)),
        (gthread.ThreadWorker, "handle_request", lambda self, req, conn, server: False),
        (gthread.ThreadWorker, "run", lambda self: self.murder_keepalived()),
        (gthread.TConn, "__init__", lambda self, cfg, sock: None),
        (gthread.TConn, "init", lambda self: setattr(self, "parser", iter([None]))),
    ],
)
def test_a_changed_gunicorn_fails_the_trial(worker, monkeypatch, owner, name, changed):
    monkeypatch.setattr(owner, name, changed)

    assert "gunicorn" in trouble_with(worker())


@pytest.mark.parametrize(
    ("setting", "value"), [("proxy_protocol", "auto"), ("certfile", "x"), ("protocol", "uwsgi")]
)
def test_what_cannot_be_gathered_fails_the_trial(worker, setting, value):
    assert "gathered" in trouble_with(worker(**{setting: value}))


def test_a_worker_that_fails_its_trial_warns_and_serves_as_gunicorns_own(worker, monkeypatch):
    started = []
    monkeypatch.setattr("api.gunicorn_worker.trouble_with", lambda worker: "all is different")
    monkeypatch.setattr("api.gunicorn_worker.util", SimpleNamespace())
    monkeypatch.setattr(gthread.ThreadWorker, "init_process", started.append)
    worker = worker()

    worker.init_process()

    worker.log.warning.assert_called_once_with(
        "stalled clients may hold up all threads: %s", "all is different"
    )
    assert (started, type(worker)) == ([worker], gthread.ThreadWorker)
