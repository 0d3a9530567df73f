"""The HTTP server in front of the fake Google, and the ways in which it can fail to answer."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.cloud.refused import Refused

if TYPE_CHECKING:
    from tests.cloud.fake_google import FakeGoogle


class Fault(Enum):
    """How an answer can fail without being one of Google's refusals."""

    #: Nothing comes until the fake is closed.
    HANG = "hang"
    #: A byte now and then, for ever.
    DRIP = "drip"
    #: The request is heard and the connection ended, with nothing done.
    CUT = "cut"
    #: What was asked is done, and the connection ended instead of an answer.
    CUT_WHEN_DONE = "cut when done"
    #: The answer breaks off in its middle.
    HALF = "half"
    #: A page of some proxy's.
    GARBAGE = "garbage"
    #: More than anybody should read.
    FLOOD = "flood"
    REDIRECT = "redirect"


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = field(repr=False)
    #: The query with what stands twice in it.
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Content:
    """An answer that is no JSON object, or no plain success."""

    status: int
    headers: dict[str, str]
    body: bytes


class Door(ThreadingHTTPServer):
    """Listens on a port of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, google: FakeGoogle) -> None:
        self.google = google
        super().__init__(("127.0.0.1", 0), _Visit)


class _Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        asked = Asked(
            self.command,
            parts.path,
            dict(pairs),
            _read(body, parts.path),
            {name.lower(): value for name, value in self.headers.items()},
            tuple(pairs),
        )
        with suppress(OSError):
            self._serve(asked, self.server.google.fault_for(parts.path))

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.google.now if timestamp is None else timestamp, usegmt=True)

    def _serve(self, asked: Asked, fault: Fault | Refused | None) -> None:
        google = self.server.google
        if isinstance(fault, Fault) and fault is not Fault.CUT_WHEN_DONE:
            google.asked.append(asked)
            self._fail(fault)
        elif asked.path.startswith("/computeMetadata/v1/"):
            self._send(*google.metadata.answer(asked.path, asked.query, asked.headers))
        else:
            status, document = _answered(google, asked, fault)
            self.close_connection = fault is Fault.CUT_WHEN_DONE
            if self.close_connection:
                return
            if isinstance(document, Content):
                self._send(document.status, document.headers, document.body)
            else:
                kind = {"Content-Type": "application/json; charset=UTF-8"}
                self._send(status, kind, json.dumps(document).encode())

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _fail(self, fault: Fault) -> None:
        self.close_connection = True
        google = self.server.google
        if fault is Fault.HANG:
            google.closing.wait()
        elif fault is Fault.DRIP:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not google.closing.wait(0.02):
                self.wfile.write(b".")
        elif fault is Fault.HALF:
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"name": "bu')
        elif fault is Fault.GARBAGE:
            self._send(200, {}, b"<html>Please log in to the network.</html>")
        elif fault is Fault.FLOOD:
            self._send(200, {}, b'{"name": "' + b"x" * (1 << 21) + b'"}')
        elif fault is Fault.REDIRECT:
            self._send(302, {"Location": f"{google.url}/elsewhere"}, b"")


def _read(body: bytes, path: str) -> Any:
    """Return what a body says: what is uploaded may be anything."""
    if path.startswith("/upload/"):
        return body
    return json.loads(body) if body else None


def _answered(google: FakeGoogle, asked: Asked, fault: Fault | Refused | None) -> tuple[int, Any]:
    try:
        if isinstance(fault, Refused):
            google.asked.append(asked)
            raise fault
        return 200, google.answer(asked)
    except Refused as refused:
        return refused.status, refused.document()
