"""What a broken program does wrong, it does by chance: it is tried until that shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: On a machine that is busy with something else the moment that matters may be missed.
TRIES = 4


def shown(folder: Path, attempt: Callable[[Path], T]) -> T:
    """Return what came of the first attempt of which anything came, each in a folder of its own."""
    for number in range(TRIES):
        ours = folder / f"try-{number}"
        ours.mkdir()
        if found := attempt(ours):
            break
    return found
