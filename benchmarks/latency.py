"""Submit to start and submit to result on an idle bus, in process and over HTTP.

500 `thread` jobs, one at a time. The reference of the same run is the raw protocol of one
durable step: write, fsync, rename, fsync directory.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from config import Config
from core.submission import Submission
from examples.running import a_bus
from wiring import assemble

JOBS = 500
ACTIONS = str(Path(__file__).parent / "actions")

#: One job: when it was submitted, started and known to have ended, in nanoseconds.
Times = tuple[int, int, int]


def main() -> None:
    """Print the table."""
    # On the checkout's own disk: /tmp may be in memory, where nothing costs anything.
    with tempfile.TemporaryDirectory(prefix="aafai-bench-", dir=Path.cwd()) as folder:
        steps = [durable_step(Path(folder), number) for number in range(JOBS)]
        row("write + fsync + rename + fsync directory", steps)
        with in_process(Path(folder) / "a") as job:
            report("in process", [job() for _ in range(JOBS)])
        with over_http(Path(folder) / "b") as job:
            report("over HTTP", [job() for _ in range(JOBS)])


def durable_step(folder: Path, number: int) -> float:
    """Return the milliseconds of one durable step of the raw protocol."""
    began = time.monotonic_ns()
    temporary, final = folder / f"{number}.tmp", folder / f"{number}.json"
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o640)
    os.write(descriptor, b"{}" * 100)
    os.fsync(descriptor)
    os.close(descriptor)
    temporary.rename(final)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
    return (time.monotonic_ns() - began) / 1e6


@contextmanager
def in_process(folder: Path) -> Iterator[Callable[[], Times]]:
    """Yield a function that runs one job on a bus of this process."""
    folders = {"QUEUE_BASE_PATH": str(folder / "queues"), "DOWNLOAD_DIR": str(folder / "downloads")}
    kernel = assemble(Config.load({**folders, "AAFAI_ACTIONS_DIR": ACTIONS, "AAFAI_LOG_LEVEL": "ERROR"}))
    kernel.start()

    def job() -> Times:
        submitted = time.monotonic_ns()
        job_id = kernel.bus.submit(Submission(action="noop")).id
        kernel.bus.wait(job_id, 10)
        ended = time.monotonic_ns()
        return submitted, kernel.bus.get(job_id).result["started"], ended

    try:
        yield job
    finally:
        kernel.drain()


@contextmanager
def over_http(folder: Path) -> Iterator[Callable[[], Times]]:
    """Yield a function that runs one job on a real server, over one kept-alive connection."""
    with (
        a_bus(folder, AAFAI_ACTIONS_DIR=ACTIONS, AAFAI_LOG_LEVEL="ERROR") as bus,
        requests.Session() as session,
    ):

        def job() -> Times:
            submitted = time.monotonic_ns()
            job_id = session.post(f"{bus.url}/inbound", json={"action": "noop"}).json()["job_id"]
            answer = session.get(f"{bus.url}/outbound", params={"job_id": job_id, "wait": 20}).json()
            return submitted, answer["result"]["started"], time.monotonic_ns()

        yield job
        bus.stop()


def report(place: str, jobs: list[Times]) -> None:
    """Print the two rows of one place."""
    row(f"submit to start, {place}", [(started - submitted) / 1e6 for submitted, started, _ in jobs])
    row(f"submit to result, {place}", [(ended - submitted) / 1e6 for submitted, _, ended in jobs])


def row(title: str, milliseconds: list[float]) -> None:
    """Print the median, the 99th percentile and the largest of some durations."""
    p99 = statistics.quantiles(milliseconds, n=100)[98]
    median = statistics.median(milliseconds)
    print(
        f"{title:<42} p50 {median:7.2f} ms   p99 {p99:7.2f} ms   max {max(milliseconds):7.2f} ms", flush=True
    )


if __name__ == "__main__":
    main()
