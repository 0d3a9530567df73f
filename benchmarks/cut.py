"""What remains of acknowledged jobs when the power goes at once, on ext4 and on XFS."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cells import a_cell
from benchmarks.contenders import ALL, RQ_DEBIAN, Contender
from benchmarks.figures import Figure, effort
from benchmarks.turns import in_turn
from tests.faults.images import Image, an_image, reason_against

JOBS = 300

#: MiB; the image's file is sparse.
_SIZE = 1_024
_KINDS = ("ext4", "xfs")


def figure_of(kind: str) -> str:
    """Return the name of the figure for a file system."""
    return f"kept after a power cut, {kind}"


def measure(round: int, folder: Path) -> list[Figure]:  # noqa: A002  The word of the house.
    """Take each figure in the first round, where images can be mounted; nothing in the rounds after it."""
    kinds = [kind for kind in _KINDS if round == 0 and _can_be_cut(kind)]
    return [figure for kind in kinds for figure in _cuts(kind)]


def _cuts(kind: str) -> Iterator[Figure]:
    with an_image(kind, mebibytes=_SIZE) as image:
        image.file.parent.chmod(0o711)  # Postgres is another user.
        yield from in_turn((*ALL, RQ_DEBIAN), 0, lambda contender: [_cut(contender, image)])


def _cut(contender: Contender, image: Image) -> Figure:
    folder = image.folder / f"{contender.key}-{contender.server}"
    _lose_power(contender, image, folder, effort(30, JOBS))
    image.reboot()
    return Figure(
        figure_of(image.kind), contender.name, _survivors(contender, folder), f"of {effort(30, JOBS)}"
    )


def _lose_power(contender: Contender, image: Image, folder: Path, jobs: int) -> None:
    """Cut just after the last acknowledgement, with everything still running."""
    with a_cell(contender, folder) as cell, cell.asking("put", jobs) as (_, client):
        image.cut()
        client.kill()
        if cell.server.pid:
            # Postgres ends its children on SIGQUIT; Redis has none.
            os.kill(cell.server.pid, signal.SIGQUIT if contender.server == "postgres" else signal.SIGKILL)


def _survivors(contender: Contender, folder: Path) -> int:
    """Return how many jobs are there; none when what is there cannot be read."""
    try:
        with a_cell(contender, folder) as cell:
            return len(set(cell.ask("waiting")["numbers"]))
    except RuntimeError as error:
        print(f"  {contender.name} cannot be read after the cut: {error}", file=sys.stderr, flush=True)
        return 0


def _can_be_cut(kind: str) -> bool:
    reason = reason_against(kind)
    if reason:
        print(f"  No power cuts on {kind}: {reason}.", file=sys.stderr, flush=True)
    return not reason
