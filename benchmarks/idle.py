"""Processor time of stacks that nobody uses: all of them idle side by side, each in its own settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.cells import Cell, a_cell
from benchmarks.contenders import ALL, Contender
from benchmarks.figures import Figure, effort
from benchmarks.proc import processor_seconds
from benchmarks.turns import can_be_measured

_JOBS = 10
_SETTLE = 3.0  # seconds


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take the figure once, of everybody at the same time: idle, they are not in each other's way."""
    with ExitStack() as running:
        stacks = {
            contender: running.enter_context(_an_idle_stack(contender, folder / contender.key))
            for contender in ALL
            if can_be_measured(contender)
        }
        time.sleep(_SETTLE)
        before = {contender: processor_seconds(pids) for contender, pids in stacks.items()}
        seconds = effort(2, 30)
        time.sleep(seconds)
        return [
            Figure("idle processor time in 30 s", contender.name, used * 30 / seconds, "s")
            for contender, pids in stacks.items()
            for used in [processor_seconds(pids) - before[contender]]
        ]


@contextmanager
def _an_idle_stack(contender: Contender, folder: Path) -> Iterator[list[int]]:
    """Run a stack that has worked off a few jobs; yield its processes."""
    with a_cell(contender, folder) as cell:
        cell.fill(_JOBS)
        with cell.working() as worker:
            _expect(cell)
            yield cell.pids(worker)


def _expect(cell: Cell) -> None:
    if not cell.wait_for_beginnings(_JOBS, seconds=20):
        raise RuntimeError(f"{cell.contender.name} did not work off {_JOBS} jobs: {cell.last_words()}")
