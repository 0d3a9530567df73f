"""What processes cost, as /proc tells it: memory and processor time of a process and all its descendants."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_NANOSECONDS = 1e9


def family(pid: int) -> list[int]:
    """Return a process and all its descendants; those that end meanwhile may be missing."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(member for child in children for member in family(int(child)))]


def processor_seconds(pids: Iterable[int]) -> float:
    """Return how long the threads of some processes have run so far, to the nanosecond."""
    return sum(_run_time(pid) for pid in pids)


def memory(pids: Iterable[int], kind: str) -> float:
    """Return the resident (`Rss`) or proportional (`Pss`) MiB of some processes."""
    return sum(_kibibytes(pid, kind) for pid in pids) / 1024


def _run_time(pid: int) -> float:
    # /proc/<pid>/stat counts in hundredths of a second, which is more than an idle process uses in a while.
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(_words_of(file)[0]) for file in files) / _NANOSECONDS


def _kibibytes(pid: int, kind: str) -> int:
    words = _words_of(Path(f"/proc/{pid}/smaps_rollup"))
    return int(words[words.index(f"{kind}:") + 1]) if f"{kind}:" in words else 0


def _words_of(file: Path) -> list[str]:
    """Return the words of a file; a zero alone when the process has ended meanwhile."""
    try:
        return file.read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"]
