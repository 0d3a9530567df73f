"""What the machine tells of its own start is read from the kernel's process table, and from systemd."""

import os
from pathlib import Path

import pytest

from cloud.boot_moments import boot_moments
from core.clock import SystemClock

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process table of a server's worker and the master that started it."""
    boot_id = tmp_path / "sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("2bae20e3-5422-43af-b90f-f2d0af3391a3\n")
    process(tmp_path, "self", started=24.0, runs="/usr/bin/python3")
    process(tmp_path, str(os.getppid()), started=23.5, runs="/usr/bin/python3")
    return tmp_path


def process(proc: Path, name: str, *, started: float, runs: str) -> None:
    folder = proc / name
    folder.mkdir(exist_ok=True)
    fields = ["0"] * 19
    # Whoever names a program may put anything between the parentheses.
    (folder / "stat").write_text(f"7 (a ) b) S {' '.join(fields[1:])} {int(started * TICKS)} 0 0\n")
    (folder / "exe").unlink(missing_ok=True)
    (folder / "exe").symlink_to(runs)


def silence() -> str:
    raise FileNotFoundError("no systemd")


def test_a_server_s_worker_counts_from_the_start_of_its_master(proc: Path) -> None:
    moments = boot_moments(proc, silence)

    assert (moments.service, moments.process) == (23.5, 24.0)
    assert moments.boot_id == "2bae20e3-5422-43af-b90f-f2d0af3391a3"
    assert (moments.firmware, moments.kernel) == (0.0, None)


def test_a_program_that_a_shell_has_started_counts_from_its_own_start(proc: Path) -> None:
    process(proc, str(os.getppid()), started=3.0, runs="/bin/bash")

    assert boot_moments(proc, silence).service == 24.0


def test_systemd_tells_of_firmware_and_of_the_first_program(proc: Path) -> None:
    said = "FirmwareTimestampMonotonic=4250000 UserspaceTimestampMonotonic=6100000"

    moments = boot_moments(proc, lambda: said)

    assert (moments.firmware, moments.kernel) == (4.25, 6.1)


@pytest.mark.parametrize("said", ["", "UserspaceTimestampMonotonic=", "Nonsense", "Userspace=-1 x=y=z"])
def test_a_systemd_that_says_nothing_useful_is_as_good_as_none(proc: Path, said: str) -> None:
    moments = boot_moments(proc, lambda: said)

    assert (moments.firmware, moments.kernel) == (0.0, None)


def test_this_machine_tells_its_own_moments() -> None:
    moments = boot_moments(ask=silence)

    assert 0 < moments.service <= moments.process <= SystemClock().boottime()
    assert len(moments.boot_id) == 36
