"""Whether a queue may lie where it lies: its format, its file system, and the room there."""

from __future__ import annotations

import os
from collections.abc import Iterator

from core.errors import ConfigError, DiskFull
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient, name_of
from queues.file.ground import check_format, doubt_of, mount_of, refuse_remote
from queues.file.options import FileOptions
from queues.file.room import Room

#: What of the mount's options costs something, and what.
_OPTIONS = {
    "ro": (Mark.PROBLEM, "is mounted read-only", "Nothing can be stored.", "mount -o remount,rw"),
    "nobarrier": (
        Mark.PROBLEM,
        "is mounted with barriers off",
        "A power cut loses jobs that were accepted.",
        "mount -o remount,barrier",
    ),
    "data=writeback": (
        Mark.WARNING,
        "is mounted with data=writeback",
        "After a power cut logs may hold what other files held before. Records are synced and do not.",
        "take it out of /etc/fstab and mount anew; this is not a thing to remount:",
    ),
}
_OPTIONS["barrier=0"] = _OPTIONS["nobarrier"]

_MISSING = Kind(
    code="folder_missing",
    mark=Mark.PROBLEM,
    one="The queue's folder does not exist",
    why="There is nothing to examine. The bus makes the folder when it starts.",
    remedy="Name another one, or set QUEUE_BASE_PATH: {bus} doctor /path/to/queues",
    fatal=True,
)
_NO_QUEUE = Kind(
    code="folder_not_a_queue",
    mark=Mark.PROBLEM,
    one="The folder is no queue: nothing in it is the bus's",
    why="There is nothing to examine. The bus makes a queue of an empty folder when it starts.",
    remedy="Name another one, or set QUEUE_BASE_PATH: {bus} doctor /path/to/queues",
    fatal=True,
)
_CLOSED = Kind(
    code="folder_closed",
    mark=Mark.PROBLEM,
    one="You may not look into the queue's folder",
    why="Its files belong to the user of the bus, and to nobody else.",
    remedy="sudo -u {owner} {bus} doctor {folder}",
    fatal=True,
)


def check_folder(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether the folder is there, is a queue, and may be examined."""
    if not os.path.isdir(patient.folder):
        yield Flaw(_MISSING, patient.folder)
    elif not os.access(patient.folder, os.R_OK | os.X_OK, effective_ids=True):
        yield Flaw(_CLOSED, patient.folder, f"It belongs to {name_of(patient.owner)}.")
    else:
        yield patient.folder
        yield from _check_format(patient)


def check_file_system(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether the file system keeps what it is told to keep."""
    if not os.path.isdir(patient.folder):
        return
    mount = mount_of(patient.folder)
    yield f"{mount.kind} on {mount.point}"
    try:
        refuse_remote(patient.folder, mount.kind)
    except ConfigError as error:
        allowed = patient.config.allow_any_filesystem
        mark, why = (
            (Mark.WARNING, "It was allowed by a setting; nothing is promised there.")
            if allowed
            else (Mark.PROBLEM, "The bus refuses to start.")
        )
        yield Flaw(_one("file_system_remote", mark, error.message, why, error.hint))
    if doubt := doubt_of(patient.folder, mount.kind):
        yield Flaw(_one("file_system_doubtful", Mark.WARNING, doubt, "Accepted jobs may be lost there."))
    for option in sorted(mount.options & _OPTIONS.keys()):
        mark, what, why, remedy = _OPTIONS[option]
        yield Flaw(_one("mount_option", mark, f"{mount.point} {what}", why, f"{remedy} {mount.point}"))


def check_room(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether new jobs find room."""
    if not os.path.isdir(patient.folder):
        return
    room = os.statvfs(patient.folder)
    inodes = f" and {room.f_favail * 100 // room.f_files} % of the inodes" if room.f_files else ""
    yield f"{room.f_bavail * room.f_frsize / 2**30:.1f} GiB{inodes} free"
    limits = FileOptions(min_free_bytes=patient.config.min_free)
    rule = Room(
        patient.site,
        min_free_bytes=limits.min_free_bytes,
        min_free_share=limits.min_free_share,
        reserve_bytes=0,
    )
    try:
        rule.admit()
    except DiskFull as error:
        why = "New jobs are refused until there is more room; accepted ones still run to their end."
        yield Flaw(_one("room_short", Mark.PROBLEM, error.message, why, error.hint))


def _check_format(patient: Patient) -> Iterator[Flaw | str]:
    try:
        check_format(patient.disk, patient.path("FORMAT.json"))
    except FileNotFoundError:
        if not patient.disk.is_folder(patient.path("inbound")):
            yield Flaw(_NO_QUEUE, patient.folder)
    except ConfigError as error:
        why = "The bus refuses to start on it, and what is in it may mean something else."
        yield Flaw(_one("format_unknown", Mark.PROBLEM, error.message, why, error.hint, fatal=True))


def _one(code: str, mark: Mark, what: str, why: str, remedy: str = "", *, fatal: bool = False) -> Kind:
    return Kind(code=code, mark=mark, one=what.rstrip("."), why=why, remedy=remedy, fatal=fatal)
