"""gunicorn's settings: one threaded worker, which starts the kernel, and drains it when told to stop."""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import struct
import sys

from config import Config
from core.errors import ConfigError
from core.logger import logger

SEND_TIMEOUT = 15  # seconds

# Not named `config`: gunicorn takes every name in this file that is one of its settings.
try:
    settings = Config.load(os.environ)
except ConfigError as error:
    sys.exit(f"The bus cannot start. {error.message}")

wsgi_app = "app:application()"
bind = settings.bind
worker_class = "api.gunicorn_worker.GatheringWorker"
workers = 1
threads = settings.threads
# Watches only the main thread's heartbeat; jobs and slow requests are none of its business.
timeout = 120
# Longer than the jobs get, so that what is left can be put back on a slow machine too: gunicorn kills whoever
# takes longer, and each job that he leaves running loses an attempt.
graceful_timeout = int(settings.drain_timeout) + 10
keepalive = 15
# A worker without a descriptor left to accept with dies, and its jobs with it: half are for clients.
worker_connections = max(threads + 1, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))
# Whoever may open the control socket may stop the server; and a user without a home cannot make one.
control_socket_disable = True
# Else whoever calls from this machine, a proxy with a stranger's request too, could name another path.
forwarder_headers = ""
accesslog = None
loglevel = "warning"


def when_ready(server):
    """Give up a client that reads nothing of its answer, where gunicorn's own worker serves it."""
    seconds_and_microseconds = struct.pack("ll", SEND_TIMEOUT, 0)
    for listener in server.LISTENERS:
        # The connections that it accepts inherit this.
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds_and_microseconds)


def post_fork(server, worker):
    """Look for no garbage during the start: it makes only what stays, and looking takes a tenth of it."""
    gc.disable()


def post_worker_init(worker):
    """Say where the bus is, start the kernel, and let the signals that stop it begin its drain at once."""
    logger.info("listening at http://%s", bind)
    worker.max_body = settings.max_body
    worker.deadline = settings.request_timeout
    worker.most_per_address = settings.connections_per_address
    kernel = worker.wsgi.extensions["kernel"]
    worker.held_up = kernel.patience.overdue
    # A worker that no longer knows what is on the disk ends; its successor reads it.
    kernel.bus.events.subscribe("gunicorn", "system.engine_in_doubt", _end_this_worker)
    kernel.bus.events.subscribe("gunicorn", "system.startup", _collect_garbage_from_now_on)
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


def _end_this_worker(event):
    os.kill(os.getpid(), signal.SIGTERM)


def _collect_garbage_from_now_on(event):
    gc.freeze()
    gc.enable()


def _draining(kernel, handle):
    def handler(number, frame):
        # SIGTERM leaves running jobs time to end; Ctrl-C and SIGQUIT mean now.
        kernel.begin_drain(hurry=number != signal.SIGTERM)
        handle(number, frame)

    return handler
