"""What every measured queue must be able to do, and where the processes of one cell meet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

#: The cell's folder on the measured disk.
FOLDER = "BENCH_FOLDER"
#: How to reach the cell's server: a Redis URL or a Postgres connection string; empty without one.
SERVER = "BENCH_SERVER"
#: Which storage of a package that has several.
STORE = "BENCH_STORE"
#: Set to 1 while jobs are laid in that nobody measures: durability may be let go of.
LAX = "BENCH_LAX"

_FILLERS = 4


class Peer(Protocol):
    """A queue, opened by one process of a cell."""

    def submit(self, number: int) -> Any:
        """Store the job of that number durably and return what `result` asks for; from any thread."""
        ...

    def fill(self, numbers: Sequence[int]) -> None:
        """Store those jobs in the quickest way there is."""
        ...

    def result(self, ticket: Any) -> int:
        """Wait for the result of a submitted job and return the number in it."""
        ...

    def waiting(self) -> list[int]:
        """Return the numbers of the jobs that are stored and not begun, read afresh."""
        ...

    def finished(self) -> int:
        """Return how many results are stored, read afresh."""
        ...

    def work(self, slots: int) -> None:
        """Start that many workers in threads of this process and return."""
        ...

    def close(self) -> None:
        """Let go of the queue, running jobs included."""
        ...


def folder() -> Path:
    """Return the cell's folder."""
    return Path(os.environ[FOLDER])


def server() -> str:
    """Return how to reach the cell's server."""
    return os.environ[SERVER]


def lax() -> bool:
    """Return whether durability may be let go of for now."""
    return os.environ.get(LAX) == "1"


def from_threads(call: Callable[[int], object], numbers: Sequence[int]) -> None:
    """Call a function for each number, from a few threads at once."""

    def some(first: int) -> None:
        for number in numbers[first::_FILLERS]:
            call(number)

    threads = [threading.Thread(target=some, args=(first,)) for first in range(_FILLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
