"""The watchdog, as the pure decision and as the program that the timer runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloud.watchdog import decide

ROOT = Path(__file__).parents[2]
MINUTE, HOUR = 60.0, 3600.0


def verdict(now: float, heartbeat: float | None) -> str | None:
    return decide(now, heartbeat, stale_after=10 * MINUTE, max_uptime=12 * HOUR)


@pytest.mark.parametrize(
    ("now", "heartbeat"),
    [
        pytest.param(5 * HOUR, 5 * HOUR - 10 * MINUTE, id="the heartbeat is just fresh enough"),
        pytest.param(10 * MINUTE, None, id="the bus may still be starting"),
        pytest.param(10 * MINUTE, 7 * HOUR, id="only the heartbeat of an earlier boot is there"),
        pytest.param(12 * HOUR, 12 * HOUR, id="the longest uptime is just reached"),
    ],
)
def test_a_machine_may_stay_on_when(now: float, heartbeat: float | None) -> None:
    assert verdict(now, heartbeat) is None


@pytest.mark.parametrize(
    ("now", "heartbeat", "reason"),
    [
        pytest.param(5 * HOUR, 5 * HOUR - 601, "601 s have passed since the last heartbeat", id="it hangs"),
        pytest.param(601, None, "601 s have passed since boot", id="the bus never started"),
        pytest.param(601, 7 * HOUR, "601 s have passed since boot", id="nor did it after an earlier boot"),
        pytest.param(12 * HOUR + 1, 12 * HOUR, "it has been up for 43201 s", id="it runs for too long"),
    ],
)
def test_a_machine_is_stopped_when(now: float, heartbeat: float | None, reason: str) -> None:
    said = verdict(now, heartbeat)

    assert said is not None
    assert said.startswith(reason)


class Watched:
    """A machine whose power-off command only leaves a mark."""

    def __init__(self, folder: Path) -> None:
        self.heartbeat = folder / "heartbeat"
        self.off = folder / "switched-off"

    def look(self, *, now: float, command: str | None = None) -> subprocess.CompletedProcess[str]:
        options = ["--heartbeat", self.heartbeat, "--stale-after", "10m", "--max-uptime", "12h"]
        command = f"touch '{self.off}'" if command is None else command
        return run(*options, "--command", command, "--now", now)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "cloud.watchdog", *map(str, arguments)]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def machine(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_the_program_leaves_a_living_bus_alone_and_says_nothing(machine: Watched) -> None:
    machine.heartbeat.write_text("5000.25\n")

    ended = machine.look(now=5060)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not machine.off.exists()


def test_the_program_switches_off_once_the_heartbeat_is_stale_and_says_why(machine: Watched) -> None:
    machine.heartbeat.write_text("5000.25\n")

    ended = machine.look(now=5661)

    assert ended.returncode == 0
    assert "661 s have passed since the last heartbeat, 600 s are allowed" in ended.stdout
    assert machine.off.exists()


@pytest.mark.parametrize("content", [b"", b"soon\n", b"nan", b"-5", b"inf", b"\xff\xfe"])
def test_a_heartbeat_that_is_no_time_counts_from_boot(machine: Watched, content: bytes) -> None:
    machine.heartbeat.write_bytes(content)

    early, late = machine.look(now=599), machine.look(now=601)

    assert (early.stdout, early.stderr) == ("", "")
    assert "since boot" in late.stdout
    assert machine.off.exists()


def test_a_heartbeat_that_cannot_be_read_leaves_the_longest_uptime_only(machine: Watched) -> None:
    machine.heartbeat.mkdir()

    long, too_long = machine.look(now=12 * HOUR), machine.look(now=12 * HOUR + 1)

    assert (long.stdout, too_long.stdout != "") == ("", True)
    assert "The heartbeat cannot be read" in long.stderr


@pytest.mark.parametrize(("command", "status"), [("/no/such/program", 1), ("sh -c 'exit 7'", 7)])
def test_a_command_that_fails_fails_the_program(machine: Watched, command: str, status: int) -> None:
    ended = machine.look(now=601, command=command)

    assert ended.returncode == status


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--stale-after", "ten", "as in 10m"),
        ("--max-uptime", "0s", "as in 10m"),
        ("--command", "", "name a program"),
        ("--command", "poweroff '", "No closing quotation"),
    ],
)
def test_an_option_without_sense_is_refused_with_the_remedy(option: str, value: str, remedy: str) -> None:
    ended = run("--heartbeat", "unused", option, value)

    assert ended.returncode == 2
    assert f"argument {option}" in ended.stderr
    assert remedy in ended.stderr


def test_the_help_teaches_every_option() -> None:
    taught = run("--help").stdout

    for option in ("--heartbeat", "--stale-after", "--max-uptime", "--command"):
        assert option in taught
    assert "--now" not in taught
