"""What the figures were taken on: processor, kernel, file system, Python, and what else was going on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine, as far as it decides how fast things are."""

    processor: str
    cores: int
    #: GiB.
    memory: float
    kernel: str
    file_system: str
    python: str
    #: Processes that wanted a processor, over the last 1, 5 and 15 minutes.
    load: tuple[float, float, float]


def machine_of(folder: Path, *, proc: Path = Path("/proc")) -> Machine:
    """Return this machine, with the file system that a folder lies on."""
    one, five, fifteen = (float(word) for word in (proc / "loadavg").read_text().split()[:3])
    return Machine(
        processor=_field(proc / "cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory=round(int(_field(proc / "meminfo", "MemTotal").split()[0]) / 2**20, 1),
        kernel=" ".join((proc / "sys/kernel" / name).read_text().strip() for name in ("ostype", "osrelease")),
        file_system=_file_system(folder.resolve(), proc),
        python=platform.python_version(),
        load=(one, five, fifteen),
    )


def sentences(machine: Machine) -> list[str]:
    """Return the machine in words, one fact a line."""
    return [
        f"Processor: {machine.processor}, {machine.cores} core{'s' if machine.cores != 1 else ''}",
        f"Memory: {machine.memory:g} GiB",
        f"Kernel: {machine.kernel}",
        f"File system: {machine.file_system}",
        f"Python: {machine.python}",
        "Load before the run: " + ", ".join(f"{load:.2f}" for load in machine.load),
    ]


def _file_system(folder: Path, proc: Path) -> str:
    """Return the kind of file system, whether it has a journal, and its options."""
    mounts = [line.split() for line in (proc / "self/mounts").read_text().splitlines()]
    over = [mount for mount in mounts if folder.is_relative_to(_unescaped(mount[1]))]
    # The last of two mounts on one place hides the first.
    device, _, kind, options = max(reversed(over), key=lambda mount: len(mount[1]))[:4]
    return f"{kind}{_journal(device, kind, proc)}{_disk(device)} ({options})"


def _journal(device: str, kind: str, proc: Path) -> str:
    if kind != "ext4":
        return ""
    journals = {entry.name.rpartition("-")[0] for entry in (proc / "fs/jbd2").glob("*-*")}
    return " with a journal" if Path(device).name in journals else " without a journal"


def _disk(device: str) -> str:
    return " in a loop image" if device.startswith("/dev/loop") else ""


def _unescaped(place: str) -> str:
    """Return a mount point whose odd characters the kernel wrote as octal numbers."""
    return place.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _field(file: Path, name: str) -> str:
    """Return what a file of `name: value` lines says first under that name; empty if it does not."""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")
