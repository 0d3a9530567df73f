"""Whether the bus, and nobody else, may read and write what is in the folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient, name_of
from queues.file.disk import CLAIMED_BIT, FILE_MODE, FOLDER_MODE
from queues.file.layout import TOP

_FOREIGN = Kind(
    code="owner_foreign",
    mark=Mark.PROBLEM,
    one="A file or folder belongs to another user than the bus",
    many="{n} files and folders belong to another user than the bus",
    why="The bus can perhaps not read them, and then puts them aside as if they were damaged.",
    remedy="sudo chown -R {owner}: {folder}",
    mending="gives them to the bus (as root only)",
)
_SHUT = Kind(
    code="mode_shut",
    mark=Mark.PROBLEM,
    one="A file or folder is closed to its own owner",
    many="{n} files and folders are closed to their own owner",
    why="The bus cannot read or write them.",
    remedy="chmod -R u+rwX {folder}",
    mending="opens them to their owner",
)
_OPEN = Kind(
    code="mode_open",
    mark=Mark.WARNING,
    one="A file or folder is more open than the bus made it",
    many="{n} files and folders are more open than the bus made them",
    why="Others can read what jobs were asked and answered, or change it.",
    remedy="chmod -R g-w,o-rwx {folder}",
    mending="closes them to others",
)
#: Files beside the top folders that are the engine's.
_FILES = ("FORMAT.json", "reserve.bin")
_KEPT = {*TOP, "mirror", "schedules", "webhooks"} - {"quarantine"}

#: An open folder and a name in it.
_Place = tuple[int, str]


def check_owners(patient: Patient) -> Iterator[Flaw | str]:
    """Yield every file and folder that the bus cannot use, or that others can."""
    owner, number = patient.owner, 0
    # What lies in a folder that others cannot enter is closed to them, whatever its own mode is.
    outside = stat.S_IMODE(patient.disk.status(patient.folder).st_mode) & stat.S_IRWXO
    ignored = 0 if outside else stat.S_IRWXO
    for where, folder, name in _entries(patient):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            continue
        number += 1
        yield from _flaws_of(where, status, owner, ignored, (folder, name))
    yield f"{number:,} files and folders, owned by {name_of(owner)}"


def _entries(patient: Patient) -> Iterator[tuple[str, int, str]]:
    """Yield each entry's path for people, an open folder, and its name there.

    No folder is reached through its path a second time: nobody can put a link in its place meanwhile.
    """
    for path, folders, files, folder in os.fwalk(patient.folder):
        where = os.path.relpath(path, patient.folder)
        if where == ".":
            folders[:] = sorted(_KEPT.intersection(folders))
            yield ".", folder, "."
            yield from ((name, folder, name) for name in (*folders, *_FILES))
        else:
            ours = folders if where == "inbound" else [*folders, *files]  # what was dropped is not ours yet
            yield from ((f"{where}/{name}", folder, name) for name in ours)


def _flaws_of(where: str, status: os.stat_result, owner: int, ignored: int, place: _Place) -> Iterator[Flaw]:
    is_folder = stat.S_ISDIR(status.st_mode)
    mode, full = stat.S_IMODE(status.st_mode), FOLDER_MODE if is_folder else FILE_MODE | CLAIMED_BIT
    needed = stat.S_IRWXU if is_folder else stat.S_IRUSR | stat.S_IWUSR
    if status.st_uid != owner:
        yield Flaw(_FOREIGN, where, name_of(status.st_uid), lambda bench: _given(place, owner))
    if mode & needed != needed:
        yield Flaw(_SHUT, where, f"{mode:04o}", lambda bench: _set(place, (mode | needed) & full))
    elif mode & 0o777 & ~full & ~ignored:
        yield Flaw(_OPEN, where, f"{mode:04o}", lambda bench: _set(place, mode & full))


def _given(place: _Place, owner: int) -> str:
    with _itself(place) as path:
        os.chown(path, owner, -1)
    return f"given to {name_of(owner)}"


def _set(place: _Place, mode: int) -> str:
    with _itself(place) as path:
        os.chmod(path, mode)
    return f"set to {mode:04o}"


@contextmanager
def _itself(place: _Place) -> Iterator[str]:
    """Yield a path that leads to that very file or folder. Raises OSError when a link has taken its place."""
    folder, name = place
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            raise OSError(errno.ELOOP, "It has become a link")
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
