"""Measures everything, round by round, and writes docs/benchmarks.md: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import runs
from benchmarks.cells import ROOT
from benchmarks.disk import measured_disk
from benchmarks.figures import QUICK_VARIABLE, Reading
from benchmarks.machine import machine_of, sentences
from benchmarks.report import write_report
from benchmarks.versions import versions

#: In the order in which each round goes through them.
MODULES = (
    *("submit", "drain", "processes", "latency", "cold", "idle", "slow_disk"),
    *("http", "start", "depth", "events", "cut"),
)
#: Where a whole run belongs, and any other.
_DOCS, _ELSEWHERE = ROOT / "docs", ROOT / "var" / "benchmarks"
_FILE = Path("benchmarks", "figures.jsonl")


def main(arguments: Sequence[str]) -> None:
    """Do what the command line says."""
    asked = _parsed(arguments)
    # Told to end, end what was started: an exception passes through everything that cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Told to stop."))
    if asked.quick:
        os.environ[QUICK_VARIABLE] = "1"
    whole = not asked.quick and asked.only == MODULES
    target = _DOCS if whole or asked.rewrite else _ELSEWHERE
    run = runs.read(target / _FILE) if asked.rewrite else _run(asked, target / _FILE)
    page = write_report(run, target)
    print(f"Written: {page.relative_to(ROOT)}")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each figure is taken (5; quick: 1)")
    parser.add_argument(
        "--only",
        type=_modules,
        default=MODULES,
        help=f"some of {','.join(MODULES)}; written to var/benchmarks",
    )
    parser.add_argument("--quick", action="store_true", help="a glance; written to var/benchmarks")
    parser.add_argument("--rewrite", action="store_true", help="write the page of the last whole run again")
    asked = parser.parse_args(arguments)
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    asked.command = " ".join(["python -m benchmarks", *arguments])
    return asked


def _modules(words: str) -> tuple[str, ...]:
    wanted = words.split(",")
    if unknown := set(wanted) - set(MODULES):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(MODULES)}")
    return tuple(module for module in MODULES if module in wanted)


def _run(asked: argparse.Namespace, file: Path) -> runs.Run:
    """Take all figures, round by round; what a round yielded is on the disk before the next begins."""
    with measured_disk() as disk:
        run = runs.Run(
            date=dt.datetime.now(dt.UTC).date().isoformat(),
            command=asked.command,
            rounds=0,
            quick=asked.quick,
            machine=sentences(machine_of(disk)),
            versions=versions(),
        )
        print("\n".join(run.machine), flush=True)
        for number in range(asked.rounds):
            readings = [*run.readings, *take_round(disk, asked.only, number)]
            run = replace(run, rounds=number + 1, readings=readings)
            runs.write(run, file)
        return run


def take_round(disk: Path, modules: Sequence[str], number: int) -> Iterator[Reading]:
    """Take the figures of all modules once; one that fails is told of and left out."""
    for name in modules:
        print(f"Round {number + 1}: {name} …", flush=True)
        began, load, folder = time.monotonic(), os.getloadavg()[0], disk / name / str(number)
        folder.mkdir(parents=True)
        module = importlib.import_module(f"benchmarks.{name}")
        try:
            figures = module.measure(number, folder)
        except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"  {name} failed: {error}", file=sys.stderr, flush=True)
            continue
        yield from (Reading(number, round(load, 2), figure) for figure in figures)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
