"""What a process of a cell does with its queue: `python -m benchmarks.peers.roles MODULE ROLE NUMBER …`.

The answer is one line of JSON. Then the process stays as it is, for others to look at, until its input ends.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.peer import Peer

_GLANCE = 0.1  # seconds


def submit(peer: Peer, clients: int, seconds: float) -> dict[str, float]:
    """Submit from so many threads for so long; return how many jobs were stored, in what time."""
    counts = [0] * int(clients)
    together = threading.Barrier(len(counts) + 1)

    def client(place: int) -> None:
        together.wait()
        ends = time.monotonic() + seconds
        for number in itertools.count(place * 1_000_000):
            peer.submit(number)
            counts[place] += 1
            if time.monotonic() >= ends:
                return

    threads = [threading.Thread(target=client, args=(place,)) for place in range(len(counts))]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return {"jobs": sum(counts), "seconds": time.monotonic() - began}


def batches(peer: Any, size: int, seconds: float) -> dict[str, float]:
    """Submit batch after batch, from one thread."""
    jobs, began = 0, time.monotonic()
    while time.monotonic() < began + seconds:
        peer.submit_many(range(jobs, jobs + int(size)))
        jobs += int(size)
    return {"jobs": jobs, "seconds": time.monotonic() - began}


def fill(peer: Peer, number: int) -> dict[str, int]:
    """Lay in so many jobs."""
    peer.fill(range(int(number)))
    return {"jobs": int(number)}


def put(peer: Peer, number: int) -> dict[str, int]:
    """Submit so many jobs, one after the other; the last is acknowledged when this answers."""
    for job in range(int(number)):
        peer.submit(job)
    return {"jobs": int(number)}


def waiting(peer: Peer) -> dict[str, list[int]]:
    """Return the numbers of the jobs that wait."""
    return {"numbers": sorted(peer.waiting())}


def finished(peer: Peer, number: int, seconds: float) -> dict[str, int]:
    """Wait until so many results are stored, but not for longer than that; return how many there are."""
    late = time.monotonic() + seconds
    while (results := peer.finished()) < number and time.monotonic() < late:
        time.sleep(_GLANCE)
    return {"results": results}


def work(peer: Peer, slots: int) -> dict[str, int]:
    """Start workers in this process."""
    peer.work(int(slots))
    return {"slots": int(slots)}


def latency(peer: Peer, number: int, slots: int) -> dict[str, list[float]]:
    """Submit one job after another, each when the result of the one before is there; return milliseconds.

    With slots, the workers are started in this process first.
    """
    if slots:
        peer.work(int(slots))
    for job in range(5):  # What is done once only, such as connecting, belongs to no job.
        peer.result(peer.submit(job))
    return {"milliseconds": [_milliseconds(peer, job) for job in range(int(number))]}


def _milliseconds(peer: Peer, number: int) -> float:
    began = time.monotonic_ns()
    peer.result(peer.submit(number))
    return (time.monotonic_ns() - began) / 1e6


ROLES: dict[str, Callable[..., Any]] = {
    role.__name__: role for role in (submit, batches, fill, put, waiting, finished, work, latency)
}


def main(module: str, role: str, *numbers: str) -> None:
    """Play a role and stay until the input ends."""
    peer: Peer = importlib.import_module(f"benchmarks.peers.{module}").connect()
    print(json.dumps(ROLES[role](peer, *map(float, numbers))), flush=True)
    sys.stdin.read()
    peer.close()
    sys.stdout.flush()
    # Threads of a package that cannot be told to stop are left behind.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
