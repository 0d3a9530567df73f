"""A real server goes off and on hundreds of times, amid submissions, and loses none of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Effort, Evidence
from tests.faults.power_cycles import cycled, faults_in, in_a_line

pytestmark = [pytest.mark.alone, pytest.mark.timeout(3600)]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder whose path is short, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="aafai-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_every_job_that_is_accepted_around_a_power_off_runs_to_its_end(
    tmp_path: Path, scratch: Path, effort: Effort, evidence: Evidence
) -> None:
    cycles = effort(4, 500)

    books = cycled(tmp_path, scratch, cycles=cycles)

    print(in_a_line(books))
    evidence("P15", "power cycles of a real server, amid submissions", trials=books["cycles"], **books)
    assert not faults_in(books)
    assert books["cycles"] >= cycles
    assert books["ended"] == books["acknowledged"] + books["recovered"] >= 20 * cycles
    assert books["slipped_in"]
    assert books["refused_then_accepted"]


@pytest.mark.parametrize("mutant", ["looks once", "leaves the gate open"])
def test_a_server_that_is_careless_about_its_gate_is_caught(
    tmp_path: Path, scratch: Path, evidence: Evidence, mutant: str
) -> None:
    books = cycled(tmp_path, scratch, cycles=20, mutant=mutant)

    caught = int(books["stranded"] > 0)
    evidence("P15", f"power cycles, {mutant}", trials=books["cycles"], mutants=1, caught=caught)
    assert caught
