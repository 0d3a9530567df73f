"""Runs what the bus over HTTP is held against: a bare Flask on gunicorn's own threaded worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_flask import FOLDER_VARIABLE
from examples.running import ROOT, free_port, wait_until_accepting

_APPLICATION = "benchmarks.http_flask:app"


@dataclass(frozen=True, slots=True)
class Reference:
    """The running application."""

    url: str
    #: Seconds from exec to the first answer.
    cold_start: float
    #: Its process, of which the one that answers is a child.
    pid: int


@contextmanager
def a_reference(folder: Path, *, threads: int) -> Iterator[Reference]:
    """Run the application in one process of so many threads, its files in a new folder."""
    folder.mkdir(parents=True)
    port = free_port()
    options = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", str(threads), "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "--log-level", "error", _APPLICATION]
    environment = {**os.environ, FOLDER_VARIABLE: str(folder), "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    # Started in the folder, for in the checkout gunicorn would read the bus's own settings.
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_accepting(url, process, path="/")
            yield Reference(url, time.monotonic() - began, process.pid)
        finally:
            process.terminate()
