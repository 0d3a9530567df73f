"""Promise 17: clients that stall, drip, do not read or never leave cost descriptors, not threads."""

import select
import socket
import statistics
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
import requests

from examples.running import GUNICORN, a_bus

pytestmark = pytest.mark.alone

CROWD = 200
CALLS = 40
FOR_EVER = 3600.0  # seconds
SMALL = 2048  # bytes that a client's machine takes unread: about so many
POST = b"POST /inbound HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: How a client stalls → what it has sent by then.
STALLS = {
    "says nothing": b"",
    "stops in the head": POST,
    "stops in the body": POST + b'Content-Length: 1000\r\n\r\n{"action"',
    "stops in a chunk": POST + b'Transfer-Encoding: chunked\r\n\r\n3e8\r\n{"action"',
    "drips a byte a second": POST + b"Content-Length: 1000\r\n\r\n",
    "stays after its last answer": b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "reads nothing": LARGE * 20,
    "reads 1 KiB every 4 s": LARGE * 20,
}
READERS = [stall for stall in STALLS if stall.startswith("reads")]
#: The server's own settings, but for what a test sets otherwise.
SETTINGS = """
import runpy
globals().update(runpy.run_path("gunicorn.conf.py"))
worker_class = {worker_class!r}
start = post_worker_init

def post_worker_init(worker):
    start(worker)
    worker.deadline = {deadline}
    worker.patience = {patience}
"""


@contextmanager
def a_server(folder, *, worker_class="api.gunicorn_worker.GatheringWorker", deadline=10.0, patience=15.0):
    """Run a bus whose requests must arrive, and some of whose answers be read, within these seconds."""
    settings = folder / "settings.py"
    settings.write_text(SETTINGS.format(worker_class=worker_class, deadline=deadline, patience=patience))
    with a_bus(folder, command=(*GUNICORN[:-1], str(settings)), AAFAI_ENGINE="memory:") as bus:
        yield bus


@contextmanager
def a_crowd(bus, stall):
    """Connect 200 clients that stall in the same way, and hang up at the end."""
    with ExitStack() as connected:
        room = SMALL if stall in READERS else None
        clients = [connected.enter_context(connection(bus, room=room)) for _ in range(CROWD)]
        for client in clients:
            client.sendall(STALLS[stall])
        if stall == "drips a byte a second":
            connected.enter_context(repeating(lambda client: client.send(b" "), clients, seconds=1))
        if stall == "reads 1 KiB every 4 s":
            connected.enter_context(repeating(read_a_little, clients, seconds=4))
        yield clients


def read_a_little(client):
    """Take 1 KiB if that much has come."""
    client.recv(1024, socket.MSG_DONTWAIT)


@contextmanager
def repeating(step, clients, *, seconds):
    """Take the step with each client every so many seconds."""
    done = threading.Event()

    def drip():
        while not done.wait(seconds):
            for client in clients:
                try:
                    step(client)
                except OSError:  # The server has closed it, or nothing has come.
                    continue

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        yield
    finally:
        done.set()
        dripper.join()


def connection(bus, *, room=None):
    """Connect to the server; nothing is held back in order to send more at once."""
    client = socket.socket()
    if room is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect(("127.0.0.1", int(bus.url.rpartition(":")[2])))
    return client


