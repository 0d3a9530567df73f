"""The watchdog, as the pure decision and as the program that the timer runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.watchdog import decide
from tests.faults.crew import waited_for

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "cloud" / "watchdog.py"
MINUTE, HOUR = 60.0, 3600.0


def verdict(now: float, heartbeat: float | None, awake_since: float = 0.0) -> str | None:
    limits = {"stale_after": 10 * MINUTE, "max_uptime": 12 * HOUR}
    return decide(now, heartbeat, awake_since=awake_since, **limits)


@pytest.mark.parametrize(
    ("now", "heartbeat", "awake_since"),
    [
        pytest.param(5 * HOUR, 5 * HOUR - 10 * MINUTE, 0, id="the heartbeat is just fresh enough"),
        pytest.param(5 * HOUR, 5 * HOUR + 0.5, 0, id="the heartbeat is newer than the reading of the clock"),
        pytest.param(10 * MINUTE, None, 0, id="the bus may still be starting"),
        pytest.param(10 * MINUTE, 7 * HOUR, 0, id="only the heartbeat of an earlier boot is there"),
        pytest.param(12 * HOUR, 12 * HOUR, 0, id="the longest uptime is just reached"),
        pytest.param(20 * HOUR, HOUR, 20 * HOUR - 30, id="it has just woken up"),
        pytest.param(20 * HOUR, 20 * HOUR, 19 * HOUR, id="it slept for most of the time"),
    ],
)
def test_a_machine_may_stay_on_when(now: float, heartbeat: float | None, awake_since: float) -> None:
    assert verdict(now, heartbeat, awake_since) is None


@pytest.mark.parametrize(
    ("now", "heartbeat", "awake_since", "reason"),
    [
        pytest.param(5 * HOUR, 5 * HOUR - 601, 0, "601 s have passed since the last heartbeat", id="hung"),
        pytest.param(601, None, 0, "601 s have passed since boot", id="the bus never started"),
        pytest.param(601, 7 * HOUR, 0, "601 s have passed since boot", id="nor did it after an earlier boot"),
        pytest.param(12 * HOUR + 1, 12 * HOUR, 0, "it has been up for 43201 s", id="it runs for too long"),
        pytest.param(9000, 100, 8399, "601 s have passed since it woke up", id="the bus did not wake up"),
        pytest.param(60 * HOUR, 60 * HOUR, 47 * HOUR, "it has been up for 46800 s", id="so since it woke"),
    ],
)
def test_a_machine_is_stopped_when(
    now: float, heartbeat: float | None, awake_since: float, reason: str
) -> None:
    said = verdict(now, heartbeat, awake_since)

    assert said is not None
    assert said.startswith(reason)


class Watched:
    """A machine whose power-off commands only leave marks."""

    def __init__(self, folder: Path) -> None:
        self.heartbeat = folder / "heartbeat"
        self.memory = folder / "memory"
        self.off = folder / "switched-off"
        self.forced = folder / "forced-off"

    def look(self, *, now: float, slept: float = 0.0, command: str | None = None) -> Ended:
        return run(*self.options(command), "--now", now, "--slept", slept)

    def options(self, command: str | None = None) -> list[object]:
        first = f"touch '{self.off}'" if command is None else command
        return [
            *("--heartbeat", self.heartbeat, "--memory", self.memory, "--tries", 2),
            *("--stale-after", "10m", "--max-uptime", "12h"),
            *("--command", first, "--command", f"touch '{self.forced}'"),
        ]


Ended = subprocess.CompletedProcess[str]


def run(*arguments: object) -> Ended:
    program = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(program, cwd="/", capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def machine(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_the_program_leaves_a_living_bus_alone_and_says_nothing(machine: Watched) -> None:
    machine.heartbeat.write_text("5000.25\n")

    ended = machine.look(now=5060)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not machine.off.exists()


#: A bus that beats all the time, and so also between two lines of the program that watches it.
BEATING = """
import os, sys, time
while True:
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(f"{time.clock_gettime(time.CLOCK_BOOTTIME):.3f}")
    os.replace(file.name, sys.argv[1])
