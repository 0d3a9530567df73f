"""What a claim costs with a thousand, a hundred thousand and a million jobs waiting before it."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.figures import OURS, Figure, effort, rotated
from benchmarks.proc import memory
from core.ids import submitted_ms, uuid7
from core.jobs import DEFAULT_PRIORITY, DEFAULT_QUEUE, HIGHEST_PRIORITY, Job
from queues.file.engine import FileEngine
from queues.file.layout import Layout
from queues.file.options import FileOptions
from queues.record import document_of, encoded

#: Jobs waiting; each folder is filled once and serves all rounds.
DEPTHS = (1_000, 100_000, 1_000_000)
QUICK_DEPTHS = (1_000, 10_000)

_ROOT = Path(__file__).parents[1]
_CLAIMS = 100
_APART_NS = 500_000  # from one submission to the next
_JOB = Job(id="", action="nothing", params={"text": "x" * 150}, timeout=60.0)
_QUEUES = (DEFAULT_QUEUE,)
#: Nothing is refused, and in a long run nobody becomes as urgent as the urgent one by waiting.
_OPTIONS = FileOptions(
    reserve_bytes=0, min_free_bytes=0, min_free_share=0.0, max_pending=2_000_000, aging=math.inf
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a process saw that opened a queue and claimed from it; durations in seconds."""

    boot: float
    first: float
    p50: float
    #: MiB.
    resident: float


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure once; the queues lie beside the round's folder and are made in the first round."""
    depths = QUICK_DEPTHS if effort(1, 0) else DEPTHS
    folders = {depth: folder.parent / f"depth-{depth}" for depth in depths}
    for depth, queue in folders.items():
        fill(queue, depth)
    seen = {depth: _in_a_process(folders[depth]) for depth in rotated(depths, round)}
    return [figure for depth in depths for figure in _figures(f"{depth:,} waiting", seen[depth])]


def fill(base: Path, number: int) -> None:
    """Lay in so many waiting jobs by hand, as fast as the disk takes them, unless that was done before."""
    if base.exists():
        return
    _require_room(base.parent, number)
    unfinished = base.with_suffix(".unfinished")
    FileEngine(str(unfinished), _OPTIONS).close()
    layout, now_ns = Layout(str(unfinished), ""), time.time_ns()
    for job_id in (uuid7(now_ns - _APART_NS * left, left) for left in range(number, 0, -1)):
        _write(layout.waiting(DEFAULT_QUEUE, DEFAULT_PRIORITY, job_id), job_id)
    os.sync()
    unfinished.rename(base)


def claims(base: str, started: float) -> Claims:
    """Open the queue and claim from it. Raises AssertionError when an urgent job is not the next."""
    engine = FileEngine(base, _OPTIONS)
    boot = time.monotonic() - started
    took = list(_durations(engine))
    urgent = _job(uuid7(time.time_ns(), 0), priority=HIGHEST_PRIORITY)
    engine.add(urgent)
    following = engine.claim("urgent", now=time.time(), lease=60.0, queues=_QUEUES)
    assert following is not None
    assert following.id == urgent.id
    resident = memory([os.getpid()], "Rss")
    engine.close()
    return Claims(boot, took[0], statistics.median(took[1:]), resident)


def _figures(depth: str, seen: Claims) -> Iterator[Figure]:
    yield Figure(f"claim, p50, {depth}", OURS, 1000 * seen.p50, "ms")
    yield Figure(f"first claim, {depth}", OURS, 1000 * seen.first, "ms")
    yield Figure(f"exec to open queue, {depth}", OURS, seen.boot, "s")
    yield Figure(f"memory, {depth}", OURS, seen.resident, "MiB")


def _in_a_process(base: Path) -> Claims:
    started = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.depth", str(base), str(started)]
    ran = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Claims(**json.loads(ran.stdout))


def _durations(engine: FileEngine) -> Iterator[float]:
    """Yield how long each of many claims takes. Raises AssertionError when a claim finds nothing."""
    for number in range(_CLAIMS + 1):
        began = time.monotonic()
        job = engine.claim(f"worker-{number}", now=time.time(), lease=60.0, queues=_QUEUES)
        yield time.monotonic() - began
        assert job is not None


def _write(folder: str, job_id: str) -> None:
    path = f"{folder}/{job_id}.json"
    try:
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640)
    except FileNotFoundError:
        Path(folder).mkdir(mode=0o750, parents=True)
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640)
    os.write(file, encoded(document_of(_job(job_id))))
    os.close(file)


def _job(job_id: str, *, priority: int = DEFAULT_PRIORITY) -> Job:
    return replace(_JOB, id=job_id, priority=priority, submitted_at=submitted_ms(job_id) / 1000)


def _require_room(folder: Path, number: int) -> None:
    """Raise RuntimeError when the disk has too few inodes for a file a job."""
    free = os.statvfs(folder).f_favail
    if free < number * 1.05:
        raise RuntimeError(f"{folder}: {number:,} files need as many inodes, and {free:,} are free.")


if __name__ == "__main__":
    print(json.dumps(asdict(claims(sys.argv[1], float(sys.argv[2])))))
