"""How many waiting jobs a second are worked off with four under way at once, each result stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.cells import a_cell
from benchmarks.contenders import ALL, Contender
from benchmarks.figures import Figure, effort
from benchmarks.peers.noop import beginnings
from benchmarks.turns import in_turn

#: After these seconds a drain is judged by what was begun by then.
_ENOUGH = 10.0
_LAST_RESULTS = 10.0  # seconds that these may take


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once."""
    return in_turn(ALL, round, lambda contender: _drains(contender, folder))


def drained(
    contender: Contender, folder: Path, number: int, *, environment: Mapping[str, str] | None = None
) -> float:
    """Return the jobs a second from the first beginning to the last, so without what a worker needs to start.

    Raises RuntimeError when a result is missing.
    """
    with a_cell(contender, folder, environment=environment) as cell:
        cell.fill(number)
        with cell.working():
            all_begun = cell.wait_for_beginnings(number, seconds=_ENOUGH)
            moments = beginnings(cell.beginnings)
            results = cell.ask("finished", number, _LAST_RESULTS if all_begun else 0)["results"]
        if len(moments) < 2 or (all_begun and results != number):
            counts = f"of {number:,} jobs {len(moments):,} began, and {results:,} results are stored"
            raise RuntimeError(f"{counts}: {cell.last_words()}")
    return (len(moments) - 1) / (moments[-1] - moments[0]) * 1e9


def _drains(contender: Contender, folder: Path) -> Iterator[Figure]:
    for number in (effort(200, 2_000), effort(1_000, 20_000)):
        jobs = drained(contender, folder / f"{contender.key}-{number}", number)
        yield Figure(f"drain of {number:,}", contender.name, jobs, "jobs/s")
