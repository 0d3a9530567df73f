"""A whole run as a file of JSON lines: first how it came about, then its readings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.figures import Reading, from_line, to_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a reader must know of a run to believe it."""

    #: Day of the run, as in 2026-11-22.
    date: str
    command: str
    rounds: int
    quick: bool
    #: What it ran on, one fact each.
    machine: Sequence[str]
    #: Versions by name.
    versions: dict[str, str]
    readings: Sequence[Reading] = field(default=())


def write(run: Run, file: Path) -> None:
    """Write a run to a file, in place of the one that is there."""
    facts = {name: value for name, value in asdict(run).items() if name != "readings"}
    lines = [json.dumps(facts, ensure_ascii=False), *map(to_line, run.readings)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(file: Path) -> Run:
    """Return the run that a file holds. Raises FileNotFoundError, or ValueError where it is no such file."""
    facts, *readings = file.read_text(encoding="utf-8").splitlines()
    return Run(**json.loads(facts), readings=[from_line(line) for line in readings])
