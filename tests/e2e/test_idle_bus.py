"""What a real bus takes of its machine while nobody wants anything of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.proc import family, memory, processor_seconds
from examples.running import RunningBus, a_bus
from tests.conftest import Effort

#: MiB of all its processes, pages that they share counted once.
MOST_MEMORY = 90
#: Percent of one core. It is 0.1 where this was written; a machine that is ten times slower is to pass.
MOST_OF_A_CORE = 3.0


@pytest.mark.alone
def test_a_bus_that_nobody_needs_takes_next_to_nothing_of_its_machine(tmp_path: Path, effort: Effort) -> None:
    with a_bus(tmp_path) as bus:
        while used_in(bus, 1.0) > 0.1:
            pass  # A start goes on for a while after jobs are accepted.
        seconds = effort(5, 60)

        used = used_in(bus, seconds)
        taken = memory(family(bus.process.pid), "Pss")

    assert 0 < 100 * used / seconds <= MOST_OF_A_CORE
    assert 0 < taken <= MOST_MEMORY


def used_in(bus: RunningBus, seconds: float) -> float:
    """Return for how many of the next seconds the processes of the bus have the processor."""
    before = processor_seconds(family(bus.process.pid))
    time.sleep(seconds)
    return processor_seconds(family(bus.process.pid)) - before
