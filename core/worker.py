"""Run jobs without a web server: `python -m core.worker [queue]`, beside a server, other workers, or alone.

Without a queue it has the slots of AAFAI_SLOTS, with one those of that queue and no others. It starts what
is due, like every process of the bus, and never switches the machine off. SIGTERM lets running jobs end,
Ctrl-C puts them back.

This is the one file of core that knows the wiring, for all of core that need it.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import wiring
from core.errors import BusError

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from core.event_bus import Transport
    from core.kernel import Kernel
    from core.schedule_file import Check


def main(arguments: Sequence[str]) -> int:
    """Work until told to stop, and return the exit status."""
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        kernel = wiring.a_worker(os.environ, *arguments)
    except BusError as error:
        sys.stderr.write(f"The worker cannot start: {error.message} {error.hint}\n")
        return 1
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def stop(number: int, frame: FrameType | None) -> None:
        kernel.begin_drain(hurry=number != signal.SIGTERM)
        told.put(number)

    kernel.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    told.get()
    kernel.drain()
    return 0


def opened_beside() -> Kernel:
    """Return the bus that the environment's settings name, opened to submit to. Raises ConfigError."""
    return wiring.a_bus_beside(os.environ)


def opened_events() -> Transport:
    """Return what carries the events of a program without a bus. Raises ConfigError."""
    return wiring.open_events(os.environ)


def rules_of_tasks(path: Path) -> tuple[str, Check, float]:
    """Return for whom a tasks.yaml is read, what checks its tasks, and the time. Raises ConfigError."""
    return wiring.rules_of_tasks(os.environ, path)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    # A thread that an attempt left behind would hold up the interpreter's exit for ever.
    os._exit(status)
