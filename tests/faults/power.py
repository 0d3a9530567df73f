"""One power cut: load a queue on a mounted image, cut, mount again, and settle the accounts."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.aftermath import drained
from tests.faults.events import heard, until
from tests.faults.images import Image
from tests.faults.ledger import COUNTS, FAULTS, Figures, Ledger, compared, findings_in

ROOT = Path(__file__).parents[2]
#: The acknowledgements after which a cut may come.
ACKNOWLEDGEMENTS = ("kept", "whole", "keyed", "started", "once", "ended")
#: Megabytes of an image: as little as XFS takes.
SIZE = 320

_PATIENCE = 60.0  # seconds after which a load is taken for hung
_GRACE = 0.02  # seconds in which the load meets the dead disk


@dataclass(frozen=True, kw_only=True)
class Cut:
    """When the power goes, and under what load."""

    seed: int
    #: `rush` or `calm`.
    pace: str
    #: Seconds of load after its first word.
    seconds: float
    #: The acknowledgement that the cut follows at once, which is when it hurts most; empty for any moment.
    after: str = ""
    #: The engine: one of MUTANTS, or empty for the true one.
    mutant: str = ""


def a_cut(seed: int) -> Cut:
    """Return one of the cuts that a power supply may think of."""
    chance = random.Random(seed)
    return Cut(
        seed=seed,
        pace=chance.choice(("rush", "calm")),
        seconds=chance.uniform(0.1, 0.6),
        after=chance.choice(("", *ACKNOWLEDGEMENTS)),
    )


def cut_under_load(image: Image, cut: Cut) -> Figures:
    """Cut the power of a loaded queue and return the figures: counts, and faults that ought to be zero."""
    base = image.folder / "queue"
    output, began_ns = _load_until(image, base, cut)
    image.reboot()
    events = heard(output)
    ledger = Ledger().enter(until(events, began_ns))
    ledger.submitted |= {event.job_id for event in events if event.kind == "tried"}
    figures = nothing()
    figures.update(compared(ledger, findings_in(base)))
    figures.update(drained(base, ledger, now=time.time()))
    figures.update(
        cuts=1, indeterminate=sum(e.at_ns >= began_ns and e.kind in ACKNOWLEDGEMENTS for e in events)
    )
    shutil.rmtree(base)
    return figures


def nothing() -> Figures:
    """Return figures of which each is zero."""
    return Counter(dict.fromkeys((*COUNTS, *FAULTS), 0))


def faults_in(figures: Figures) -> dict[str, int]:
    """Return the figures that ought to be zero and are not."""
    return {name: figures[name] for name in FAULTS if figures[name]}


def in_words(figures: Figures) -> str:
    """Return the figures on one line: all the counts, and of the faults those that happened."""
    counts = " ".join(f"{name} {figures[name]}" for name in COUNTS)
    faults = " ".join(f"{name} {number}" for name, number in faults_in(figures).items())
    return f"{counts} | {faults or 'no faults'}"


def _load_until(image: Image, base: Path, cut: Cut) -> tuple[bytes, int]:
    """Return what the loading process said, and the moment just before the power went."""
    chunks: list[bytes] = []
    began_ns, due = 0, float("inf")
    with _a_load(base, cut) as process:
        while chunk := process.stdout.read1():  # type: ignore[union-attr]
            due = min(due, time.monotonic() + cut.seconds)
            chunks.append(chunk)
            if not began_ns and time.monotonic() >= due and f"{cut.after} ".encode() in chunk:
                began_ns = time.monotonic_ns()
                image.cut()
                threading.Timer(_GRACE, process.kill).start()
    if not began_ns:
        raise RuntimeError(f"the load ended before the power went: {b''.join(chunks)[-300:]!r}")
    return b"".join(chunks), began_ns


@contextmanager
def _a_load(base: Path, cut: Cut) -> Iterator[subprocess.Popen[bytes]]:
    """Run the loading process; kill it if it hangs, and at the end."""
    command = [sys.executable, "-m", "tests.faults.load", base, str(cut.seed), cut.pace, cut.mutant]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        too_long = threading.Timer(_PATIENCE, process.kill)
        too_long.start()
        try:
            yield process
        finally:
            too_long.cancel()
            process.kill()
