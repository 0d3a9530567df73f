"""The clients of a run where wrk is missing: one process that keeps many connections busy."""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from benchmarks.figures import quantile

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def main(order: Mapping[str, Any]) -> None:
    """Run what the order says and print how it went, as a line of JSON."""
    asked, place = _request(order), urlsplit(order["url"])
    began = time.perf_counter()
    with selectors.DefaultSelector() as ready:
        clients = [
            _Client(str(place.hostname), int(place.port or 80), asked) for _ in range(order["clients"])
        ]
        for client in clients:
            ready.register(client.socket, selectors.EVENT_READ, client)
            client.ask()
        while time.perf_counter() < began + order["seconds"]:
            for key, _ in ready.select(1.0):
                key.data.hear()
    elapsed = time.perf_counter() - began
    took = [1000 * seconds for client in clients for seconds in client.took]
    told = {
        "answers": len(took),
        "seconds": elapsed,
        "p50": quantile(took, 0.5),
        "p99": quantile(took, 0.99),
        "failed": sum(client.failed for client in clients),
    }
    print(json.dumps(told))


class _Client:
    """A connection that asks again as soon as it was answered."""

    def __init__(self, host: str, port: int, asked: bytes) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.took: list[float] = []
        self.failed = 0
        self._asked = asked
        self._answer = b""
        self._at = 0.0

    def ask(self) -> None:
        self._at = time.perf_counter()
        self.socket.sendall(self._asked)

    def hear(self) -> None:
        """Take in what came. Raises ConnectionError when the server has hung up."""
        piece = self.socket.recv(65_536)
        if not piece:
            raise ConnectionError("the server closed a connection that it should keep")
        self._answer += piece
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self.took.append(time.perf_counter() - self._at)
        self.failed += int(head.split(b" ", 2)[1]) >= 400
        self._answer = b""
        self.ask()


def _request(order: Mapping[str, Any]) -> bytes:
    place, body = urlsplit(str(order["url"])), str(order["body"]).encode()
    framing = {"Content-Type": "application/json", "Content-Length": len(body)} if body else {}
    method, target = "POST" if body else "GET", f"{place.path}?{place.query}".rstrip("?")
    fields = {"Host": place.netloc, **framing, **order["headers"]}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _length(head: bytes) -> int:
    if head.startswith(b"HTTP/1.1 304"):
        return 0
    announced = _LENGTH.search(head)
    return int(announced[1]) if announced else 0


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
