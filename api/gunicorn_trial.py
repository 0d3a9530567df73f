"""A trial at start: whether gunicorn works inside as the gathering worker takes for granted."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable
from typing import Any

#: What gunicorn's loop must call, or nobody would be let in and no deadline would ever be looked at.
_CALLED = {"murder_pending", "_cap_keepalive", "set_accept_enabled", "wait_for_and_dispatch_events"}
#: Two requests: one cut in its body, the other sent at once with the first one's end.
_POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
_SECOND = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
_PIECES = (_POST + b"Content-Length: 5\r\n\r\nab", b"cde" + _POST + _SECOND)
_PATIENCE = 100  # rounds of the event loop, of 0.02 s each when nothing happens


def trouble_with(worker: Any) -> str | None:
    """Return why a worker of that class would not gather requests as it should, None when it would."""
    if worker.cfg.is_ssl or worker.cfg.proxy_protocol != "off" or worker.cfg.protocol != "http":
        return "neither TLS nor the PROXY or uWSGI protocol can be gathered"
    if uncalled := _CALLED - set(super(type(worker), worker).run.__code__.co_names):
        return f"gunicorn's loop has changed: it does not call {', '.join(sorted(uncalled))}"
    try:
        answer = _served(worker)
    except Exception as error:  # noqa: BLE001  Whatever it is that changed, the bus must start.
        return f"gunicorn has changed: the trial raised {error!r}"
    served = answer.count(b"HTTP/1.1 200 OK\r\n"), answer.count(b"abcde")
    wanted = 2 if worker.cfg.keepalive else 1
    return None if served == (wanted, wanted) else f"gunicorn has changed: the trial was answered {answer!r}"


def _served(worker: Any) -> bytes:
    """Return all that the trial's client receives from a second worker, which has no threads."""
    trial = type(worker)(0, worker.ppid, [], None, 0, worker.cfg, worker.log)
    trial.wsgi = _echo
    with select.epoll() as trial.events, socket.create_server(("127.0.0.1", 0)) as listener:
        trial.sockets = [listener]
        trial.set_accept_enabled(True)
        try:
            with socket.create_connection(listener.getsockname()) as client:
                return _conversation(trial, client)
        finally:
            trial.crowd.hurry(0.0)
            trial.murder_pending()
            trial.tmp.close()


def _conversation(trial: Any, client: socket.socket) -> bytes:
    client.settimeout(0)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answer = b""
    pieces = list(_PIECES)
    for _ in range(_PATIENCE):
        if pieces:
            client.sendall(pieces.pop(0))
        for descriptor, _ in trial.events.poll(0.02):
            trial.serve(descriptor)
        heard, is_over = _heard(client)
        answer += heard
        if is_over:
            break
    return answer


def _heard(client: socket.socket) -> tuple[bytes, bool]:
    """Return all that has come by now, and whether it is the end, which nobody should have to wait for."""
    heard = b""
    try:
        while piece := client.recv(65_536):
            heard += piece
    except BlockingIOError:
        return heard, False
    return heard, True


def _echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body: bytes = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
