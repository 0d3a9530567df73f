"""What the machine tells of itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actions._machine import Machine
from tests.actions.machine import a_machine, a_process, write

PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def test_it_tells_its_numbers(tmp_path: Path) -> None:
    machine = Machine(a_machine(tmp_path, load=1.5, available=250, io=12.5, files=300))

    assert machine.load() == 1.5
    assert machine.memory() == 0.75
    assert machine.pressure("io") == 12.5
    assert machine.pressure("memory") == 0.0
    assert machine.descriptors() == 0.3


def test_it_tells_its_processes_whatever_their_names(tmp_path: Path) -> None:
    a_process(tmp_path, 7, "odd) name (x", state="Z", parent=3, ticks=TICKS * 2, pages=10)
    write(tmp_path, "8/stat", "8 (gone")
    (tmp_path / "9").mkdir()

    (process,) = Machine(tmp_path).processes()

    assert (process.pid, process.name, process.state, process.parent) == (7, "odd) name (x", "Z", 3)
    assert (process.cpu, process.memory) == (2.0, 10 * PAGE)


@pytest.mark.parametrize("text", [None, "", "odd"])
def test_what_it_does_not_tell_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        for path in ("stat", "meminfo", "pressure/io", "sys/fs/file-nr"):
            write(tmp_path, path, text)
    machine = Machine(tmp_path)

    assert (machine.load(), machine.memory(), machine.pressure("io"), machine.descriptors()) == (None,) * 4
    assert machine.processes() == []


def test_it_tells_how_full_its_disks_are(tmp_path: Path) -> None:
    ((path, (share, left)),) = Machine(disks=[tmp_path]).disks().items()

    assert path == str(tmp_path)
    assert 0 < share <= 1
    assert left >= 0


def test_this_very_machine_tells_all_that_is_asked_of_it() -> None:
    machine = Machine()

    assert machine.load() is not None
    assert 0 < (machine.memory() or 0) < 1
    assert os.getpid() in {process.pid for process in machine.processes()}
