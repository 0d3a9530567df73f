"""Whether somebody watches over an installed bus, and switches the machine off when the bus cannot."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

from cloud import watchdog
from core.programs import run_program
from core.timing import format_duration
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

#: Where docs/deploy.md installs the units.
UNITS = Path("/etc/systemd/system")
_BUS, _SERVICE, _TIMER = "aafai-bus.service", "aafai-bus-watchdog.service", "aafai-bus-watchdog.timer"
#: Seconds that systemd may take to answer.
_PATIENCE = 5.0

_MISSING = Kind(
    code="watchdog_missing",
    mark=Mark.WARNING,
    one="The watchdog is not installed beside the bus",
    why="When the bus dies or hangs, nothing switches the machine off, and it goes on costing money.",
    remedy="sudo install -m 0644 aafai-bus-watchdog.service aafai-bus-watchdog.timer /etc/systemd/system/ &&"
    " sudo systemctl daemon-reload && sudo systemctl enable --now aafai-bus-watchdog.timer",
)
_ASLEEP = Kind(
    code="watchdog_asleep",
    mark=Mark.WARNING,
    one="The watchdog is installed and does not run",
    why="When the bus dies or hangs, nothing switches the machine off, and it goes on costing money.",
    remedy="sudo systemctl enable --now aafai-bus-watchdog.timer",
)
_BLIND = Kind(
    code="watchdog_blind",
    mark=Mark.PROBLEM,
    one="The watchdog looks for the heartbeat where the bus does not write it",
    why="It takes the bus for dead and switches the machine off ten minutes after each start.",
    remedy="Set AAFAI_RUNTIME_DIR and --heartbeat of aafai-bus-watchdog.service to the same folder",
)
_HASTY = Kind(
    code="watchdog_hasty",
    mark=Mark.WARNING,
    one="The watchdog is less patient than the bus",
    why="It switches the machine off while the bus still means to stop in an orderly way.",
    remedy="sudo systemctl edit --full aafai-bus-watchdog.service",
)


def check_watchdog(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether the watchdog of an installed bus is there, runs, and waits for what the bus may do."""
    if not (UNITS / _BUS).exists():
        return
    if not ((UNITS / _SERVICE).exists() and (UNITS / _TIMER).exists()):
        yield Flaw(_MISSING, str(UNITS))
        return
    lacks = [said for word in ("is-active", "is-enabled") if (said := _denied(word))]
    if lacks:
        yield Flaw(_ASLEEP, _TIMER, "; ".join(lacks))
    else:
        yield "the watchdog runs"
    yield from _compared(patient, _options(UNITS / _SERVICE))


def _denied(word: str) -> str:
    """Return what systemd says when it does not confirm that the timer is so; empty when it does."""
    try:
        status, answer = run_program(("systemctl", word, _TIMER), _PATIENCE)
    except OSError as error:
        return str(error)
    return "" if status == 0 else f"systemctl {word} says {answer or status}"


def _compared(patient: Patient, options: argparse.Namespace | None) -> Iterator[Flaw]:
    if options is None:  # Somebody's own watchdog, which we do not know.
        return
    config = patient.config
    if options.heartbeat != config.runtime_dir / "heartbeat":
        yield Flaw(_BLIND, str(options.heartbeat), f"the bus writes {config.runtime_dir / 'heartbeat'}")
    preparing = len(config.before_stop) * config.before_stop_limit
    longest = config.max_uptime + preparing + config.drain_timeout + config.power_verify
    if options.max_uptime < longest:
        yield Flaw(_HASTY, "--max-uptime", f"the bus may stay on for {format_duration(longest)}")


def _options(unit: Path) -> argparse.Namespace | None:
    """Return the options of the installed watchdog; None when they are not ours to read."""
    text = unit.read_text(errors="replace").replace("\\\n", " ")
    commands = [
        line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")
    ]
    try:
        words = shlex.split(commands[-1])
        return watchdog.parser().parse_args(words[words.index("--heartbeat") :])
    except (IndexError, ValueError, SystemExit):
        return None
