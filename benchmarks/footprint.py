"""Cold start beside a bare gunicorn + Flask hello world; memory and processor time of 60 idle seconds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from examples.running import a_bus, free_port, wait_until_accepting

ROUNDS = 5
IDLE_SECONDS = 60

HELLO = """
from flask import Flask
app = Flask("hello")
app.add_url_rule("/", "hello", lambda: "hello")
"""


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="aafai-bench-", dir=Path.cwd()) as folder:
        bare, ours = [], []
        for number in range(ROUNDS):
            bare.append(bare_start(Path(folder)))
            with a_bus(Path(folder) / str(number), AAFAI_LOG_LEVEL="ERROR") as bus:
                ours.append(bus.cold_start)
                bus.stop()
        show("bare gunicorn + Flask, exec to first 200", bare)
        show("aafai-bus, exec to accepting", ours)
        print(f"ratio of the medians: {statistics.median(ours) / statistics.median(bare):.2f}")
        idle(Path(folder) / "idle")


def bare_start(folder: Path) -> float:
    """Return the seconds from exec to the first answer of a hello world on the same gunicorn."""
    (folder / "hello.py").write_text(HELLO)
    port = free_port()
    options = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "8", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "--log-level", "error", "hello:app"]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=folder) as process:
        wait_until_accepting(f"http://127.0.0.1:{port}", process, path="/")
        seconds = time.monotonic() - began
        process.terminate()
    return seconds


def idle(folder: Path) -> None:
    """Print the memory and the processor time of all processes of a bus that nobody uses."""
    with a_bus(folder, AAFAI_LOG_LEVEL="ERROR") as bus:
        time.sleep(2)
        before = processor_seconds(bus.process.pid)
        time.sleep(IDLE_SECONDS)
        used = processor_seconds(bus.process.pid) - before
        members = family(bus.process.pid)
        rss, pss = (sum(memory(pid, name) for pid in members) / 1024 for name in ("Rss", "Pss"))
        print(f"idle for {IDLE_SECONDS} s: {len(members)} processes, {rss:.0f} MiB RSS, {pss:.0f} MiB PSS")
        print(f"processor time: {used:.2f} s = {100 * used / IDLE_SECONDS:.2f} % of one core")
        bus.stop()


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def processor_seconds(pid: int) -> float:
    """Return the user and system seconds that the family of a process has used."""
    ticks = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid: int, name: str) -> int:
    """Return the resident (`Rss`) or proportional (`Pss`) KiB of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def show(title: str, seconds: list[float]) -> None:
    """Print a median and its spread."""
    print(f"{title:<42} median {statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})")


if __name__ == "__main__":
    main()
