"""Writes what a run has shown into docs/guarantees.md: `python -m tests.faults.guarantees EVIDENCE`.

Ends with 1, loudly, when a promise was not kept, a mutant got away, or a promise was not tried at all.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from tests.faults.evidence import FORBIDDEN, Proof, read
from tests.faults.promises import PROMISES

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
BEGIN, END = "<!-- shown by the last run: begin -->", "<!-- shown by the last run: end -->"
#: What every promise is counted by, if it can be, in the words of Jepsen's total queue.
COLUMNS = ("lost", "duplicated", "stuck", "torn", "swallowed")
#: Figures that have a place of their own in the tables.
_PLACED = frozenset({"mutants", "caught"})


def main(arguments: list[str]) -> int:
    """Rewrite the document from a file of evidence; return 1 when it shows that a promise is broken."""
    proofs = summed(read(Path(arguments[0])))
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(), "\n".join(tables(proofs, heading()))))
    wrong = list(complaints(proofs))
    for complaint in wrong:
        print(f"NOT KEPT: {complaint}", file=sys.stderr)
    if not wrong:
        print(f"{len(proofs)} kinds of trials kept all of the {len(PROMISES)} promises: see {DOCUMENT.name}.")
    return 1 if wrong else 0


def rewritten(document: str, tables: str) -> str:
    """Return the document with new tables between its two marks. Raises ValueError without them."""
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"The document has no {BEGIN!r} with {END!r} after it.")
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def summed(proofs: Iterable[Proof]) -> list[Proof]:
    """Return one proof for each promise, thing that was done, and test, trials and counts added up."""
    ordered = sorted(proofs, key=_kind)
    return [_sum(list(alike)) for _, alike in groupby(ordered, key=_kind)]


def tables(proofs: list[Proof], heading: str) -> Iterator[str]:
    """Yield the lines of the generated part: one table of the promises, one of what was done for each."""
    yield from (heading, "", f"| | promise | {' | '.join(COLUMNS)} | mutants caught |", "|---|---" * 4 + "|")
    for promise, wording in PROMISES.items():
        figures = _figures([proof for proof in proofs if proof.promise == promise])
        counts = [str(figures[name]) if name in figures else "-" for name in COLUMNS]
        caught = f"{figures['caught']} of {figures['mutants']}" if figures["mutants"] else "-"
        yield f"| {promise} | {wording} | {' | '.join(counts)} | {caught} |"
    yield from ("", "| | what was tried | trials | counted | by |", "|---|---|---:|---|---|")
    for proof in proofs:
        yield f"| {proof.promise} | {proof.what} | {proof.trials:,} | {_counted(proof)} | `{proof.test}` |"


def complaints(proofs: list[Proof]) -> Iterator[str]:
    """Yield a sentence for each promise that was broken, or not tried."""
    for proof in proofs:
        if bad := proof.violations():
            yield f"{proof.promise}, {proof.what}: {bad} ({proof.test})"
    tried = {proof.promise for proof in proofs}
    yield from (f"{promise} was not tried." for promise in PROMISES if promise not in tried)
    yield from (f"{promise} is no promise." for promise in sorted(tried - PROMISES.keys()))


def heading() -> str:
    """Return when, where and how the run was made."""
    today = dt.datetime.now(dt.UTC).date()
    return (
        f"Run on {today} by `make torture`, on Linux {platform.release()} with Python "
        f"{platform.python_version()} and {os.cpu_count()} processors."
    )


def _kind(proof: Proof) -> tuple[int, str, str]:
    """Return what proofs that are shown on one line have in common; all mutants of a test are."""
    return int(proof.promise[1:]), _test(proof), "" if "mutants" in proof.figures else proof.what


def _test(proof: Proof) -> str:
    return proof.test.partition("[")[0]


def _sum(alike: list[Proof]) -> Proof:
    remarks = {name: text for proof in alike for name, text in proof.figures.items() if isinstance(text, str)}
    return Proof(
        promise=alike[0].promise,
        what="; ".join(dict.fromkeys(proof.what for proof in alike)),
        trials=sum(proof.trials for proof in alike),
        test=_test(alike[0]),
        figures={**_figures(alike), **remarks},
    )


def _figures(proofs: Iterable[Proof]) -> Counter[str]:
    """Return the sums of all figures that are numbers, noughts included."""
    sums: Counter[str] = Counter()
    for proof in proofs:
        sums.update({name: number for name, number in proof.figures.items() if isinstance(number, int)})
    return sums


def _counted(proof: Proof) -> str:
    """Return a proof's figures in words: what must be nought first, then how many mutants were caught."""
    figures = dict(proof.figures)
    mutants = [f"{figures['caught']} of {figures['mutants']} caught"] if figures.get("mutants") else []
    noughts = [f"{name} {figures[name]}" for name in FORBIDDEN if name in figures]
    rest = [f"{n} {v}" for n, v in figures.items() if n not in _PLACED and n not in FORBIDDEN]
    return ", ".join([*mutants, *noughts, *rest]).replace("_", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
