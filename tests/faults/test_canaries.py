"""Data that runs a command when it is interpreted, given to the bus in every way: it stays data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.running import ROOT
from tests.conftest import Effort, Evidence
from tests.faults.canary_bus import MUTANTS

#: What the watch over a bus counts, all of which must be nought.
FORBIDDEN = ("taken", "failed", "executed", "outside", "canaries")


def fed(folder: Path, number: int, mutant: str = "") -> dict[str, int]:
    """Feed a bus with baits and so many odd names, in a process that is watched; return the figures."""
    command = [sys.executable, "-m", "tests.faults.canary_bus", str(folder), str(number), mutant]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    said = json.loads(ran.stdout)
    print(said)
    return dict(said["figures"])


@pytest.mark.timeout(300)
def test_no_name_and_no_text_is_ever_interpreted(tmp_path: Path, effort: Effort, evidence: Evidence) -> None:
    number = effort(500, 5000)

    figures = fed(tmp_path, number)

    evidence(
        "P18",
        "odd action names, and pickle, YAML and Python as requests and as files of the queue",
        trials=number + figures["baits"],
        **{name: figures[name] for name in FORBIDDEN},
    )
    assert figures["named"] == number
    assert not any(figures[name] for name in FORBIDDEN)


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name])
def test_a_bus_that_interprets_what_it_reads_is_caught(
    tmp_path: Path, mutant: str, evidence: Evidence
) -> None:
    figures = fed(tmp_path, 100, mutant)

    caught = any(figures[name] for name in FORBIDDEN)
    evidence("P18", "a bus that imports, unpickles or opens", trials=100, mutants=1, caught=int(caught))
    assert caught
