"""The disk that everything is measured on: an ext4 with a journal, in an image on the checkout's own disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cells import ROOT
from tests.faults.images import Image

#: The file is sparse: what is not written takes no room.
_GIBIBYTES = 32
#: Inodes for a million waiting jobs and more.
_MAKE = ("mkfs.ext4", "-q", "-F", "-i", "8192", "-E", "lazy_itable_init=0,lazy_journal_init=0")


@contextmanager
def measured_disk() -> Iterator[Path]:
    """Yield an empty folder on the measured disk and remove all of it at the end.

    Nothing is removed before: on some file systems every deletion slows down what follows. Without the right
    to mount, the folder lies on the checkout's own disk.
    """
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    top = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    # Postgres refuses to be root, and as somebody else must find its way in.
    top.chmod(0o755)
    image = Image("ext4", top / "disk.img", top / "mounted")
    try:
        yield from _mounted(image)
    finally:
        shutil.rmtree(top)


def _mounted(image: Image) -> Iterator[Path]:
    image.folder.mkdir(mode=0o755)
    if not _mount(image):
        yield image.folder
        return
    try:
        yield image.folder
    finally:
        image.unmount()


def _mount(image: Image) -> bool:
    """Make and mount the file system; say why not when that cannot be done here."""
    if os.geteuid() != 0 or shutil.which(_MAKE[0]) is None:
        return _declined(f"only root may mount, with {_MAKE[0]} (Debian package e2fsprogs)")
    with image.file.open("wb") as file:
        file.truncate(_GIBIBYTES << 30)
    try:
        subprocess.run([*_MAKE, image.file], check=True)
        image.mount()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return _declined(str(error))
    return True


def _declined(reason: str) -> bool:
    print(f"  Measured on the checkout's own disk, journaled or not: {reason}.", file=sys.stderr, flush=True)
    return False
