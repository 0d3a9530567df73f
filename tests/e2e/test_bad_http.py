"""Rows 15 to 21 and 74 of the list of bad inputs, over a raw socket against the real server."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from examples.running import GUNICORN, a_bus

pytestmark = pytest.mark.alone

LIMIT = 65_536
VALID = b'{"action":"nothing"}'


@dataclass(frozen=True)
class Answer:
    """What came back over the socket until the server closed it or said all."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    @property
    def json(self):
        return json.loads(self.body)


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bus")
    (folder / "actions").mkdir()
    (folder / "actions" / "nothing.py").write_text("def run() -> dict:\n    return {}\n")
    settings = {"AAFAI_ENGINE": "memory:", "AAFAI_ACTIONS_DIR": str(folder / "actions")}
    with a_bus(folder, AAFAI_MAX_BODY=str(LIMIT), **settings) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def nothing_queued(bus):
    """Assert that the test leaves no job behind."""
    before = jobs(bus)
    yield
    assert jobs(bus) == before


def jobs(bus):
    """Return the ids of all jobs that the bus has."""
    lists = requests.get(f"{bus.url}/queues", timeout=10).json()
    return {job["job_id"] for name in ("inbound", "processing", "outbound", "failed") for job in lists[name]}


def sent(bus, *pieces, hang_up=False):
    """Send bytes as they are and return the first answer; `hang_up` ends the sending side before reading."""
    port = int(bus.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # The server has answered and closed before it was sent everything.
            pass
        return received(connection, hung_up=hang_up)


def received(connection, *, hung_up=False):
    """Read one answer, and look whether the server closes the connection after it."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers["content-length"]))
    if not hung_up and headers.get("connection") != "close":  # Else it will close, however long that takes.
        connection.settimeout(0.5)
    try:
        closed = stream.read(1) == b""
    except TimeoutError:
        closed = False
    except ConnectionError:
        closed = True
    return Answer(status, headers, body, closed)


def post(*headers, body=b"", path=b"/inbound"):
    """Return the bytes of a POST of JSON with these further headers."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: 127.0.0.1", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces):
    """Return the pieces as a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_valid_request_is_taken_in(bus):
    answer = sent(bus, post(b"Content-Length: %d" % len(VALID), body=VALID))

    assert (answer.status, answer.json["status"], answer.closed) == (200, "received", False)


def test_a_chunked_body_is_taken_in(bus):
    answer = sent(bus, post(b"Transfer-Encoding: chunked", body=chunked(VALID[:7], VALID[7:])))

    assert (answer.status, answer.json["status"]) == (200, "received")


def test_row_15_a_body_over_the_limit_is_413_and_the_connection_is_closed(bus, nothing_queued):
    body = VALID + b" " * 4 * LIMIT

    answer = sent(bus, post(b"Content-Length: %d" % len(body)), body)

    assert (answer.status, answer.json["code"], answer.closed) == (413, "body_too_large", True)
    assert "65,536 bytes" in answer.json["message"]


def test_row_15_a_length_over_the_limit_is_413_before_the_body_is_sent(bus, nothing_queued):
    answer = sent(bus, post(b"Content-Length: 10000000000"))

    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


def test_row_16_a_chunked_body_over_the_limit_is_413(bus, nothing_queued):
    body = chunked(VALID, *[b" " * 16_384] * 12)

    answer = sent(bus, post(b"Transfer-Encoding: chunked"), body)

    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


def test_row_17_a_body_without_a_length_is_411(bus, nothing_queued):
    answer = sent(bus, post())

    assert (answer.status, answer.json["code"]) == (411, "length_required")


def test_row_1_an_empty_body_is_400(bus, nothing_queued):
    answer = sent(bus, post(b"Content-Length: 0"))

    assert (answer.status, answer.json["code"]) == (400, "empty_body")


def test_row_18_a_body_cut_short_is_400_even_when_the_part_parses(bus, nothing_queued):
    answer = sent(bus, post(b"Content-Length: 100", body=VALID), hang_up=True)

    assert (answer.status, answer.json["code"], answer.closed) == (400, "truncated_body", True)


@pytest.mark.parametrize(
    "body",
    [
        b"14\r\n" + VALID,
        b"14\r\n" + VALID + b"\r\n",
        b"zz\r\n" + VALID + b"\r\n0\r\n\r\n",
        b"-1\r\n\r\n0\r\n\r\n",
    ],
)
def test_row_18_a_broken_chunked_body_is_400(bus, nothing_queued, body):
    answer = sent(bus, post(b"Transfer-Encoding: chunked", body=body), hang_up=True)

    assert (answer.status, answer.json["status"], answer.closed) == (400, "error", True)


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ([b"Content-Length: 20", b"Transfer-Encoding: chunked"], {400}),
        ([b"Content-Length: 20", b"Content-Length: 21"], {400}),
        ([b"Content-Length: -1"], {400}),
        ([b"Content-Length: +20"], {400}),
        ([b"Content-Length: 2_0"], {400}),
        ([b"Transfer-Encoding: xchunked"], {400, 501}),
        ([b"Transfer-Encoding: gzip, chunked"], {400, 501}),
    ],
)
def test_row_19_what_could_smuggle_a_second_request_is_refused(bus, nothing_queued, headers, statuses):
    answer = sent(bus, post(*headers, body=VALID), hang_up=True)

    assert answer.status in statuses
    assert (answer.headers["content-type"], answer.json["status"]) == ("application/json", "error")
    assert answer.closed


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 65_536 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n", 431),
        (b"GET /" + b"u" * 10_240 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n", 400),
        (b"POST /inbound HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\x00b\r\n\r\n", 400),
    ],
)
def test_row_21_what_is_too_long_or_no_http_is_refused_in_json(bus, request_head, status):
    answer = sent(bus, request_head)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json["status"] == "error"


def test_a_connection_is_kept_after_a_refusal(bus):
    refused = post(b"Content-Length: 2", body=b"{}")
    port = int(bus.url.rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(refused)
        first = received(connection)
        connection.settimeout(20)
        connection.sendall(post(b"Content-Length: %d" % len(VALID), body=VALID))
        second = received(connection)

    assert (first.status, first.closed, second.status) == (400, False, 200)


def test_row_74_a_foreign_host_is_421(bus):
    answer = sent(bus, b"GET /health HTTP/1.1\r\nHost: rebound.example\r\n\r\n")

    assert (answer.status, answer.json["code"]) == (421, "unknown_host")


@pytest.mark.parametrize("header", [b"SCRIPT_NAME: /x", b"PATH_INFO: /docs", b"Script-Name: /health"])
def test_no_header_changes_the_path(bus, header):
    answer = sent(bus, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")

    assert (answer.status, answer.json["accepting"]) == (200, True)


def test_a_crowd_of_connections_does_not_take_the_last_descriptor(tmp_path):
    command = ("bash", "-c", 'ulimit -n 64 && exec "$0" "$@"', *GUNICORN)
    with a_bus(tmp_path, command=command) as bus:
        boot = requests.get(f"{bus.url}/health", timeout=10).json()["boot_id"]
        port = int(bus.url.rpartition(":")[2])
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(80)]
        time.sleep(1)
        for connection in crowd:
            connection.close()

        assert requests.get(f"{bus.url}/health", timeout=30).json()["boot_id"] == boot


def test_a_crowd_of_long_polls_leaves_room_for_others(bus):
    waiting = sent(bus, post(b"Content-Length: 39", body=b'{"action":"nothing","run_after":100000}'))
    url = f"{bus.url}/outbound?job_id={waiting.json['job_id']}"

    with ThreadPoolExecutor(12) as crowd:
        polls = [crowd.submit(requests.get, f"{url}&wait=25", timeout=60) for _ in range(12)]
        health = requests.get(f"{bus.url}/health", timeout=20)
        requests.delete(f"{bus.url}/api/worker/jobs/{waiting.json['job_id']}", timeout=20)
        answers = {poll.result().status_code for poll in polls}

    assert health.status_code == 200
    assert answers == {200}
