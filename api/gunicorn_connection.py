"""A client's connection as gunicorn hands it around, and what it says when no app is there to answer."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.http import get_parser
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.workers import gthread

from api.errors import Refused, refusal_of
from api.framing import MOST_HEAD, Incoming

if TYPE_CHECKING:
    from api.gunicorn_worker import GatheringWorker

_PIECE = 65_536  # bytes


class Connection(gthread.TConn):  # type: ignore[misc]
    """A client's connection, whose parser reads from what was gathered instead of from the socket."""

    def __init__(self, worker: GatheringWorker, sock: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, address, server)
        self._worker = worker
        self._gathered = _Gathered()
        self.host: str = address[0] if isinstance(address, tuple) else ""
        self.incoming = Incoming(worker.max_body)
        #: What came behind the end of the request.
        self.surplus = b""
        self.parser = get_parser(worker.cfg, self._gathered, address)
        self.data_ready = True

    def read(self) -> bytes | None:
        """Return what has come: None for nothing yet, no bytes at the end of the connection."""
        try:
            data: bytes = self.sock.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return data

    def say(self, answer: bytes) -> None:
        """Send a short answer, to nobody if the client is gone or does not read."""
        try:
            self.sock.send(answer)
        except OSError:
            return

    def refuse(self, refused: Refused) -> None:
        """Answer instead of the app, in the shape in which it answers errors."""
        refusal = refusal_of(refused)
        self.say(_answer(refusal.status, refusal.body))

    def answer_expectation(self) -> None:
        """Ask for the body when the client waits to be asked."""
        if self.incoming.expects_continue:
            self.incoming.expects_continue = False
            self.say(b"HTTP/1.1 100 Continue\r\n\r\n")

    def hand_over(self, following: Incoming) -> None:
        """Let the parser read the request that came, and gather the following one."""
        self._gathered.hold(self.incoming)
        self.incoming = following

    def close(self, graceful: bool = False) -> None:
        """Close at once, or let the worker close it when the client has had its answer."""
        if graceful:
            self._worker.let_linger(self)
            return
        super().close()
        self._worker.addresses[self.host] -= 1
        if not self._worker.addresses[self.host]:
            del self._worker.addresses[self.host]


class _Gathered:
    """What a parser reads as if it were a socket; it never makes a thread wait."""

    def __init__(self) -> None:
        self._incoming: Incoming | None = None
        self._rest = memoryview(b"")
        self._endless = False

    def hold(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._endless = incoming.endless

    def recv(self, size: int) -> bytes:
        """Return the next bytes, none at the end. Raises LimitRequestHeaders where an endless head stops."""
        if self._incoming is not None:
            self._rest, self._incoming = memoryview(self._incoming.document()), None
        piece = bytes(self._rest[: min(size, _PIECE)])
        # A view, even an empty one, keeps all of the request in memory.
        self._rest = self._rest[len(piece) :] if len(piece) < len(self._rest) else memoryview(b"")
        if self._endless and not piece:
            raise LimitRequestHeaders(f"the head has more than {MOST_HEAD} bytes")
        return piece


def write_error(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer what gunicorn itself refuses, but not with its `message`, which repeats what the client sent."""
    body = {"status": "error", "code": reason.lower().replace(" ", "_"), "message": f"{reason}.", "hint": ""}
    util.write_nonblock(sock, _answer(status, body))


def _answer(status: int, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(["Retry-After: 5"] if status in {429, 503} else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
