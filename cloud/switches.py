"""Power switches: a command of the operator's, systemd, Google. Whatever is asked gets a time limit."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError, SwitchFailed
from core.machine import Switch
from core.programs import run_program

_ASK_LOGIND = (
    "busctl",
    "--system",
    "call",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "CanPowerOff",
)
_INSTALL = "sudo install -m 0644 aafai-bus-poweroff.rules /etc/polkit-1/rules.d/50-aafai-bus-poweroff.rules"


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
        try:
            status, output = run_program(self.argv, self.limit)
        except OSError as error:
            raise SwitchFailed(str(error)) from None
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
            status, answer = run_program(_ASK_LOGIND, min(self.limit, 5.0))
        except OSError as error:
            return f"systemd: logind could not be asked whether this user may switch off: {error}"
        if status != 0:
            return f"systemd: logind did not say whether this user may switch off: {answer}"
        if answer != 's "yes"':
            said = answer.removeprefix("s ")
            told = f"logind says {said} to this user's switching off; install the polkit rule"
            return f"systemd: {told}: {_INSTALL}"
        return None

    def off(self) -> None:
        """Run `systemctl poweroff`. Raises SwitchFailed."""
        CommandSwitch(("systemctl", "--no-ask-password", "poweroff"), self.name, self.limit).off()


def open_switches(specs: Sequence[str], *, google: str = "") -> list[Switch]:
    """Return the switches of AAFAI_POWER_SWITCH, in turn; there is none for `none`. Raises ConfigError.

    `google` is where Google's services are asked instead of at their own addresses.
    """
    return [switch for spec in specs if (switch := _opened(spec, google)) is not None]


def _opened(spec: str, google: str) -> Switch | None:
    kind, _, rest = spec.partition(":")
    if spec == "none":
        return None
    if spec == "systemd":
        return SystemdSwitch()
    if spec in {"gcp", "gcp:suspend"}:
        return _google_switch(google, suspends=rest == "suspend")
    try:
        argv = tuple(shlex.split(rest))
    except ValueError as error:
        raise ConfigError(f"AAFAI_POWER_SWITCH: {rest!r} cannot be read: {error}; mend its quotes.") from None
    if kind != "command" or not argv:
        raise ConfigError(
            f"AAFAI_POWER_SWITCH: {spec!r} is no switch; write none, systemd, gcp, gcp:suspend or"
            " command:/path/to/it."
        )
    return CommandSwitch(argv)


def _google_switch(address: str, *, suspends: bool) -> Switch:
    from cloud.gce import GceSwitch  # noqa: PLC0415  Few machines are Google's.
    from cloud.google_api import Google  # noqa: PLC0415

    return GceSwitch(Google.at(address), suspends)
