"""How many waiting jobs a second are worked off when each runs in a process of its own, four at once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contenders import BUS_PROCESSES, RQ_PROCESSES
from benchmarks.drain import drained
from benchmarks.figures import Figure, effort
from benchmarks.turns import in_turn


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take the figure once."""
    number = effort(50, 500)
    return in_turn(
        (BUS_PROCESSES, RQ_PROCESSES),
        round,
        lambda contender: [
            Figure(
                f"drain of {number:,} process jobs",
                contender.name,
                drained(contender, folder / contender.key, number),
                "jobs/s",
            )
        ],
    )
