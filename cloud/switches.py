"""Power switches: a command of the operator's, or systemd. Every program that is run gets a time limit."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError, SwitchFailed
from core.machine import Switch

_ASK_LOGIND = (
    "busctl",
    "--system",
    "call",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "CanPowerOff",
)
_LONGEST_OUTPUT = 500


@dataclass(frozen=True, slots=True)
class CommandSwitch:
    """Switch the machine off by running a program."""

    argv: tuple[str, ...]
    name: str = "command"
    #: Seconds that the program may take.
    limit: float = 30.0

    def check(self) -> str | None:
        """Return a sentence when there is no such program."""
        if shutil.which(self.argv[0]) is None:
            return (
                f"{self.name}: there is no program {self.argv[0]!r} to run; install it or give its full path."
            )
        return None

    def off(self) -> None:
        """Run the program. Raises SwitchFailed when it cannot be run, fails, or takes too long."""
        status, output = _run(self.argv, self.limit)
        if status != 0:
            said = f", saying: {output}" if output else ""
            raise SwitchFailed(f"`{shlex.join(self.argv)}` ended with status {status}{said}.")


@dataclass(frozen=True, slots=True)
class SystemdSwitch:
    """Switch the machine off by systemd, which asks logind and polkit whether this user may."""

    name: str = "systemd"
    #: Seconds that each program may take.
    limit: float = 30.0

    def check(self) -> str | None:
        """Return a sentence when logind would not let this user switch off, or cannot be asked."""
        for program in ("systemctl", "busctl"):
            if shutil.which(program) is None:
                return f"systemd: there is no {program} here; install systemd or set AAFAI_POWER_SWITCH."
        try:
            status, answer = _run(_ASK_LOGIND, min(self.limit, 5.0))
        except SwitchFailed as error:
            return f"systemd: logind could not be asked whether this user may switch off: {error.message}"
        if status != 0:
            return f"systemd: logind did not say whether this user may switch off: {answer}"
        if answer != 's "yes"':
            said = answer.removeprefix("s ")
            return f"systemd: logind says {said} to this user's switching off; install the polkit rule."
        return None

    def off(self) -> None:
        """Run `systemctl poweroff`. Raises SwitchFailed."""
        CommandSwitch(("systemctl", "--no-ask-password", "poweroff"), self.name, self.limit).off()


def open_switches(specs: Sequence[str]) -> list[Switch]:
    """Return the switches of AAFAI_POWER_SWITCH, in turn; there is none for `none`. Raises ConfigError."""
    return [switch for spec in specs if (switch := _opened(spec)) is not None]


def _opened(spec: str) -> Switch | None:
    kind, _, rest = spec.partition(":")
    if spec == "none":
        return None
    if spec == "systemd":
        return SystemdSwitch()
    try:
        argv = tuple(shlex.split(rest))
    except ValueError as error:
        raise ConfigError(f"AAFAI_POWER_SWITCH: {rest!r} cannot be read: {error}; mend its quotes.") from None
    if kind != "command" or not argv:
        raise ConfigError(
            f"AAFAI_POWER_SWITCH: {spec!r} is no switch; write none, systemd or command:/path/to/it."
        )
    return CommandSwitch(argv)


def _run(argv: Sequence[str], limit: float) -> tuple[int, str]:
    """Run a program in a process group of its own; return its exit status and the start of its output.

    Raises SwitchFailed when it cannot start or does not end in time; then its group is killed. The output
    goes to memory by a file: a full disk is no reason to stay on, and children that outlive the program could
    keep a pipe open for ever.
    """
    with open(os.memfd_create("output"), "w+b") as output:  # noqa: PTH123  It has no path.
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise SwitchFailed(f"`{argv[0]}` could not be run: {error.strerror}.") from None
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise SwitchFailed(f"`{shlex.join(argv)}` did not end within {limit:g} s.") from None
        output.seek(0)
        text = output.read(_LONGEST_OUTPUT).decode(errors="replace")
    return status, " ".join(text.split())
