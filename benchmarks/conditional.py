"""Polls that find nothing new, beside a bare Flask route: `make bench-http` prints what each does a second.

One process with eight threads answers 304 to 32 keep-alive clients. The bare route is served by gunicorn's
own threaded worker with as many threads, and measured in turn with the others, round by round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import requests

from benchmarks.figures import rotated
from benchmarks.http import BARE, submitted, tag_of
from benchmarks.http_load import Request, load
from benchmarks.http_reference import a_reference
from benchmarks.machine import machine_of, sentences
from benchmarks.proc import family, processor_seconds
from examples.running import RunningBus, a_bus

#: What each view is to answer a second, and how that is to stand beside the bare route.
LEAST_RATE, LEAST_RATIO = 2_000, 0.6
#: The views of one job, each with its dialect.
VIEWS = {
    "/outbound": "/outbound?job_id={}",
    "Robotni": "/api/worker/jobs/{}",
    "Agent Scheduler": "/api/scheduler/executions/{}",
}

_CLIENTS = 32
_THREADS = 8
_ACTIONS = str(Path(__file__).parent / "actions")


@dataclass(frozen=True, slots=True)
class Poll:
    """What is asked, and the process that answers with its children."""

    request: Request
    pid: int


@dataclass(frozen=True, slots=True)
class Taken:
    """How a poll went in one round."""

    #: Answers a second.
    rate: float
    #: Microseconds of processor that the server spends on a request: hardly more on a busy machine.
    cost: float


def main(arguments: Sequence[str]) -> None:
    """Measure and print the table."""
    asked = _parsed(arguments)
    with tempfile.TemporaryDirectory(prefix="aafai-bench-") as name:
        folder = Path(name)
        print("\n".join(sentences(machine_of(folder))), flush=True)
        with _served(folder) as polls:
            rounds = [_round(polls, number, asked.seconds, folder) for number in range(asked.rounds)]
    print("\n".join(table(rounds)))


def table(rounds: Sequence[Mapping[str, Taken]]) -> Iterator[str]:
    """Yield the lines of the table: each rate, its share of the bare route's in the same round, and the cost.

    All are medians; behind rate and share stand the least and the most of all rounds.
    """
    yield f"{'':37}{'requests/s':>24}{'of the bare route':>24}{'µs of processor':>18}"
    for who in rounds[0]:
        rates = [taken[who].rate for taken in rounds]
        shares = [taken[who].rate / taken[BARE].rate for taken in rounds]
        cost = median(taken[who].cost for taken in rounds)
        told = f"{who:37}{_spread(rates, ',.0f'):>24}{_spread(shares, '.2f'):>24}{cost:>18.0f}"
        yield told if who == BARE else f"{told}  {_verdict(median(rates), median(shares))}"


def _spread(values: Sequence[float], form: str) -> str:
    least, most = min(values), max(values)
    return f"{median(values):{form}} ({least:{form}} to {most:{form}})"


def _verdict(rate: float, share: float) -> str:
    reached = rate >= LEAST_RATE and share >= LEAST_RATIO
    return "reached" if reached else f"missed: {LEAST_RATE:,} and {LEAST_RATIO:g} are the goals"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.conditional", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is taken (5)")
    parser.add_argument("--seconds", type=int, default=3, help="how long each time (3)")
    return parser.parse_args(arguments)


@contextmanager
def _served(folder: Path) -> Iterator[Mapping[str, Poll]]:
    """Serve a bus that runs nothing, one that works, and the bare route; yield what is asked of them."""
    common = {"AAFAI_ACTIONS_DIR": _ACTIONS, "AAFAI_LOG_LEVEL": "ERROR", "AAFAI_THREADS": str(_THREADS)}
    with (
        a_bus(folder / "idle", AUTO_START_WORKERS="false", **common) as idle,
        a_bus(folder / "working", **common) as working,
        a_reference(folder / "reference", threads=_THREADS) as reference,
    ):
        yield {
            BARE: Poll(Request(url=f"{reference.url}/"), reference.pid),
            **dict(_polls(idle, submitted(idle.url), "waits")),
            **dict(_polls(working, _ended(working.url), "has ended")),
        }
        for bus in (idle, working):
            bus.stop()


def _polls(bus: RunningBus, job_id: str, stands: str) -> Iterator[tuple[str, Poll]]:
    """Yield the polls of a job that the client knows as it stands."""
    for dialect, path in VIEWS.items():
        plain = Request(url=bus.url + path.format(job_id))
        unchanged = replace(plain, headers={"If-None-Match": tag_of(plain)})
        yield f"{dialect}, a job that {stands}", Poll(unchanged, bus.process.pid)


def _ended(url: str) -> str:
    """Return the id of a job that has ended. Raises RuntimeError when it does not end well."""
    job_id = submitted(url)
    told = requests.get(f"{url}/outbound?wait=20&job_id={job_id}", timeout=30).json()
    if told["status"] != "complete":
        raise RuntimeError(f"A job did not end well: {told}")
    return job_id


def _round(polls: Mapping[str, Poll], number: int, seconds: int, folder: Path) -> dict[str, Taken]:
    """Take each once, one after the other, after a second to warm up."""
    began, taken = time.monotonic(), {}
    for who in rotated(list(polls), number):
        load(polls[who].request, clients=_CLIENTS, seconds=1, folder=folder)
        taken[who] = _taken(polls[who], seconds, folder)
    print(f"Round {number + 1}: {time.monotonic() - began:.0f} s", flush=True)
    return {who: taken[who] for who in polls}


def _taken(poll: Poll, seconds: int, folder: Path) -> Taken:
    before = processor_seconds(family(poll.pid))
    rate = load(poll.request, clients=_CLIENTS, seconds=seconds, folder=folder).rate
    spent = processor_seconds(family(poll.pid)) - before
    return Taken(rate, 1e6 * spent / (rate * seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
