"""The only way out for a browser: a proxy that checks each connection and makes it to the address it checked.

Redirects, sub-resources, scripts and web sockets of a page all come through here.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from actions._addresses import checked_host, checked_url
from core import Fail, Retry
from core.addresses import Target

_LONGEST_HEAD = 65_536
_CHUNK = 65_536
_POLL = 0.05  # seconds between two looks whether the proxy is to stop
_CONNECTING = 10.0  # seconds
_SILENCE = 60.0  # seconds after which a connection that carries nothing is closed
_OWN_HEADERS = (b"proxy-", b"connection:", b"keep-alive:")


@dataclass(frozen=True, slots=True)
class Egress:
    """A running proxy."""

    port: int
    #: Why connections were refused, oldest first.
    refusals: list[str] = field(default_factory=list)


@contextmanager
def egress_proxy() -> Iterator[Egress]:
    """Run the proxy on a free port of the loopback address."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(_POLL,), name="egress proxy", daemon=True
        )
        thread.start()
        try:
            yield server.egress
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def server_activate(self) -> None:
        self.egress = Egress(self.server_address[1])
        super().server_activate()


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        # A browser drops connections as it likes, and so do servers: neither is an error of the proxy's.
        with suppress(OSError):
            self.request.settimeout(_SILENCE)
            head, rest = _head(self.request)
            method, address, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            target = self._target(method, address)
            if target is None:
                return  # Closed without an answer, so that no page can take a refusal for a document.
            with socket.create_connection((target.address, target.port), _CONNECTING) as remote:
                if method == "CONNECT":
                    self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    remote.sendall(rest)
                else:
                    remote.sendall(_forwarded(head, method, address) + rest)
                _relay(self.request, remote)

    def _target(self, method: str, address: str) -> Target | None:
        try:
            if method != "CONNECT":
                return checked_url(address)
            host, _, port = address.rpartition(":")
            return checked_host(host.strip("[]"), int(port))
        except Fail as refusal:
            self.server.egress.refusals.append(str(refusal))
            return None
        except Retry:  # A name that nobody knows: nothing was refused.
            return None


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of a request without its last blank line, and what came after it. Raises OSError."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = client.recv(_CHUNK)
        if not chunk or len(received) > _LONGEST_HEAD:
            raise ConnectionError("no request")
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    if head.split(b"\r\n", 1)[0].count(b" ") != 2:
        raise ConnectionError("no request")
    return head, rest


def _forwarded(head: bytes, method: str, address: str) -> bytes:
    """Return a request's head as the server itself wants it: with a path, and for one exchange only."""
    parts = urlsplit(address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith(_OWN_HEADERS)]
    first = f"{method} {path} HTTP/1.1".encode("latin-1")
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _relay(client: socket.socket, remote: socket.socket) -> None:
    """Carry bytes both ways until neither side has anything more to say, or both are silent."""
    other = {client: remote, remote: client}
    speaking = [client, remote]
    while speaking:
        ready, _, _ = select.select(speaking, [], [], _SILENCE)
        if not ready:
            return
        for end in ready:
            if chunk := end.recv(_CHUNK):
                other[end].sendall(chunk)
            else:
                other[end].shutdown(socket.SHUT_WR)
                speaking.remove(end)
