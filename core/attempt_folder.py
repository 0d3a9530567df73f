"""The temporary folder of an attempt, with an empty `home` and an empty `tmp`, and its use for the next one.

Making and removing it takes longer than all else that a warden does for a short attempt. So a folder in which
an attempt left nothing becomes the spare one, and serves the next attempt under another name.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from core.leftovers import SPARE, folder_prefix

_PRIVATE = 0o700
_WITHIN = ("home", "tmp")


def made() -> Path:
    """Make a spare folder."""
    folder = Path(tempfile.mkdtemp(prefix=_spare_prefix()))
    for name in _WITHIN:
        (folder / name).mkdir(_PRIVATE)
    return folder


def lent(spare: Path | None, job_id: str) -> Path:
    """Return the spare folder, or a new one, under a name by which the attempt's leftovers can be found."""
    with suppress(FileNotFoundError):  # Somebody tidied up.
        if spare is not None:
            return _renamed(spare, folder_prefix(job_id))
    return _renamed(made(), folder_prefix(job_id))


def returned(folder: Path) -> Path | None:
    """Take a folder back: as the spare one when the attempt left nothing in it, else it is removed."""
    with suppress(OSError):
        if _is_untouched(folder):
            return _renamed(folder, _spare_prefix())
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _spare_prefix() -> str:
    return f"{SPARE}{os.getpid()}-"


def _renamed(folder: Path, prefix: str) -> Path:
    return folder.rename(folder.with_name(prefix + folder.name.rpartition("-")[2]))


def _is_untouched(folder: Path) -> bool:
    private_folder = stat.S_IFDIR | _PRIVATE
    return sorted(os.listdir(folder)) == [*_WITHIN] and all(  # noqa: PTH208  Names are all that matters.
        os.lstat(within).st_mode == private_folder and not os.listdir(within)  # noqa: PTH208
        for within in (folder / name for name in _WITHIN)
    )
