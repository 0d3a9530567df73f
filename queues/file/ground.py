"""The folder that a queue is opened in: its format, its file system, and whether it is still there."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass

from core.errors import ConfigError, EngineUnavailable, Unsupported
from core.strict_json import BadJson, parse
from queues.file.disk import FOLDER_MODE, Disk
from queues.file.layout import TOP, Layout
from queues.file.trouble import missing
from queues.record import encoded

FORMAT = 1

_REMOTE = {
    "nfs": "NFS",
    "nfs4": "NFS",
    "cifs": "CIFS",
    "smb3": "CIFS",
    "smbfs": "CIFS",
    "9p": "9p",
    "ceph": "Ceph",
    "fuse": "FUSE",
    "fuseblk": "FUSE",
    "vboxsf": "a shared folder of the host",
    "virtiofs": "a shared folder of the host",
}
_FORGETFUL = {
    "tmpfs": "is kept in memory (tmpfs) and is lost when the machine stops",
    "ramfs": "is kept in memory (ramfs) and is lost when the machine stops",
    "overlay": "lies in a container's own layer (overlay) and is lost with the container",
}
_PROVEN = {"ext2", "ext3", "ext4", "xfs", "btrfs"}


@dataclass(frozen=True, slots=True)
class Mount:
    """The file system on which a path lies, as the kernel has mounted it."""

    point: str
    #: Its type, as mount(8) names it.
    kind: str
    #: Those of the mount and those of the file system, such as `ro`, `barrier=0`.
    options: frozenset[str]


class Ground:
    """The base folder, as it was when it was opened."""

    def __init__(self, disk: Disk, layout: Layout, *, allow_any_filesystem: bool) -> None:
        self._disk = disk
        self._layout = layout
        self._base = layout.base
        self._kind = file_system_of(self._base)
        if not allow_any_filesystem:
            refuse_remote(self._base, self._kind)
        self._prepare()
        self._inode = disk.status(self._base).st_ino

    def be_there(self) -> None:
        """Raise EngineUnavailable when the folder, or one in it, is gone or another has taken its place."""
        try:
            inode = self._disk.status(f"{self._base}").st_ino
        except FileNotFoundError:
            inode = None
        if inode != self._inode or not self._disk.exists(f"{self._base}/FORMAT.json"):
            raise EngineUnavailable(
                f"The queue's folder {self._base} is missing or was replaced.",
                hint="Put it back, or restart the bus to begin with an empty one.",
            )
        for folder in map(self._layout.top, TOP):
            if not self._disk.exists(folder):
                raise missing(folder)

    def warnings(self) -> list[str]:
        """Return what the operator should know about the folder."""
        found = []
        if self._disk.status(self._base).st_mode & stat.S_IWOTH:
            found.append(f"Everybody may write to {self._base}: chmod o-w {self._base}")
        doubt = doubt_of(self._base, self._kind)
        return [*found, doubt] if doubt else found

    def _prepare(self) -> None:
        os.makedirs(self._base, FOLDER_MODE, exist_ok=True)
        os.makedirs(self._layout.live, FOLDER_MODE, exist_ok=True)
        self._check_format()
        for name in TOP:
            os.makedirs(self._layout.top(name), FOLDER_MODE, exist_ok=True)
        for folder in (self._base, os.path.dirname(self._base)):
            self._disk.sync_folder(self._disk.open_folder(folder))

    def _check_format(self) -> None:
        path = f"{self._base}/FORMAT.json"
        try:
            check_format(self._disk, path)
        except FileNotFoundError:
            self._write_format(path)

    def _write_format(self, path: str) -> None:
        draft = f"{path}.{secrets.token_hex(4)}"
        self._disk.write_new(draft, _format())
        try:
            self._disk.rename(draft, path)
        except OSError:
            self._disk.unlink(draft)
            raise


def check_format(disk: Disk, path: str) -> None:
    """Raise ConfigError unless the file says the format that we know, FileNotFoundError if there is none."""
    try:
        document = parse(disk.read_file(path))
    except (BadJson, Unsupported) as error:
        raise ConfigError(f"{path} is damaged: {error.message}", hint=f"It must say {_format()!r}.") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise ConfigError(
            f"{path} says format {found!r}, and this version of the bus knows only {FORMAT}.",
            hint="Use the version that made the folder, or another folder.",
        )


def refuse_remote(base: str, kind: str) -> None:
    """Raise ConfigError when the type of the folder's file system is one that reaches over a network."""
    remote = _REMOTE.get(kind.partition(".")[0])
    if remote is not None:
        raise ConfigError(
            f"{base} lies on {remote}, where neither locks nor syncs can be relied on.",
            hint="Use a folder on a local ext4 or XFS, or allow any file system at your own risk.",
        )


def doubt_of(base: str, kind: str) -> str | None:
    """Return why a queue should not lie on a file system of that type; None when it may."""
    if kind in _FORGETFUL:
        return f"{base} {_FORGETFUL[kind]}: use a folder on ext4 or XFS."
    if kind not in _PROVEN:
        return f"{base} lies on {kind}, on which the queue was never tested: use ext4 or XFS."
    return None


def file_system_of(path: str) -> str:
    """Return the type of the file system on which a path lies or would lie, as mount(8) names it."""
    return mount_of(path).kind


def mount_of(path: str) -> Mount:
    """Return what is mounted where a path lies or would lie."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    real = os.path.realpath(path)
    best = Mount("", "unknown", frozenset())
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            mount = _mount_in(line)
            if len(mount.point) >= len(best.point) and f"{real}/".startswith(f"{mount.point.rstrip('/')}/"):
                best = mount
    return best


def _mount_in(line: str) -> Mount:
    """Return the mount of a line of proc_pid_mountinfo(5)."""
    mounted, _, rest = line.partition(" - ")
    place, system = mounted.split(" "), rest.rstrip("\n").split(" ")  # the device may be an empty word
    options = [*place[5].split(","), *system[2].split(",")]
    return Mount(place[4].replace("\\040", " "), system[0], frozenset(options))


def _format() -> bytes:
    return encoded({"format": FORMAT, "made_by": "aafai-bus"})
