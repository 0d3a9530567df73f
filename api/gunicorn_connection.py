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

from api.errors import refusal_of
from api.framing import MOST_HEAD, Incoming
from api.gunicorn_socket import PIECE, Corked

if TYPE_CHECKING:
    from api.gunicorn_worker import GatheringWorker
    from core.errors import BusError


class Connection(gthread.TConn):  # type: ignore[misc]
    """A client's connection; its parser reads what was gathered, and what is written goes out at once."""

    def __init__(self, worker: GatheringWorker, sock: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, Corked(sock), address, server)
        self._gathered = _Gathered()
        self.host: str = address[0] if isinstance(address, tuple) else ""
        self.incoming = Incoming(worker.max_body)
        self.parser = get_parser(worker.cfg, self._gathered, address)
        self.data_ready = True
        #: How many of the bytes of its unfinished request, or of its unread answer, the worker has counted.
        self.held = 0
        #: What came behind the request whose answer is still to be sent.
        self.behind = b""
        #: Whether it may have another answer after that one.
        self.keeps = False
        #: Since when the client's reading is watched, and how many bytes it had taken by then.
        self.watched_since, self._taken_before = 0.0, 0
        #: When the client's patience with us, or ours with it, ends: seconds of the monotonic clock.
        self.gives_up_at = 0.0
        #: Whether the last answer was sent, and the client is only waited for to close.
        self.is_lingering = False
        #: Whether the thread that served it was held up, and has it no more.
        self.is_taken_over = False

    def read(self) -> bytes | None:
        """Return what has come: None for nothing yet, no bytes at the end of the connection."""
        try:
            data: bytes = self.sock.recv(PIECE)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return data

    def refuse(self, error: BusError) -> None:
        """Answer instead of the app, in the shape in which it answers errors."""
        refusal = refusal_of(error)
        self.sock.say(_answer(refusal.status, refusal.body))

    def answer_expectation(self) -> None:
        """Ask for the body when the client waits to be asked."""
        if self.incoming.expects_continue:
            self.incoming.expects_continue = False
            self.sock.say(b"HTTP/1.1 100 Continue\r\n\r\n")

    def hand_over(self, following: Incoming) -> None:
        """Let the parser read the request that came, and gather the following one."""
        self._gathered.hold(self.incoming)
        self.incoming = following

    def flush(self) -> bool:
        """Send what the client takes of what was written; return whether it could be reached."""
        try:
            self.sock.flush()
        except OSError:
            return False
        return True

    @property
    def taken(self) -> int:
        """Return how many bytes the client has taken since it is watched."""
        taken: int = self.sock.taken
        return taken - self._taken_before

    def watch(self, now: float) -> None:
        """Measure from now on how much the client takes."""
        self.watched_since, self._taken_before = now, self.sock.taken

    def say_no_more(self) -> bool:
        """Tell the client that nothing follows; return whether the connection is still there."""
        self.is_lingering = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True


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
        piece = bytes(self._rest[: min(size, PIECE)])
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
