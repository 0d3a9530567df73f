"""How many jobs a second are accepted durably: from one client, from thirty-two, and in batches."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cells import Cell, a_cell
from benchmarks.contenders import ALL, BUS, Contender
from benchmarks.figures import Figure, effort
from benchmarks.turns import in_turn

#: The least that makes a file survive: write it, fsync it, rename it, fsync the folder, in a bare loop.
BARE_PROTOCOL = "write, fsync, rename, fsync"

_CROWD = 32
_BATCH = 1_000
_RECORD = b"{}" * 300


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once."""
    return [
        *in_turn(ALL, round, lambda contender: _submits(contender, folder)),
        Figure("submit, 1 client", BARE_PROTOCOL, _bare_protocol(folder / "bare"), "jobs/s"),
    ]


def rate(cell: Cell, clients: int) -> float:
    """Return how many jobs a second a cell accepts from so many clients."""
    answer = cell.ask("submit", clients, effort(1, 2))
    return float(answer["jobs"] / answer["seconds"])


def _submits(contender: Contender, folder: Path) -> Iterator[Figure]:
    with a_cell(contender, folder / contender.key) as cell:
        yield Figure("submit, 1 client", contender.name, rate(cell, 1), "jobs/s")
        yield Figure(f"submit, {_CROWD} clients", contender.name, rate(cell, _CROWD), "jobs/s")
        if contender == BUS:
            answer = cell.ask("batches", _BATCH, effort(1, 2))
            many = answer["jobs"] / answer["seconds"]
            yield Figure(f"submit in batches of {_BATCH:,}", contender.name, many, "jobs/s")


def _bare_protocol(folder: Path) -> float:
    """Return how many records a second a bare loop makes durable, one file each."""
    folder.mkdir(parents=True)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    number, began, seconds = 0, time.monotonic(), effort(1, 2)
    while time.monotonic() < began + seconds:
        _store(folder / f"{number}.tmp", folder / f"{number}.json", directory)
        number += 1
    took = time.monotonic() - began
    os.close(directory)
    return number / took


def _store(temporary: Path, final: Path, directory: int) -> None:
    file = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640)
    os.write(file, _RECORD)
    os.fsync(file)
    os.close(file)
    temporary.rename(final)
    os.fsync(directory)
