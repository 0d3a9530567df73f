"""The action's end of the channel between an attempt and its supervisor: JSON messages both ways."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from core.errors import BusError, Unsupported
from core.event_message import EventMessage, encoded
from core.frames import Frames, framed
from core.jobs import Json
from core.order import Order

_CHUNK = 65_536
_ANY_SIZE = 2**32


class AttemptChannel:
    """Say things to the supervisor, and hear from him when somebody wants to know. Any thread may."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self._frames = Frames(limit=_ANY_SIZE)
        self._order: Order | None = None
        self._stop: str | None = None
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Json]] = {}
        self._speaking = threading.Lock()
        self._listening = threading.Lock()

    def order(self) -> Order:
        """Return what is to be done."""
        while self._order is None:
            self._listen()
        return self._order

    def log(self, level: str, message: str) -> None:
        """Add an entry to the job's log."""
        self.send({"kind": "log", "level": level, "message": message})

    def progress(self, fraction: float | None, message: str) -> None:
        """Tell how far the attempt has come."""
        self.send({"kind": "progress", "fraction": fraction, "message": message})

    def stop_wished(self) -> str | None:
        """Return why the attempt is to stop; None while it may go on."""
        # Who finds somebody listening already leaves it to him.
        if self._listening.acquire(blocking=False):
            try:
                with suppress(BlockingIOError):
                    self._listen(socket.MSG_DONTWAIT)
            finally:
                self._listening.release()
        return self._stop

    def submit(self, action: str, params: Mapping[str, Json], options: Mapping[str, Json]) -> str:
        """Submit a job and return its id. Raises BusError when it is refused."""
        number = next(self._numbers)
        asked = {"action": action, "params": dict(params), "options": dict(options)}
        self.send({"kind": "submit", "number": number, **asked})
        while number not in self._answers:
            with self._listening:
                if number not in self._answers:
                    self._listen()
        answer = self._answers.pop(number)
        if "job_id" not in answer:
            refusal = BusError(answer["message"], hint=answer["hint"])
            refusal.code = answer["code"]
            raise refusal
        return str(answer["job_id"])

    def send(self, message: Json) -> None:
        """Send one message; waits while the supervisor is busy."""
        frame = framed(message)
        with self._speaking:
            self._socket.sendall(frame)

    def _listen(self, flags: int = 0) -> None:
        """Take in what has come, or comes next. Raises BlockingIOError when it must not wait for that."""
        chunk = self._socket.recv(_CHUNK, flags)
        if not chunk:
            raise EOFError("The bus is gone.")  # And the warden ends this process now.
        for message in self._frames.feed(chunk):
            match message.pop("kind"):
                case "order":
                    self._order = Order.from_json(message)
                case "stop":
                    self._stop = message["reason"]
                case "answer":
                    self._answers[message["number"]] = message


class EventsToBus:
    """Carry what an action tells by `EventBus()` to the supervisor, who carries it on."""

    def __init__(self, channel: AttemptChannel) -> None:
        self._channel = channel

    def send(self, message: EventMessage) -> None:
        """Send one message. Raises InvalidRequest for a payload that cannot be carried."""
        self._channel.send({"kind": "event", "line": encoded(message).decode()})

    def attach(self, receive: Callable[[EventMessage], object], *, since: str | None = None) -> None:
        """Raise Unsupported: nothing comes this way."""
        raise Unsupported(
            "An action in a process of its own tells of events and hears of none.",
            hint='Write @action(isolation="thread"), or listen in a program beside the bus.',
        )

    def detach(self, receive: Callable[[EventMessage], object]) -> None:
        """Do nothing: nobody is attached."""

    def close(self) -> None:
        """Do nothing: what was sent is on its way."""


class LoggingToJob(logging.Handler):
    """Send what libraries and actions log by `logging` to the job's log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter())  # The message alone, and the traceback when there is one.
        #: Where it goes.
        self.channel: AttemptChannel | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        if self.channel is None:  # A warden speaks of itself, and has nobody to tell.
            return
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        known = level if level in ("info", "warning", "error") else "info"
        self.channel.log(known, self.format(record))
