"""Contenders take turns: who can be measured here, in the order of the round, each on his own."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence

from benchmarks.cells import PEERS_BIN
from benchmarks.contenders import Contender
from benchmarks.figures import Figure, rotated
from benchmarks.servers import reason_against


def in_turn(
    contenders: Sequence[Contender],
    round: int,  # noqa: A002  The word of the house.
    take: Callable[[Contender], Iterable[Figure]],
) -> list[Figure]:
    """Return what is measured of all contenders that can be measured here; say who cannot, and why."""
    figures: list[Figure] = []
    for contender in rotated(contenders, round):
        if can_be_measured(contender):
            try:
                figures += take(contender)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"  {contender.name} gave no figure: {error}", file=sys.stderr, flush=True)
    return figures


@functools.cache
def can_be_measured(contender: Contender) -> bool:
    """Return whether what this contender needs is here; say so once if it is not."""
    reason = reason_against(contender.server)
    if contender.distribution and not (PEERS_BIN / "python").exists():
        reason = "its environment .venv-peers is missing: `make bench` makes it"
    if reason:
        print(f"  {contender.name} is left out: {reason}", file=sys.stderr, flush=True)
    return not reason
