"""The gate of a whole bus: what is dropped by hand goes through it, and a start in a stop finds it closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import Config
from core.clock import SystemClock
from core.jobs import State
from core.kernel import Kernel
from core.last_stop import StopRecord
from core.machine import PowerState, this_boot
from wiring import assemble


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    settings = {
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
        "AAFAI_MIN_FREE": "1 MiB",
    }
    kernel = assemble(Config.load(settings))
    yield kernel
    kernel.drain()


def test_a_dropped_file_is_left_alone_while_the_machine_goes_off(kernel: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "queues" / "inbound" / "by-hand.json"
    file.write_text('{"action": "fakejob"}')

    kernel.bus.gate.close(patience=0.0)
    kernel.bus.engine.upkeep(kernel.clock.now() + 60)
    left = file.exists(), sum(kernel.bus.count().values())
    kernel.bus.gate.open()
    kernel.bus.engine.upkeep(kernel.clock.now() + 60)

    assert left == (True, 0)
    assert kernel.bus.count()[State.QUEUED] == 1


def test_a_start_while_the_machine_goes_off_closes_the_gate_before_anything_is_taken_in(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = StopRecord(kernel.power.record, this_boot(), SystemClock(), warn=print)
    record.note_stop("Stopping.", None, switch="gcp")
    closed: list[bool] = []

    def noted(start: Callable[[], object]) -> Callable[[], object]:
        return lambda: (closed.append(kernel.bus.gate.closed), start())

    for taker in (kernel.janitor, kernel.due_runs):
        assert taker is not None
        monkeypatch.setattr(taker, "start", noted(taker.start))

    kernel.start()

    assert closed == [True, True]
    assert kernel.power.status().state is PowerState.STOPPING
