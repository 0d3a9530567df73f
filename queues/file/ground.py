"""The folder that a queue is opened in: its format, its file system, and whether it is still there."""

from __future__ import annotations

import os
import secrets
import stat

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


class Ground:
    """The base folder, as it was when it was opened."""

    def __init__(self, disk: Disk, layout: Layout, *, allow_any_filesystem: bool) -> None:
        self._disk = disk
        self._layout = layout
        self._base = layout.base
        self._kind = file_system_of(self._base)
        if not allow_any_filesystem:
            self._refuse_remote()
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
        if self._kind in _FORGETFUL:
            found.append(f"{self._base} {_FORGETFUL[self._kind]}: use a folder on ext4 or XFS.")
        elif self._kind not in _PROVEN:
            found.append(
                f"{self._base} lies on {self._kind}, on which the queue was never tested: use ext4 or XFS."
            )
        return found

    def _refuse_remote(self) -> None:
        remote = _REMOTE.get(self._kind.split(".")[0])
        if remote is not None:
            raise ConfigError(
                f"{self._base} lies on {remote}, where neither locks nor syncs can be relied on.",
                hint="Use a folder on a local ext4 or XFS, or allow any file system at your own risk.",
            )

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
            document = parse(self._disk.read_file(path))
        except FileNotFoundError:
            self._write_format(path)
            return
        except (BadJson, Unsupported) as error:
            raise ConfigError(
                f"{path} is damaged: {error.message}", hint=f"It must say {_format()!r}."
            ) from None
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise ConfigError(
                f"{path} says format {found!r}, and this version of the bus knows only {FORMAT}.",
                hint="Use the version that made the folder, or another folder.",
            )

    def _write_format(self, path: str) -> None:
        draft = f"{path}.{secrets.token_hex(4)}"
        self._disk.write_new(draft, _format())
        try:
            self._disk.rename(draft, path)
        except OSError:
            self._disk.unlink(draft)
            raise


def file_system_of(path: str) -> str:
    """Return the type of the file system on which a path lies or would lie, as mount(8) names it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    real = os.path.realpath(path)
    best, kind = "", "unknown"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            mounted, _, rest = line.partition(" - ")
            point = mounted.split()[4].replace("\\040", " ")
            if len(point) >= len(best) and (real + "/").startswith(point.rstrip("/") + "/"):
                best, kind = point, rest.split()[0]
    return kind


def _format() -> bytes:
    return encoded({"format": FORMAT, "made_by": "aafai-bus"})
