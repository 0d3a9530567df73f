"""Run a real bus on a free loopback port for as long as a block lasts."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py")


@dataclass(frozen=True, slots=True)
class RunningBus:
    """A server process, where it listens, and where it keeps its jobs."""

    url: str
    process: subprocess.Popen[bytes]
    queues: Path
    downloads: Path
    #: Seconds from exec to the first answer that says accepting.
    cold_start: float

    def stop(self, *, timeout: float = 30.0) -> int:
        """Tell the server to stop as systemd does (SIGTERM) and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


@contextmanager
def a_bus(folder: Path, *, command: Sequence[str] = GUNICORN, **settings: str) -> Iterator[RunningBus]:
    """Start the server with its folders below `folder`; kill it at the end if it still runs."""
    port = free_port()
    environment = {
        **os.environ,
        "QUEUE_BASE_PATH": str(folder / "queues"),
        "DOWNLOAD_DIR": str(folder / "downloads"),
        "AAFAI_PORT": str(port),
        **settings,
    }
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_accepting(url, process)
            cold_start = time.monotonic() - began
            yield RunningBus(url, process, folder / "queues", folder / "downloads", cold_start)
        finally:
            if process.poll() is None:
                process.kill()


def wait_until_accepting(url: str, process: subprocess.Popen[bytes], *, path: str = "/health") -> None:
    """Return once the server says that it accepts jobs. Raises RuntimeError when its process ends first."""
    while process.poll() is None:
        try:
            if requests.get(url + path, timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):  # On a slow machine it may take longer.
            time.sleep(0.005)
    raise RuntimeError(f"the server did not start: exit status {process.returncode}")


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that Linux gives to nobody who asks for any port."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
