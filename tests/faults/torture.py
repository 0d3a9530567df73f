"""Many power cuts, for an evening: `python -m tests.faults.torture --cuts 200 --fs ext4,xfs`."""

from __future__ import annotations

import argparse
import sys

from tests.faults.images import MAKERS, an_image, reason_against
from tests.faults.power import SIZE, Figures, a_cut, cut_under_load, faults_in, in_words, nothing


def main(arguments: list[str]) -> int:
    """Cut, tell of each cut that showed a fault, print the sums; return 1 when there was any fault."""
    parser = argparse.ArgumentParser(prog="tests.faults.torture", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200, help="power cuts on each file system")
    parser.add_argument("--fs", default=",".join(MAKERS), help="file systems, with commas between")
    parser.add_argument("--first", type=int, default=0, help="number of the first cut; cuts are repeatable")
    asked = parser.parse_args(arguments)
    sums = {kind: _cuts(kind, range(asked.first, asked.first + asked.cuts)) for kind in asked.fs.split(",")}
    for kind, figures in sums.items():
        print(f"{kind}: {in_words(figures)}")
    return 1 if any(faults_in(figures) for figures in sums.values()) else 0


def _cuts(kind: str, seeds: range) -> Figures:
    if reason := reason_against(kind):
        sys.exit(reason)
    figures = nothing()
    with an_image(kind, mebibytes=SIZE) as image:
        for seed in seeds:
            cut = cut_under_load(image, a_cut(seed))
            figures.update(cut)
            note = f" {a_cut(seed)}: {in_words(cut)}\n" if faults_in(cut) else ""
            print(f"\r{kind}: cut {figures['cuts']} of {len(seeds)}{note}", end="", flush=True)
    print()
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
