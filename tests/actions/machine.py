"""A machine made of files, as /proc shows one."""

from __future__ import annotations

from pathlib import Path


def a_machine(
    proc: Path, *, load: float = 0.5, available: int = 800, io: float = 0.0, files: int = 100
) -> Path:
    """Write a machine with two processors, 1000 kB of memory and 1000 file descriptors; return its folder."""
    write(proc, "loadavg", f"{load * 2:.2f} 0.10 0.05 1/200 4242\n")
    write(proc, "stat", "cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 7\n")
    write(
        proc, "meminfo", f"MemTotal:       1000 kB\nMemFree:         1 kB\nMemAvailable:   {available} kB\n"
    )
    write(proc, "pressure/io", f"some avg10={io:.2f} avg60=0.00 avg300=0.00 total=1\nfull avg10=9.99\n")
    write(proc, "pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
    write(proc, "sys/fs/file-nr", f"{files}\t0\t1000\n")
    return proc


def a_process(
    proc: Path, pid: int, name: str, *, state: str = "S", parent: int = 1, ticks: int = 0, pages: int = 0
) -> None:
    """Write a process."""
    fields = ["0"] * 30
    fields[0], fields[1], fields[11], fields[12], fields[21] = state, str(parent), str(ticks), "0", str(pages)
    write(proc, f"{pid}/stat", f"{pid} ({name}) {' '.join(fields)}\n")


def write(proc: Path, path: str, text: str) -> None:
    """Write one file of the machine."""
    (proc / path).parent.mkdir(parents=True, exist_ok=True)
    (proc / path).write_text(text)
