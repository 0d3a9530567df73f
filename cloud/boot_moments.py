"""What the machine tells of its own start: the kernel's process table, and systemd where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.boots import Moments
from core.programs import run_program

_ASK_SYSTEMD = (
    "systemctl",
    "show",
    "--property=FirmwareTimestampMonotonic",
    "--property=UserspaceTimestampMonotonic",
)
_LIMIT = 5.0  # seconds
_START_TIME = 19  # Which field of a process's stat it is, counted from the one after its name.


def boot_moments(proc: Path = Path("/proc"), ask: Callable[[], str] | None = None) -> Moments:
    """Return what is known of the start of the machine and of this service. Raises OSError.

    `proc` is where the kernel shows its process table. `ask` returns what systemd says of its properties, a
    `name=value` each; it may take some seconds, and raises OSError where there is no systemd.
    """
    own, parent = proc / "self", proc / str(os.getppid())
    process = _started(own)
    told = _told(ask or _ask_systemd)
    return Moments(
        boot_id=(proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        firmware=told.get("FirmwareTimestampMonotonic", 0.0),
        kernel=told.get("UserspaceTimestampMonotonic") or None,
        # A server's processes are started by its first one, which runs the same program.
        service=_started(parent) if _program(parent) == _program(own) else process,
        process=process,
    )


def _ask_systemd() -> str:
    if not Path("/run/systemd/system").is_dir():
        raise FileNotFoundError("systemd does not run here.")
    status, text = run_program(_ASK_SYSTEMD, _LIMIT)
    return text if status == 0 else ""


def _told(ask: Callable[[], str]) -> dict[str, float]:
    """Return what systemd says, in seconds; nothing where there is none."""
    try:
        pairs = [pair.partition("=") for pair in ask().split()]
    except OSError:
        return {}
    return {name: int(value) / 1e6 for name, _, value in pairs if value.isdecimal()}


def _program(process: Path) -> str:
    """Return the path of the program that a process runs; nothing where it is hidden from us."""
    try:
        return str((process / "exe").readlink())
    except OSError:
        return ""


def _started(process: Path) -> float:
    """Return when the process was started, in seconds on the boot-time clock."""
    # The name of its program comes before, in parentheses, and may hold any character.
    _, _, fields = (process / "stat").read_text(errors="replace").rpartition(")")
    return int(fields.split()[_START_TIME]) / os.sysconf("SC_CLK_TCK")
