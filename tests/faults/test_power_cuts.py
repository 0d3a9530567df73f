"""The power is cut under load, on real file systems: what was acknowledged is there, whole and once."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.faults.images import MAKERS, an_image, reason_against
from tests.faults.mutants import MUTANTS
from tests.faults.power import SIZE, a_cut, cut_under_load, faults_in, in_words, nothing

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

CUTS = {"ext4": 10, "xfs": 5}
#: A mutant is caught by one of so many cuts, or the harness proves nothing.
TRIES = 80


@pytest.fixture(params=sorted(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    """A file system that this machine can mount; without it the test skips at home and fails in CI."""
    reason = reason_against(request.param)
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return str(request.param)


def test_no_power_cut_loses_or_repeats_what_was_acknowledged(kind: str) -> None:
    figures = nothing()
    with an_image(kind, mebibytes=SIZE) as image:
        for seed in range(CUTS[kind]):
            figures.update(cut_under_load(image, a_cut(seed)))
    print(kind, in_words(figures))

    assert not faults_in(figures)
    assert figures["cuts"] == CUTS[kind]
    assert figures["acked"] > 0
    assert figures["ended"] > 0


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("kind", ["ext4"], indirect=True)
def test_an_engine_that_is_broken_in_one_place_is_caught(kind: str, mutant: str) -> None:
    with an_image(kind, mebibytes=SIZE) as image:
        cuts = (replace(a_cut(seed), mutant=mutant) for seed in range(TRIES))
        caught = any(faults_in(cut_under_load(image, cut)) for cut in cuts)

    assert caught
