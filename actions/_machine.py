"""What a machine tells of itself without being asked twice: /proc, and how full its disks are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes
_TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
_SOME = re.compile(r"^some avg10=([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Process:
    """A process at one moment."""

    pid: int
    name: str
    #: One letter, as in proc(5): R runs, S sleeps, D waits for a disk, Z has ended and is not waited for.
    state: str
    parent: int
    #: Seconds of processor time since its start.
    cpu: float
    #: Bytes that it holds in memory.
    memory: int


class Machine:
    """Look at a machine, and change nothing. What it does not tell is None."""

    def __init__(self, proc: Path = Path("/proc"), disks: Sequence[Path] = (Path("/"),)) -> None:
        self._proc = proc
        self._disks = disks

    def load(self) -> float | None:
        """Return how many processes wanted to run over the last minute, for each processor."""
        load = self._read("loadavg").split()
        processors = len(re.findall(r"^cpu\d", self._read("stat"), re.MULTILINE))
        return float(load[0]) / processors if load and processors else None

    def memory(self) -> float | None:
        """Return the share of the memory that cannot be had, 0 to 1."""
        kib = dict(re.findall(r"^(\w+): +(\d+) kB", self._read("meminfo"), re.MULTILINE))
        if not {"MemTotal", "MemAvailable"} <= kib.keys() or kib["MemTotal"] == "0":
            return None
        return 1 - int(kib["MemAvailable"]) / int(kib["MemTotal"])

    def pressure(self, what: str) -> float | None:
        """Return in how many percent of the last ten seconds something waited for `memory` or `io`."""
        found = _SOME.search(self._read(f"pressure/{what}"))
        return float(found[1]) if found else None

    def descriptors(self) -> float | None:
        """Return the share of the file descriptors that are in use, 0 to 1."""
        numbers = self._read("sys/fs/file-nr").split()
        return int(numbers[0]) / int(numbers[2]) if len(numbers) == 3 and int(numbers[2]) else None

    def disks(self) -> dict[str, tuple[float, int]]:
        """Return how full each disk is, 0 to 1, and how many bytes are left, by its path."""
        found = {}
        for path in self._disks:
            usage = shutil.disk_usage(path)
            # As df counts it: what is kept back for the superuser is neither used nor free.
            found[str(path)] = (usage.used / max(1, usage.used + usage.free), usage.free)
        return found

    def processes(self) -> list[Process]:
        """Return the processes that may be seen."""
        return list(self._processes())

    def _processes(self) -> Iterator[Process]:
        for folder in self._proc.glob("[0-9]*"):
            # A name may hold blanks and parentheses, so what follows it begins after the last of these.
            head, _, tail = self._read(f"{folder.name}/stat").rpartition(")")
            fields = tail.split()
            if len(fields) > 21:
                cpu = (int(fields[11]) + int(fields[12])) * _TICK
                memory = int(fields[21]) * _PAGE
                name = head.partition("(")[2]
                yield Process(int(folder.name), name, fields[0], int(fields[1]), cpu, memory)

    def _read(self, path: str) -> str:
        """Return the text of a file; none when it is not there, or not for us."""
        try:
            return (self._proc / path).read_text(errors="replace")
        except OSError:
            return ""