def calls(bus, timeout=30):
    """Ask for /health 40 times, each on a connection of its own; return the seconds of each answer."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        if requests.get(f"{bus.url}/health", timeout=timeout).ok:
            took.append(time.perf_counter() - began)
    return took


def everything(client):
    """Return all that the server sends until it closes the connection."""
    answer = b""
    try:
        while piece := client.recv(65_536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize("stall", STALLS)
def test_the_api_answers_and_the_server_stops_while_clients_stall(tmp_path, stall, evidence):
    with a_server(tmp_path, deadline=FOR_EVER) as bus:
        unloaded = calls(bus)
        with a_crowd(bus, stall):
            loaded = calls(bus)
            began = time.perf_counter()
            status = bus.stop()
            stopped = time.perf_counter() - began

    alone, crowded = (statistics.median(took) * 1e3 for took in (unloaded, loaded))
    print(f"\n{CROWD} clients, each {stall}: p50 {crowded:.1f} ms, without {alone:.1f} ms")
    print(f"stopped with them connected in {stopped:.1f} s")
    swallowed = 2 * CALLS - len(unloaded) - len(loaded)
    what = f"clients that stall in {len(STALLS)} ways; /health asked beside them"
    evidence("P17", what, trials=CROWD, asked=CALLS, swallowed=swallowed)
    assert (len(unloaded), len(loaded), status) == (CALLS, CALLS, 0)


@pytest.mark.parametrize("stall", [stall for stall in STALLS if stall not in READERS])
def test_every_stalled_client_is_closed_at_the_deadline(tmp_path, stall, evidence):
    with a_server(tmp_path, deadline=1.0) as bus, a_crowd(bus, stall) as clients:
        answers = [everything(client) for client in clients]

        assert bus.stop() == 0

    words = {"says nothing": b"", "stays after its last answer": b"HTTP/1.1 200 OK\r\n"}
    expected = words.get(stall, b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")
    # A byte that was on its way when the server closed may have made the answer unreadable.
    lost = answers.count(b"") if stall.startswith("drips") else 0
    told = sum(answer.startswith(expected) for answer in answers)
    evidence("P17", "stalled clients closed at the deadline", trials=CROWD, left=CROWD - lost - told)
    assert told == CROWD - lost
    assert lost < CROWD


@pytest.mark.parametrize("stall", READERS)
def test_every_client_that_hardly_reads_is_given_up(tmp_path, stall, evidence):
    with a_server(tmp_path, patience=1.0) as bus, a_crowd(bus, stall) as clients:
        given_up = sum(was_reset(client) for client in clients)

        assert bus.stop() == 0

    evidence("P17", "clients that hardly read, given up", trials=CROWD, left=CROWD - given_up)
    assert given_up == CROWD


def was_reset(client):
    """Return whether the server ends the connection, of which nothing is read to find out."""
    end = select.poll()
    end.register(client, 0)
    return bool(end.poll(30_000))


@pytest.mark.parametrize("stall", STALLS)
def test_gunicorns_own_worker_does_not_answer_while_clients_stall(tmp_path, stall, evidence):
    with a_server(tmp_path, worker_class="gthread") as bus:
        with a_crowd(bus, stall), pytest.raises(requests.Timeout):
            calls(bus, timeout=1)

        bus.process.kill()
    evidence("P17", "the same against gunicorn's own worker", trials=CROWD, mutants=1, caught=1)


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    with a_server(tmp_path_factory.mktemp("bus")) as running:
        yield running
        assert running.stop() == 0


def test_requests_are_answered_wherever_they_are_cut(bus):
    body = b'{"job_ids":[]}'
    head = POST.replace(b"/inbound", b"/outbound")
    sized = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n8\r\n%b\r\n6\r\n%b\r\n0\r\n\r\n" % (
        body[:8],
        body[8:],
    )

    with connection(bus) as client:
        stream = client.makefile("rb")
        statuses = []
        for request in (sized, chunked):
            for place in range(1, len(request)):
                client.sendall(request[:place])
                client.sendall(request[place:])
                statuses.append(status_of(stream))

    assert len(set(statuses)) == 1
    assert statuses[0] < 500


def test_requests_sent_at_once_are_answered_in_their_order(bus):
    paths = [b"/health", b"/nowhere", b"/outbound", b"/health"]

    with connection(bus) as client:
        client.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths))
        stream = client.makefile("rb")
        statuses = [status_of(stream) for _ in paths]

    assert statuses == [200, 404, 400, 200]


def test_all_is_answered_in_order_to_who_reads_slowly_but_does(bus):
    with connection(bus, room=SMALL) as client:
        client.sendall(LARGE * 3 + b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = client.makefile("rb")
        statuses = [status_of(stream) for _ in range(4)]

    assert statuses == [200, 200, 200, 404]


def test_a_large_body_in_small_chunks_is_taken_in(bus):
    body = b'{"action":"nothing","params":{"text":"%b"}}' % (b"x" * 5_000_000)
    pieces = (body[at : at + 1_000] for at in range(0, len(body), 1_000))

    answer = requests.post(
        f"{bus.url}/inbound", data=pieces, headers={"Content-Type": "application/json"}, timeout=60
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_action")


def status_of(stream):
    """Read one answer and return its status."""
    status = int(stream.readline().split()[1])
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)
    return status
