"""What runs in an attempt's own process: the action, its context, and the channel to the supervisor."""

from __future__ import annotations

import itertools
import logging
import os
import queue
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from core.clock import SystemClock
from core.context import JobContext
from core.errors import BusError
from core.frames import Frames, framed
from core.invocation import Stopped, invoke, load_failure
from core.jobs import Json
from core.outcome import Outcome
from core.registry import load_file

#: The variable by which everything that an attempt starts can be told.
JOB_ID = "AAFAI_JOB_ID"

_CHUNK = 65_536
_LARGEST_MESSAGE = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What an attempt's process needs to know."""

    job_id: str
    attempt: int
    #: The action's file.
    path: Path
    params: Mapping[str, Json]
    #: Where files that belong to the result go.
    files: Path
    #: When its time is up, on the monotonic clock, which all processes share.
    deadline: float | None
    #: Bytes of JSON that the result may have.
    result_limit: int
    #: The environment variables that it gets; HOME and TMPDIR are set beside them.
    environment: Mapping[str, str]


class SocketChannel:
    """The action's end of the channel: JSON messages both ways."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self._lock = threading.Lock()
        self._stop: str | None = None
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Json]]] = {}
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def log(self, level: str, message: str) -> None:
        """Add an entry to the job's log."""
        self.send({"kind": "log", "level": level, "message": message})

    def progress(self, fraction: float | None, message: str) -> None:
        """Tell how far the attempt has come."""
        self.send({"kind": "progress", "fraction": fraction, "message": message})

    def stop_wished(self) -> str | None:
        """Return why the attempt is to stop; None while it may go on."""
        return self._stop

    def submit(self, action: str, params: Mapping[str, Json], options: Mapping[str, Json]) -> str:
        """Submit a job and return its id. Raises BusError when it is refused."""
        number = next(self._numbers)
        answers = self._answers[number] = queue.SimpleQueue()
        asked = {"action": action, "params": dict(params), "options": dict(options)}
        self.send({"kind": "submit", "number": number, **asked})
        answer = answers.get()
        del self._answers[number]
        if "job_id" not in answer:
            refusal = BusError(answer["message"], hint=answer["hint"])
            refusal.code = answer["code"]
            raise refusal
        return str(answer["job_id"])

    def send(self, message: Json) -> None:
        """Send one message; waits while the supervisor is busy."""
        frame = framed(message)
        with self._lock:
            self._socket.sendall(frame)

    def _listen(self) -> None:
        frames = Frames(limit=_LARGEST_MESSAGE)
        while chunk := self._socket.recv(_CHUNK):
            for message in frames.feed(chunk):
                if message["kind"] == "stop":
                    self._stop = message["reason"]
                else:
                    self._answers[message["number"]].put(message)
        # The supervisor is gone, so the warden ends this process now, even if somebody had stopped him.
        os.kill(os.getppid(), signal.SIGCONT)


class LoggingToJob(logging.Handler):
    """Send what libraries and actions log by `logging` to the job's log."""

    def __init__(self, channel: SocketChannel) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter())  # The message alone, and the traceback when there is one.
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        self._channel.log(level if level in ("info", "warning", "error") else "info", self.format(record))


def run_attempt(order: Order, folder: Path, *, channel: int, stdout: int, stderr: int) -> NoReturn:
    """Run the action once, send its outcome over the channel, and exit."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _speak_into(stdout, stderr)
    _settle_in(folder, {**order.environment, JOB_ID: order.job_id})
    line = SocketChannel(channel)
    logging.basicConfig(level=logging.INFO, handlers=[LoggingToJob(line)], force=True)
    outcome = _outcome(order, line)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # What is left takes a moment and must not be torn.
    sys.stdout.flush()
    sys.stderr.flush()
    line.send({"kind": "ended", **outcome.to_json()})
    os._exit(0)  # Threads and exit functions that an action left behind must not keep the slot.


def _outcome(order: Order, line: SocketChannel) -> Outcome:
    job = JobContext(
        job_id=order.job_id,
        attempt=order.attempt,
        params=order.params,
        folder=order.files,
        channel=line,
        clock=SystemClock(),
        deadline=order.deadline,
    )
    try:
        spec = load_file(order.path)
    except BaseException as error:  # noqa: BLE001  An import may raise anything, SystemExit too.
        return load_failure(error)
    return invoke(spec, order.params, job, result_limit=order.result_limit)


def _speak_into(stdout: int, stderr: int) -> None:
    for number, target in ((stdout, 1), (stderr, 2)):
        os.dup2(number, target)
        os.close(number)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _settle_in(folder: Path, environment: Mapping[str, str]) -> None:
    """Give the process a HOME and a TMPDIR of its own, and of the server's variables those meant for it."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    os.environ.clear()
    os.environ.update({**environment, "HOME": str(home), "TMPDIR": str(temporary)})
    tempfile.tempdir = None  # Else Python keeps using the directory that it found before.
    os.chdir(temporary)


def _stop(*_: Any) -> None:
    raise Stopped
