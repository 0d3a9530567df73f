"""Evidence: one JSON line for each proof of a promise, appended to the file that AAFAI_EVIDENCE names.

A line holds the promise ("P4"), what was done, the number of trials, the test, and counted figures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "AAFAI_EVIDENCE"
TORTURE = "AAFAI_TORTURE"
#: What must be nought wherever it is counted.
FORBIDDEN = (
    # In the words of Jepsen's total queue.
    "lost",
    "duplicated",
    "stuck",
    "torn",
    "swallowed",
    "unexpected",
    # Of ends, attempts, keys and batches.
    "finished_lost",
    "finished_run_again",
    "started_again",
    "run_again",
    "rescued",
    "robbed",
    "key_forgotten",
    "half_batches",
    "claims_forgotten",
    # Of processes, clocks and power.
    "crashes",
    "leaked",
    "taken",
    "failed",
    "early",
    "stopped_early",
    "unclean",
    "left",
    "reset",
    "punished",
    "stranded",
    "unalarmed",
    "ended_twice",
    # Of data that became code.
    "executed",
    "outside",
    "canaries",
)

Figure = int | str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one test counted for one promise."""

    #: Such as "P4".
    promise: str
    #: A short phrase: "workers killed with SIGKILL under load".
    what: str
    #: How often it was tried.
    trials: int
    #: The node id of the test.
    test: str
    #: Counts such as lost=0 and caught=3, or remarks.
    figures: dict[str, Figure] = field(default_factory=dict)

    def violations(self) -> dict[str, Figure]:
        """Return the figures that should be nought and are not, and mutants that got away."""
        bad = {name: self.figures[name] for name in FORBIDDEN if self.figures.get(name, 0) not in (0, "0")}
        if self.figures.get("mutants", 0) != self.figures.get("caught", 0):
            bad |= {name: self.figures.get(name, 0) for name in ("mutants", "caught")}
        return bad


def record(proof: Proof) -> None:
    """Append a proof to the file of this run, if it keeps one: in one write, since processes share it."""
    name = os.environ.get(FILE)
    if not name:
        return
    line = json.dumps(vars(proof)) + "\n"
    descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> Iterable[Proof]:
    """Yield the proofs of a run."""
    for line in path.read_text().splitlines():
        fields: dict[str, Any] = json.loads(line)
        yield Proof(**fields)


def at_whole_effort() -> bool:
    """Tell whether this run takes the time that `make torture` takes."""
    return os.environ.get(TORTURE) == "1"
