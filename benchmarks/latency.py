"""How long one job takes on an idle stack, and how much memory the stack then holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cells import Cell, a_cell
from benchmarks.contenders import ALL, SLOTS, Contender
from benchmarks.figures import Figure, effort, quantile
from benchmarks.proc import memory
from benchmarks.turns import in_turn

_KINDS = {"Rss": "memory, resident", "Pss": "memory, shared pages divided"}


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once."""
    return in_turn(ALL, round, lambda contender: _takes(contender, folder / contender.key))


def _takes(contender: Contender, folder: Path) -> Iterator[Figure]:
    with a_cell(contender, folder) as cell, _after_some_jobs(cell) as (milliseconds, pids):
        for word, share in (("p50", 0.5), ("p99", 0.99)):
            yield Figure(f"submit to result, {word}", contender.name, quantile(milliseconds, share), "ms")
        for kind, figure in _KINDS.items():
            yield Figure(figure, contender.name, memory(pids, kind), "MiB")


@contextmanager
def _after_some_jobs(cell: Cell) -> Iterator[tuple[list[float], list[int]]]:
    """Run jobs one after the other; yield what they took, and the stack that has run them."""
    jobs = effort(50, 500)
    if not cell.contender.worker:
        with cell.asking("latency", jobs, SLOTS, eager=True) as (answer, process):
            yield answer["milliseconds"], cell.pids(process)
        return
    cell.ask(
        "finished", 0, 0
    )  # Some queues are made by their first client, and a worker does not wait for it.
    with cell.working(eager=True) as worker:
        yield cell.ask("latency", jobs, 0)["milliseconds"], cell.pids(worker)
