"""A killable process tree per attempt: start it, listen to it, end it, all in the caller's thread."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from core import ambient
from core.attempt import Attempt, Why
from core.context import LEVELS
from core.errors import BusError
from core.event_message import decoded
from core.frames import Frames, framed
from core.job_log import Lines
from core.jobs import Json
from core.leftovers import sweep
from core.outcome import Outcome, failure
from core.switchboard import Switchboard
from core.warden import KILL, TERMINATE
from core.wardens import Warden, wardens

if TYPE_CHECKING:
    from core.clock import Clock
    from core.order import Order

_COURTESY = 1.0  # seconds that a cooperative action gets before any signal
_DELIVERY = 30.0  # seconds for the order to be taken
_MARGIN = 2**20  # bytes that a message may be longer than the result in it


class ProcessAttempt:
    """One attempt in a process of its own."""

    def __init__(self, attempt: Attempt, order: Order, clock: Clock, *, grace: float) -> None:
        self._attempt = attempt
        self._order = order
        self._clock = clock
        self._grace = grace
        self._outcome: Outcome | None = None
        self._exit: int | None = None
        self._steps: list[tuple[float, Callable[[], None]]] = []
        self._messages = Frames(limit=order.result_limit + _MARGIN)
        self._output = [Lines(attempt.job_log, source=source) for source in ("stdout", "stderr")]

    def run(self) -> Outcome:
        """Run the attempt and return how it ended, once every process of it is gone."""
        self._board = Switchboard()
        self._attempt.notice = self._board.ring
        try:
            with wardens.engaged() as self._warden:
                self._begin(self._warden)
                self._serve()
        except (OSError, EOFError) as error:
            return failure("not_started", f"The process of the attempt could not be started: {error}")
        finally:
            self._board.close()
            if self._exit is None:
                sweep(self._order.job_id)
        return self._attempt.judged(self._outcome or self._silent())

    def _begin(self, warden: Warden) -> None:
        self._channel, channel = socket.socketpair()
        self._board.attach(self._channel, self._on_message)
        readers, writers = zip(_pipe(), _pipe(), strict=True)
        for reader, lines in zip(readers, self._output, strict=True):
            self._board.attach(reader, lines.feed)
        theirs = (channel, *writers)
        try:
            lifeline = [] if self._attempt.lifeline is None else [self._attempt.lifeline]
            warden.begin(self._order.job_id, [*(end.fileno() for end in theirs), *lifeline])
        finally:
            for end in theirs:
                end.close()
        self._board.attach(warden.control, self._on_report)
        self._channel.settimeout(_DELIVERY)
        self._channel.sendall(framed({"kind": "order", **self._order.to_json()}))
        self._channel.settimeout(0)

    def _serve(self) -> None:
        while self._exit is None and self._board.hears(self._warden.control):
            self._board.look(self._climb())
            self._attempt.job_log.flush()
        while self._board.look(0):
            pass
        for lines in self._output:
            lines.close()

    def _climb(self) -> float | None:
        """Take the steps towards a forced end that are due; return the seconds until the next one is."""
        if self._attempt.overdue():
            self._attempt.ask_to_stop(Why.TIMEOUT, grace=self._grace)
        now = self._clock.monotonic()
        if (stop := self._attempt.stop) is None:
            deadline = self._attempt.deadline
            return None if deadline is None or self._attempt.over.is_set() else max(0.0, deadline - now)
        if not self._steps:
            # When the bus stops there is no time for courtesy.
            courtesy = 0.0 if stop.why is Why.DRAIN else min(_COURTESY, stop.grace)
            end = now + courtesy
            self._steps = [(now, self._ask), (end, self._terminate), (end + stop.grace, self._kill)]
        return self._take_steps(now)

    def _take_steps(self, now: float) -> float | None:
        for index, (due, step) in enumerate(self._steps):
            if due > now:
                return due - now
            step()
            self._steps[index] = (due, _nothing)
        return None

    def _ask(self) -> None:
        self._say({"kind": "stop", "reason": self._attempt.reason()})

    def _terminate(self) -> None:
        self._warden.tell(TERMINATE)

    def _kill(self) -> None:
        self._warden.tell(KILL)

    def _say(self, message: Json) -> None:
        with suppress(OSError):  # It has just ended, or listens to nothing.
            self._channel.sendall(framed(message))

    def _on_report(self, chunk: bytes) -> None:
        self._exit = int(chunk)
        self._board.release(self._warden.control)

    def _on_message(self, chunk: bytes) -> None:
        try:
            for message in self._messages.feed(chunk):
                self._obey(message)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._outcome = failure("action_error", "What the attempt's process sent could not be read.")
            self._board.detach(self._channel)

    def _obey(self, message: Json) -> None:
        match message["kind"]:
            case "log" if message["level"] in LEVELS:
                self._attempt.log(message["level"], message["message"])
            case "progress":
                self._attempt.progress(message["fraction"], message["message"])
            case "event":
                if event := decoded(message["line"].encode()):
                    with suppress(BusError):  # Nothing carries events here.
                        ambient.transport().send(event)
            case "submit":
                self._say({"kind": "answer", "number": message["number"], **self._submitted(message)})
            case "ended":
                del message["kind"]
                self._outcome = Outcome.from_json(message)
                if self._attempt.stop is None:
                    self._attempt.over.set()

    def _submitted(self, message: Json) -> dict[str, Json]:
        try:
            return {"job_id": self._attempt.submit(message["action"], message["params"], message["options"])}
        except BusError as error:
            return {"code": error.code, "message": error.message, "hint": error.hint}
        except (TypeError, ValueError) as error:
            return {
                "code": "invalid_request",
                "message": str(error),
                "hint": "See POST /inbound for the options.",
            }

    def _silent(self) -> Outcome:
        """Return the outcome of an attempt whose process ended without saying how."""
        if self._exit is None:
            return failure("killed", "The process that watches over the attempt died.")
        if self._exit >= 0:
            return failure(
                "exited", f"The action ended its process with exit code {self._exit} and no result."
            )
        number = -self._exit
        name = next((known.name for known in signal.Signals if known == number), "signal")
        hint = ", not by the bus: the usual cause is that memory ran out" if number == signal.SIGKILL else ""
        return failure("killed", f"The action was killed by {name} ({number}){hint}.")


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)


def _nothing() -> None:
    pass
