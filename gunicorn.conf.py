"""gunicorn's settings: one threaded worker, which starts the kernel, and drains it when told to stop."""

from __future__ import annotations

import os
import resource
import signal
import sys

from gunicorn import util

from config import Config
from core.errors import ConfigError

# Not named `config`: gunicorn takes every name in this file that is one of its settings.
try:
    settings = Config.load(os.environ)
except ConfigError as error:
    sys.exit(f"The bus cannot start. {error.message}")

wsgi_app = "app:application()"
bind = settings.bind
worker_class = "gthread"
workers = 1
threads = settings.threads
# Watches only the main thread's heartbeat; jobs and slow requests are none of its business.
timeout = 120
# A little longer than the jobs get, so that what is left can be put back.
graceful_timeout = int(settings.drain_timeout) + 3
keepalive = 15
# A worker that has no descriptor left to accept with dies, and its jobs with it: half of them are for clients.
worker_connections = max(threads + 1, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))
# Whoever may open the control socket may stop the server; and a user without a home cannot make one.
control_socket_disable = True
# Else whoever calls from this machine, a proxy with a stranger's request too, could name another path.
forwarder_headers = ""
accesslog = None
loglevel = "warning"


def post_worker_init(worker):
    """Start the kernel, and let the signals that stop the worker begin its drain at once."""
    kernel = worker.wsgi.extensions["kernel"]
    kernel.start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _draining(kernel, signal.getsignal(number)))
    signal.siginterrupt(signal.SIGTERM, False)


def worker_exit(server, worker):
    """Finish the drain before the process ends."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["kernel"].drain()
        sys.stderr.flush()
        # An abandoned thread attempt would hold up the interpreter's exit for ever.
        os._exit(0)


def _draining(kernel, handle):
    def handler(number, frame):
        # SIGTERM leaves running jobs time to end; Ctrl-C and SIGQUIT mean now.
        kernel.begin_drain(hurry=number != signal.SIGTERM)
        handle(number, frame)

    return handler


def _write_json_error(sock, status_int, reason, message):
    """Answer what never reached the app (a request that is no HTTP) in the error shape of the bus."""
    code = reason.lower().replace(" ", "_")
    body = f'{{"status":"error","code":"{code}","message":"{reason}.","hint":""}}'
    head = f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1"))


util.write_error = _write_json_error
