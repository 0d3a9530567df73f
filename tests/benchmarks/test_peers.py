"""Each measured queue does what is asked of it. Those from PyPI are there after `make bench` only."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cells import PEERS_BIN, a_cell
from benchmarks.contenders import ALL, BUS_PROCESSES, RQ_PROCESSES, Contender
from benchmarks.proc import memory, processor_seconds
from benchmarks.servers import reason_against

JOBS = 20
PATIENCE = 30  # seconds

EACH = pytest.mark.parametrize(
    "contender",
    [pytest.param(one, id=one.name) for one in ALL]
    + [pytest.param(one, id=f"{one.name}, processes") for one in (BUS_PROCESSES, RQ_PROCESSES)],
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder into which another account may look, as Postgres must."""
    top = Path(tempfile.mkdtemp(prefix="aafai-bench-"))
    top.chmod(0o755)
    yield top / "cell"
    shutil.rmtree(top)


def skip_unless_measurable(contender: Contender) -> None:
    if contender.distribution and not (PEERS_BIN / "python").exists():
        pytest.skip("the peers are not installed: `make bench` does it")
    if reason := reason_against(contender.server):
        pytest.skip(reason)


@EACH
def test_a_queue_works_its_jobs_off(contender: Contender, folder: Path) -> None:
    skip_unless_measurable(contender)

    with a_cell(contender, folder) as cell:
        cell.fill(JOBS)
        with cell.working() as worker:
            all_begun = cell.wait_for_beginnings(JOBS, seconds=PATIENCE)
            stack = cell.pids(worker)
            used = memory(stack, "Rss"), processor_seconds(stack)
            finished = cell.ask("finished", JOBS, PATIENCE)["results"]

        assert (all_begun, finished) == (True, JOBS), cell.last_words()
    assert min(used) > 0


@EACH
def test_a_queue_keeps_what_it_acknowledges(contender: Contender, folder: Path) -> None:
    skip_unless_measurable(contender)

    with a_cell(contender, folder) as cell:
        cell.ask("put", JOBS)
    with a_cell(contender, folder) as cell:
        waiting = cell.ask("waiting")["numbers"]

    assert waiting == list(range(JOBS))
