"""One power cut: load a queue on a mounted image, cut, mount again, and settle the accounts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.faults.aftermath import drained
from tests.faults.events import heard, until
from tests.faults.images import Image
from tests.faults.ledger import COUNTS, FAULTS, Figures, Ledger, compared, findings_in

ROOT = Path(__file__).parents[2]
#: Seconds of load before a cut, at least and at most.
SOONEST, LATEST = 0.1, 0.6

_START = 60.0  # seconds in which the first job must have been acknowledged


def cut_under_load(image: Image, *, seed: int, seconds: float, mutant: str = "") -> Figures:
    """Cut the power of a loaded queue, `seconds` after its first acknowledgement; return the figures."""
    base = image.folder / "queue"
    output, began_ns = _loaded_until_cut(image, base, seed=seed, seconds=seconds, mutant=mutant)
    image.reboot()
    events = heard(output)
    ledger = Ledger().enter(until(events, began_ns))
    ledger.submitted |= {event.job_id for event in events if event.kind == "tried"}
    figures = compared(ledger, findings_in(base)) + drained(base, ledger, now=time.time())
    figures["indeterminate"] = sum(1 for e in events if e.at_ns >= began_ns and e.kind in {"kept", "ended"})
    figures["cuts"] = 1
    shutil.rmtree(base)
    return figures


def faults_in(figures: Figures) -> dict[str, int]:
    """Return the figures that ought to be zero and are not."""
    return {name: figures[name] for name in FAULTS if figures[name]}


def in_words(figures: Figures) -> str:
    """Return the figures on one line: all the counts, and of the faults those that happened."""
    counts = " ".join(f"{name} {figures[name]}" for name in ("cuts", *COUNTS))
    faults = " ".join(f"{name} {number}" for name, number in faults_in(figures).items())
    return f"{counts} | {faults or 'no faults'}"


def _loaded_until_cut(
    image: Image, base: Path, *, seed: int, seconds: float, mutant: str
) -> tuple[bytes, int]:
    """Return what the loading process said, and the moment just before the power went."""
    command = [sys.executable, "-m", "tests.faults.load", str(base), str(seed), *([mutant] if mutant else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        chunks, under_way = [], threading.Event()

        def listen() -> None:
            while chunk := process.stdout.read1():
                chunks.append(chunk)
                under_way.set()
            under_way.set()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            under_way.wait(_START)
            threading.Event().wait(seconds)
            began_ns = time.monotonic_ns()
            image.cut()
        finally:
            process.kill()
            listener.join()
    return b"".join(chunks), began_ns


def nothing() -> Figures:
    """Return figures of which each is zero."""
    return Counter(dict.fromkeys(("cuts", *COUNTS, *FAULTS), 0))