"""


def test_the_program_leaves_a_bus_alone_that_beats_while_it_looks(machine: Watched) -> None:
    with subprocess.Popen([sys.executable, "-c", BEATING, str(machine.heartbeat)]) as bus:
        while not machine.heartbeat.exists():
            os.sched_yield()
        looks = [run(*machine.options(), "--max-uptime", "9999d") for _ in range(10)]
        bus.kill()

    assert [ended.stderr for ended in looks] == [""] * 10
    assert not machine.off.exists()


def test_the_program_switches_off_once_the_heartbeat_is_stale_and_says_why(machine: Watched) -> None:
    machine.heartbeat.write_text("5000.25\n")

    ended = machine.look(now=5661)

    assert ended.returncode == 0
    assert "661 s have passed since the last heartbeat, 600 s are allowed" in ended.stderr
    assert machine.off.exists()


@pytest.mark.parametrize("content", [b"", b"soon\n", b"nan", b"-5", b"inf", b"\xff\xfe"])
def test_a_heartbeat_that_is_no_time_counts_from_boot(machine: Watched, content: bytes) -> None:
    machine.heartbeat.write_bytes(content)

    early, late = machine.look(now=599), machine.look(now=601)

    assert early.stderr == ""
    assert "since boot" in late.stderr
    assert machine.off.exists()


def test_a_pipe_in_the_place_of_the_heartbeat_holds_nobody_up(machine: Watched) -> None:
    os.mkfifo(machine.heartbeat)

    machine.look(now=601)

    assert machine.off.exists()


def test_a_heartbeat_that_cannot_be_read_leaves_the_longest_uptime_only(machine: Watched) -> None:
    machine.heartbeat.mkdir()

    long, too_long = machine.look(now=12 * HOUR), machine.look(now=12 * HOUR + 1)

    assert "The heartbeat cannot be read" in long.stderr
    assert "Switching" not in long.stderr
    assert "it has been up for" in too_long.stderr


@pytest.mark.parametrize(("command", "status"), [("/no/such/program", 1), ("sh -c 'exit 7'", 7)])
def test_a_command_that_fails_fails_the_program(machine: Watched, command: str, status: int) -> None:
    ended = machine.look(now=601, command=command)

    assert ended.returncode == status


@pytest.mark.parametrize("command", ["/no/such/program", "sh -c 'exit 7'", "true"])
def test_a_command_that_does_not_help_is_tried_again_then_the_next(machine: Watched, command: str) -> None:
    for now in (601, 661):
        machine.look(now=now, command=command)
        assert not machine.forced.exists()

    machine.look(now=721, command=command)

    assert machine.forced.exists()


def test_a_bus_that_came_back_meanwhile_has_the_first_command_tried_first_again(machine: Watched) -> None:
    machine.look(now=601, command="false")
    machine.look(now=661, command="false")
    machine.heartbeat.write_text("700\n")
    machine.look(now=721)

    machine.look(now=1400)

    assert machine.off.exists()
    assert not machine.forced.exists()


def test_a_command_that_hangs_is_given_up(machine: Watched) -> None:
    ended = run(*machine.options("sleep 60"), "--limit", "1s", "--now", 601)

    assert ended.returncode == 1
    assert "`sleep 60` did not end within 1 s" in ended.stderr


def test_a_log_that_hangs_does_not_keep_the_machine_on(machine: Watched) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, b"x" * 65536)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    program = [sys.executable, "-I", str(PROGRAM), *map(str, machine.options()), "--now", "601"]

    with subprocess.Popen(program, stdout=writer, stderr=writer) as hanging:
        gone_off = waited_for(machine.off.exists)
        hanging.kill()
    os.close(reader)
    os.close(writer)

    assert gone_off


def test_a_log_that_is_full_does_not_keep_the_machine_on(machine: Watched) -> None:
    program = [sys.executable, "-I", str(PROGRAM), *map(str, machine.options()), "--now", "601"]

    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(program, stdout=full, stderr=full, check=False, timeout=30)

    assert ended.returncode == 0
    assert machine.off.exists()


def test_a_machine_that_wakes_up_gives_the_bus_as_much_time_as_after_a_boot(machine: Watched) -> None:
    machine.heartbeat.write_text("5000\n")
    machine.look(now=5030)

    woken = machine.look(now=8 * HOUR, slept=8 * HOUR - 5060)
    later = machine.look(now=8 * HOUR + 600, slept=8 * HOUR - 5060)

    assert (woken.stderr, later.stderr) == ("", "")
    assert not machine.off.exists()
    assert "since it woke up" in machine.look(now=8 * HOUR + 601, slept=8 * HOUR - 5060).stderr


def test_uptime_counts_from_the_last_sleep(machine: Watched) -> None:
    for now, slept in ((HOUR, 0), (30 * HOUR, 28 * HOUR), (41 * HOUR, 28 * HOUR)):
        machine.heartbeat.write_text(f"{now:.3f}\n")
        assert machine.look(now=now, slept=slept).stderr == ""

    machine.heartbeat.write_text(f"{42 * HOUR + 1:.3f}\n")
    ended = machine.look(now=42 * HOUR + 1, slept=28 * HOUR)

    assert "it has been up for 43201 s" in ended.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"1 2", b"nan nan nan", b"0 90000 0", b"500 0 0", b"0 0 inf", b"0 -1 0", b"a b c"],
)
def test_a_memory_without_sense_is_none(machine: Watched, content: bytes) -> None:
    machine.memory.write_bytes(content)

    ended = machine.look(now=601)

    assert "601 s have passed since boot" in ended.stderr
    assert machine.off.exists()


def test_a_memory_that_cannot_be_kept_is_told_and_done_without(machine: Watched) -> None:
    machine.memory.mkdir()

    ended = machine.look(now=601)

    assert "cannot be kept" in ended.stderr
    assert machine.off.exists()


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--stale-after", "ten", "as in 10m"),
        ("--max-uptime", "0s", "as in 10m"),
        ("--command", "", "name a program"),
        ("--command", "poweroff '", "No closing quotation"),
        ("--tries", "0", "as in 5"),
    ],
)
def test_an_option_without_sense_is_refused_with_the_remedy(option: str, value: str, remedy: str) -> None:
    ended = run("--heartbeat", "unused", option, value)

    assert ended.returncode == 2
    assert f"argument {option}" in ended.stderr
    assert remedy in ended.stderr


def test_the_help_teaches_every_option() -> None:
    taught = run("--help").stdout

    for option in (
        "--heartbeat",
        "--memory",
        "--stale-after",
        "--max-uptime",
        "--command",
        "--tries",
        "--limit",
    ):
        assert option in taught
    assert "--now" not in taught
    assert "--slept" not in taught
