"""Real file systems in image files: small enough to fill up, and with a power that can be cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Program and Debian package that make each file system.
MAKERS = {"ext4": ("mkfs.ext4", "e2fsprogs"), "xfs": ("mkfs.xfs", "xfsprogs")}

_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
#: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number: _IOR('X', 125, __u32).
_SHUTDOWN = 0x8004587D
#: What is in the journal's memory only is dropped, as by a power cut.
_WITHOUT_FLUSH = struct.pack("I", 2)
_UNMOUNT_TRIES = 400


@dataclass(frozen=True)
class Image:
    """A mounted file system."""

    kind: str
    file: Path
    folder: Path

    def cut(self) -> None:
        """Let everything be lost that is not on the disk; every later call on the file system fails."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(fd)

    def reboot(self) -> None:
        """Mount the file system anew, which replays its journal."""
        self.unmount()
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self.file), str(self.folder))

    def unmount(self) -> None:
        """Unmount, waiting until the kernel has let go of the file. Raises RuntimeError when it does not.

        Whoever was just killed holds it for a while, and who mounts it meanwhile gets the dead one back.
        """
        for _ in range(_UNMOUNT_TRIES):
            subprocess.run(["umount", self.folder], capture_output=True, check=False)
            if not _run("losetup", "--associated", str(self.file)):
                return
            threading.Event().wait(0.05)
        subprocess.run(["umount", "--lazy", self.folder], capture_output=True, check=False)
        raise RuntimeError(f"{self.folder} was busy for ever: a process was left running")


@contextmanager
def an_image(kind: str, *, mebibytes: int, options: tuple[str, ...] = ()) -> Iterator[Image]:
    """Make and mount a file system, and remove every trace of it at the end, whatever happens."""
    top = Path(tempfile.mkdtemp(prefix="aafai-image-"))
    image = Image(kind, top / "disk.img", top / "mounted")
    try:
        image.folder.mkdir()
        with image.file.open("wb") as file:
            file.truncate(mebibytes << 20)
        _run(*_MAKE[kind], *options, str(image.file))
        image.mount()
        try:
            yield image
        finally:
            image.unmount()
    finally:
        shutil.rmtree(top)


def reason_against(kind: str) -> str:
    """Return why this machine cannot mount such an image; empty if it can."""
    program, package = MAKERS[kind]
    if shutil.which(program) is None:
        return f"{program} is not installed (Debian package {package})"
    if os.geteuid() != 0:
        return "only root may mount loop devices"
    try:
        with an_image(kind, mebibytes=320):
            return ""
    except (OSError, RuntimeError) as error:
        return f"a loop device with {kind} cannot be mounted here: {error}"


def _run(*command: str) -> str:
    """Run a program and return what it printed. Raises RuntimeError with what it said when it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{command[0]}: {ran.stderr.strip() or ran.returncode}")
    return ran.stdout
