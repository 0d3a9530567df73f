"""Cold start: from exec to the first answer that says accepting, beside a bare gunicorn and Flask."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import OURS, Figure, effort, rotated
from benchmarks.http_reference import a_reference
from examples.running import ROOT, a_bus

HELLO = "Flask, bare route"

_THREADS = 8
#: What `make setup` compiles.
_ROOMS = ("actions", "api", "cloud", "config", "core", "queues", "services")


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take the figure once: the median of a few starts, taken by turns."""
    _compile()
    starts = {OURS: _our_start, HELLO: _bare_start}
    took: dict[str, list[float]] = {who: [] for who in starts}
    for number in range(effort(2, 7)):
        for who in rotated(list(starts), round + number):
            took[who].append(starts[who](folder / f"{number}-{who.split()[0]}"))
    return [Figure("exec to accepting", who, statistics.median(took[who]), "s") for who in starts]


def _compile() -> None:
    """Compile what was changed since `make setup` compiled it: the packages of both are compiled as well."""
    modules = [*_ROOMS, *(path.name for path in ROOT.glob("*.py"))]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *modules], cwd=ROOT, check=True)


def _our_start(folder: Path) -> float:
    with a_bus(folder, AAFAI_LOG_LEVEL="ERROR", AAFAI_THREADS=str(_THREADS)) as bus:
        bus.stop()
        return bus.cold_start


def _bare_start(folder: Path) -> float:
    with a_reference(folder, threads=_THREADS) as reference:
        return reference.cold_start
