"""A trial at start: whether gunicorn works inside as the gathering worker takes for granted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from selectors import EVENT_READ, DefaultSelector
from typing import Any

#: What gunicorn's loop must call, or no deadline would ever be looked at.
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
    if uncalled := _CALLED - set(worker.run.__code__.co_names):
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
    trial.tpool, trial.wsgi = _Inline(), _echo
    trial.method_queue.init()
    with DefaultSelector() as trial.poller, socket.create_server(("127.0.0.1", 0)) as listener:
        trial.poller.register(trial.method_queue.fileno(), EVENT_READ, trial.method_queue.run_callbacks)
        try:
            with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as accepted:
                trial.accept(_Listener(accepted))
                return _conversation(trial, client)
        finally:
            trial.method_queue.close()
            trial.tmp.close()


def _conversation(trial: Any, client: socket.socket) -> bytes:
    client.settimeout(0)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answer = b""
    pieces = list(_PIECES)
    for _ in range(_PATIENCE):
        if pieces:
            client.sendall(pieces.pop(0))
        trial.wait_for_and_dispatch_events(0.02)
        try:
            if not (piece := client.recv(65_536)):
                break
            answer += piece
        except BlockingIOError:
            continue
    return answer


def _echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body: bytes = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class _Listener:
    """What has one connection to give, which the trial closes itself, whatever the worker does with it."""

    def __init__(self, accepted: socket.socket) -> None:
        self._accepted = accepted
        self.getsockname = accepted.getsockname

    def accept(self) -> tuple[socket.socket, Any]:
        return self._accepted, self._accepted.getpeername()


class _Inline:
    """A pool that does its work at once, so that the trial needs no thread."""

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001  A future carries whatever its work raised.
            future.set_exception(error)
        return future
