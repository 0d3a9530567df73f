"""The same on a slowed disk: two milliseconds more for every fsync, as on cloud volumes."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cells import ROOT, a_cell
from benchmarks.contenders import BUS, CELERY, DRAMATIQ, HUEY_REDIS, HUEY_SQLITE, PROCRASTINATE, Contender
from benchmarks.drain import drained
from benchmarks.figures import Figure, effort
from benchmarks.submit import rate
from benchmarks.turns import in_turn

_MAIN = (BUS, HUEY_SQLITE, HUEY_REDIS, CELERY, DRAMATIQ, PROCRASTINATE)
_SOURCE = ROOT / "benchmarks" / "slow_fsync.c"
_MICROSECONDS = "2000"


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once; nothing without a C compiler."""
    if not _compiler():
        return []
    library = _built(folder)
    environment = {"LD_PRELOAD": str(library), "SLOW_FSYNC_US": _MICROSECONDS}
    return in_turn(_MAIN, round, lambda contender: _slowed(contender, folder, environment))


def _slowed(contender: Contender, folder: Path, environment: dict[str, str]) -> Iterator[Figure]:
    with a_cell(contender, folder / f"{contender.key}-submit", environment=environment) as cell:
        yield Figure("submit, 32 clients, slow disk", contender.name, rate(cell, 32), "jobs/s")
    number = effort(100, 1_000)
    jobs = drained(contender, folder / f"{contender.key}-drain", number, environment=environment)
    yield Figure(f"drain of {number:,}, slow disk", contender.name, jobs, "jobs/s")


def _built(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "slow_fsync.so"
    subprocess.run([_compiler(), "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
    return library


@functools.cache
def _compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc") or ""
    if not found:
        print("  No C compiler (Debian package gcc), so no slowed disk.", file=sys.stderr, flush=True)
    return found
