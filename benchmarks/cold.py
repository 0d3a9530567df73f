"""How long a stack that was off takes to begin a job that waits: its worker alone, and with its server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cells import a_cell
from benchmarks.contenders import ALL, Contender
from benchmarks.figures import Figure
from benchmarks.peers.noop import beginnings
from benchmarks.turns import in_turn


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once."""
    return in_turn(ALL, round, lambda contender: _starts(contender, folder / contender.key))


def _starts(contender: Contender, folder: Path) -> Iterator[Figure]:
    with a_cell(contender, folder) as cell:
        cell.fill(1)
    switched_on = time.monotonic_ns()
    with a_cell(contender, folder) as cell:
        served = time.monotonic_ns()
        with cell.working():
            if not cell.wait_for_beginnings(1, seconds=20):
                raise RuntimeError(f"the job that waited was not begun: {cell.last_words()}")
        begun = beginnings(cell.beginnings)[0]
    yield Figure("exec of the worker to first job", contender.name, (begun - served) / 1e9, "s")
    yield Figure("exec of everything to first job", contender.name, (begun - switched_on) / 1e9, "s")
