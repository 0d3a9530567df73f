"""What runs in an attempt's own process: the action and its context."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

from core import ambient
from core.actions import ParamsReader, ReadParams
from core.attempt_channel import AttemptChannel, EventsToBus, LoggingToJob
from core.clock import SystemClock
from core.context import JobContext
from core.invocation import Stopped, invoke, load_failure
from core.loading import load_file, stamp_of
from core.order import JOB_ID, Order
from core.outcome import Outcome

_logging = LoggingToJob()


def prepare() -> None:
    """Do once, in a warden, what is the same for every attempt that is forked from it."""
    tempfile.gettempdir()  # It is remembered, and the environment that names it goes.
    os.environ.clear()
    sys.stdout, sys.stderr = _lines_into(1), _lines_into(2)
    logging.basicConfig(level=logging.INFO, handlers=[_logging], force=True)


def run_attempt(folder: Path, *, channel: int, stdout: int, stderr: int) -> NoReturn:
    """Read the order from the channel, run its action once, send the outcome back, and exit."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number, target in ((stdout, 1), (stderr, 2)):
        os.dup2(number, target)
        os.close(number)
    line = _logging.channel = AttemptChannel(channel)
    ambient.provide(EventsToBus(line))
    order = line.order()
    _settle_in(folder, {**order.environment, JOB_ID: order.job_id})
    outcome = _outcome(order, line)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # What is left takes a moment and must not be torn.
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # The action closed it, or put another there.
            stream.flush()
    line.send({"kind": "ended", **outcome.to_json()})
    os._exit(0)  # Threads and exit functions that an action left behind must not keep the slot.


def _outcome(order: Order, line: AttemptChannel) -> Outcome:
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
        # The warden blocks them. What was sent since the fork comes now, when it can be told.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        spec = load_file(order.path, _reader(order))
    except BaseException as error:  # noqa: BLE001  An import may raise anything, SystemExit too.
        return load_failure(error)
    return invoke(spec, order.params, job, result_limit=order.result_limit)


def _reader(order: Order) -> ParamsReader | None:
    """Return who knows the arguments already; None when this process must read the params itself."""
    if order.arguments is None or stamp_of(order.path) != order.stamp:
        return None
    return ReadParams(order.arguments, wants_context=order.wants_context)


def _settle_in(folder: Path, environment: Mapping[str, str]) -> None:
    """Give the process a HOME and a TMPDIR of its own beside the variables that are meant for it."""
    home, temporary = folder / "home", folder / "tmp"
    os.environ.update({**environment, "HOME": str(home), "TMPDIR": str(temporary)})
    tempfile.tempdir = None  # Else Python keeps using the directory that it found before.
    os.chdir(temporary)


def _lines_into(number: int) -> TextIO:
    return os.fdopen(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _stop(*_: Any) -> None:
    raise Stopped
