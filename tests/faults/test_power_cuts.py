"""The power is cut under load, on real file systems: what was acknowledged is there, whole and once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import Effort, Evidence
from tests.faults.images import an_image
from tests.faults.mutants import MUTANTS
from tests.faults.power import SIZE, Cut, Figures, a_cut, cut_under_load, faults_in, in_words, nothing

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

CUTS = {"ext4": 10, "xfs": 5}
#: A mutant is caught by one of so many cuts, or the harness proves nothing. Most are by the first.
TRIES = 40
#: The acknowledgement after which each mutant is caught most surely; the others are in any rush.
WEAK_MOMENTS = {"forgotten-claims": "once", "keyless-entries": "keyed", "forgotten-ends": "ended"}
#: What each promise of the power cut is counted by.
COUNTED = {
    "P6": ("once", "started_again"),
    "P7": ("again", "key_forgotten"),
    "P1": (
        "acked",
        "ended",
        "recovered",
        "lost",
        "torn",
        "unexpected",
        "half_batches",
        "duplicated",
        "finished_lost",
        "finished_run_again",
        "stuck",
    ),
}
SHOWN_BY = {"forgotten-claims": "P6", "keyless-entries": "P7"}


def test_no_power_cut_loses_or_repeats_what_was_acknowledged(
    kind: str, effort: Effort, evidence: Evidence
) -> None:
    cuts = effort(CUTS[kind], 200)
    figures = nothing()
    with an_image(kind, mebibytes=SIZE) as image:
        for seed in range(cuts):
            cut = cut_under_load(image, a_cut(seed))
            print(f"{a_cut(seed)}: {in_words(cut)}" if faults_in(cut) else "", end="")
            figures.update(cut)
    print(kind, in_words(figures))

    for promise, names in COUNTED.items():
        evidence(
            promise, f"power of {kind} cut under load", trials=cuts, **{name: figures[name] for name in names}
        )
    assert not faults_in(figures)
    assert figures["cuts"] == cuts
    assert all(figures[name] > 0 for name in ("acked", "ended", "once", "again"))


@pytest.mark.usefixtures("ext4")
@pytest.mark.parametrize("mutant", MUTANTS)
def test_an_engine_that_is_broken_in_one_place_is_caught(mutant: str, evidence: Evidence) -> None:
    tries, faults = caught(mutant)
    print(mutant, f"after {tries} cuts:", faults)

    evidence(
        SHOWN_BY.get(mutant, "P1"),
        "power of broken engines cut",
        trials=tries,
        mutants=1,
        caught=int(bool(faults)),
    )
    assert faults


def caught(mutant: str) -> tuple[int, Figures]:
    """Cut the power of a mutant until it shows; return how often, and what it did."""
    with an_image("ext4", mebibytes=SIZE) as image:
        for seed in range(TRIES):
            figures = cut_under_load(image, aimed_at(mutant, seed))
            if faults_in(figures):
                return seed + 1, Figures(faults_in(figures))
    return TRIES, Figures()


def aimed_at(mutant: str, seed: int) -> Cut:
    """Return a cut under the load and at the moment at which the mutant cannot hide."""
    moment = WEAK_MOMENTS.get(mutant)
    if moment is None:
        return replace(a_cut(seed), mutant=mutant, pace="rush")
    return replace(a_cut(seed), mutant=mutant, pace="calm", after=moment)
