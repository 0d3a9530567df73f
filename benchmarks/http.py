"""The bus over HTTP, beside a bare Flask on the same gunicorn with as many processes and threads."""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests

from benchmarks.figures import OURS, Figure, effort, quantile, rotated
from benchmarks.http_load import Load, Request, load
from benchmarks.http_reference import a_reference
from examples.running import a_bus

UNKEPT = "Flask, nothing kept"
FSYNCED = "Flask, one fsynced file"
BARE = "Flask, bare route"
WITHOUT = "the same without them"

_THREADS = 8
_CLIENTS = 32
_STALLED = 200
_PAYLOAD = json.dumps({"action": "nothing", "params": {"text": "x" * 150}})
_ACTIONS = str(Path(__file__).parent / "actions")
_HALF_A_HEAD = b"POST /inbound HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class _Servers:
    """Where they listen: a bus that runs nothing, a bus that works, and the reference."""

    idle: str
    working: str
    reference: str
    folder: Path


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once."""
    with _serving(folder) as servers:
        return [
            *_submits(servers, round, clients=1),
            *_submits(servers, round, clients=_CLIENTS),
            *_polls(servers, round),
            *_submit_to_result(servers, round),
            *_health(servers),
        ]


@contextmanager
def _serving(folder: Path) -> Iterator[_Servers]:
    common = {"AAFAI_ACTIONS_DIR": _ACTIONS, "AAFAI_LOG_LEVEL": "ERROR", "AAFAI_THREADS": str(_THREADS)}
    with (
        a_bus(folder / "idle", AUTO_START_WORKERS="false", **common) as idle,
        a_bus(folder / "working", **common) as working,
        a_reference(folder / "reference", threads=_THREADS) as reference,
    ):
        yield _Servers(idle.url, working.url, reference.url, folder)
        for bus in (idle, working):
            bus.stop()


def _submits(servers: _Servers, round: int, *, clients: int) -> list[Figure]:  # noqa: A002
    asked = {
        OURS: Request(url=f"{servers.idle}/inbound", body=_PAYLOAD),
        FSYNCED: Request(url=f"{servers.reference}/durable", body=_PAYLOAD),
        UNKEPT: Request(url=f"{servers.reference}/echo", body=_PAYLOAD),
    }
    name = f"durable POST /inbound, {_counted(clients)}"
    return _compared(servers, round, asked, clients=clients, name=name)


def _polls(servers: _Servers, round: int) -> list[Figure]:  # noqa: A002
    bare = Request(url=f"{servers.reference}/")
    waiting = Request(url=f"{servers.idle}/outbound?job_id={submitted(servers.idle)}")
    unchanged = replace(waiting, headers={"If-None-Match": tag_of(waiting)})
    ended = Request(url=f"{servers.working}/outbound?wait=20&job_id={submitted(servers.working)}")
    figures = {
        "status poll": waiting,
        "poll answered with 304": unchanged,
        "long poll of an ended job": ended,
    }
    return [
        figure
        for name, ours in figures.items()
        for figure in _compared(servers, round, {OURS: ours, BARE: bare}, clients=_CLIENTS, name=name)
    ]


def _compared(
    servers: _Servers,
    round: int,  # noqa: A002
    asked: Mapping[str, Request],
    *,
    clients: int,
    name: str,
) -> list[Figure]:
    """Return the rate of each, taken one after the other, each after a second to warm up."""

    def run(who: str, seconds: float) -> Load:
        return load(asked[who], clients=clients, seconds=seconds, folder=servers.folder)

    for who in asked:
        run(who, 1)
    rates = {who: run(who, effort(1, 4)).rate for who in rotated(list(asked), round)}
    return [Figure(name, who, rates[who], "requests/s") for who in asked]


def _submit_to_result(servers: _Servers, round: int) -> list[Figure]:  # noqa: A002
    """Return how long a job takes on an idle bus, and what two requests and one durable step take alone."""
    asks = {
        OURS: lambda session: _run_one(session, servers.working),
        FSYNCED: lambda session: _store_one(session, servers.reference),
    }
    took = {who: _milliseconds(asks[who], effort(50, 300)) for who in rotated(list(asks), round)}
    name = "submit to result over HTTP"
    shares = {"p50": 0.5, "p99": 0.99}
    return [
        Figure(f"{name}, {word}", who, quantile(took[who], share), "ms")
        for word, share in shares.items()
        for who in asks
    ]


def _milliseconds(ask: Callable[[requests.Session], None], number: int) -> list[float]:
    with requests.Session() as session:
        ask(session)
        took = []
        for _ in range(number):
            began = time.perf_counter()
            ask(session)
            took.append(1000 * (time.perf_counter() - began))
        return took


def _run_one(session: requests.Session, url: str) -> None:
    job_id = session.post(f"{url}/inbound", json=json.loads(_PAYLOAD)).json()["job_id"]
    answer = session.get(f"{url}/outbound?job_id={job_id}&wait=20").json()
    if answer["status"] != "complete":
        raise RuntimeError(f"A job did not end well: {answer}")


def _store_one(session: requests.Session, url: str) -> None:
    session.post(f"{url}/durable", json=json.loads(_PAYLOAD)).json()
    session.get(f"{url}/").json()


def _health(servers: _Servers) -> list[Figure]:
    """Return how long /health takes with and without a crowd that has sent half a request each."""
    alone = _health_p50(servers.idle)
    with _crowd(servers.idle):
        beside = _health_p50(servers.idle)
    name = f"/health with {_STALLED} stalled clients, p50"
    return [Figure(name, OURS, beside, "ms"), Figure(name, WITHOUT, alone, "ms")]


def _health_p50(url: str) -> float:
    """Return the median milliseconds of a call. Raises HTTPError or Timeout unless all are answered."""
    took = []
    for _ in range(effort(20, 100)):
        began = time.perf_counter()
        requests.get(f"{url}/health", timeout=5).raise_for_status()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


@contextmanager
def _crowd(url: str) -> Iterator[None]:
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    with ExitStack() as connected:
        for _ in range(_STALLED):
            connected.enter_context(socket.create_connection(address)).sendall(_HALF_A_HEAD)
        yield


def submitted(url: str) -> str:
    """Submit a job that does nothing and return its id."""
    job_id: str = requests.post(
        f"{url}/inbound", data=_PAYLOAD, headers={"Content-Type": "application/json"}
    ).json()["job_id"]
    return job_id


def tag_of(asked: Request) -> str:
    """Return the tag under which a poll is answered with 304. Raises RuntimeError when it is not."""
    tag = requests.get(asked.url).headers["ETag"]
    status = requests.get(asked.url, headers={"If-None-Match": tag}).status_code
    if status != 304:
        raise RuntimeError(f"A conditional GET was answered with {status}")
    return tag


def _counted(clients: int) -> str:
    return "1 client" if clients == 1 else f"{clients} clients"
