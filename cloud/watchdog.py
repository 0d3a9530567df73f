"""The watchdog: a program of its own that switches the machine off when the bus no longer can.

A timer runs it once a minute. It imports only the standard library and reads only one file, so that whatever
broke the bus leaves it whole. All times are seconds since boot (CLOCK_BOOTTIME, sleep included), which nobody
can set: a jump of the wall clock neither hides a dead bus nor ends a living one.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

#: Seconds in each unit of a duration.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(arguments: list[str] | None = None) -> int:
    """Look at the heartbeat once; run the command when the machine must stop; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        heartbeat = read_heartbeat(options.heartbeat)
    except OSError as error:
        # Nobody knows whether the bus lives. Only the longest uptime may then end what is perhaps at work.
        print(f"The heartbeat cannot be read: {error}", file=sys.stderr)
        heartbeat = options.now
    reason = decide(options.now, heartbeat, stale_after=options.stale_after, max_uptime=options.max_uptime)
    if reason is None:
        return 0
    print(f"Switching the machine off: {reason}.", flush=True)
    return _run(options.command)


def decide(now: float, heartbeat: float | None, *, stale_after: float, max_uptime: float) -> str | None:
    """Return why the machine must stop, or None when it may stay on.

    `now` and `heartbeat` are seconds since boot. A missing heartbeat counts as one at boot, and so does one
    from the future, which an earlier boot left behind.
    """
    if now > max_uptime:
        return f"it has been up for {now:.0f} s, {max_uptime:.0f} s are allowed"
    if heartbeat is None or heartbeat > now:
        silence, since = now, "boot"
    else:
        silence, since = now - heartbeat, "the last heartbeat"
    if silence > stale_after:
        return f"{silence:.0f} s have passed since {since}, {stale_after:.0f} s are allowed"
    return None


def read_heartbeat(path: Path) -> float | None:
    """Return the seconds since boot that the bus last wrote; None when no file, or no time in it, is there.

    Raises OSError when a file is there that cannot be read.
    """
    try:
        seconds = float(path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return seconds if seconds >= 0 else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloud.watchdog",
        allow_abbrev=False,
        description="Switch the machine off when the bus is dead or hung, or has run for too long.",
        epilog="The bus writes the seconds since boot into the heartbeat file, one line, several times a "
        "minute. Exit status: 0 when the machine may stay on, else that of the command.",
    )
    option = parser.add_argument
    option("--heartbeat", type=Path, required=True, metavar="FILE", help="what the bus keeps fresh")
    option("--stale-after", type=_duration, default="10m", metavar="10m", help="silence that means death")
    option("--max-uptime", type=_duration, default="12h", metavar="12h", help="longest time to be up")
    option("--command", type=_words, default="systemctl poweroff", metavar="'systemctl poweroff'")
    # Tests move the clock; nobody else should.
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    option("--now", type=float, default=now, help=argparse.SUPPRESS)
    return parser


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write a number and s, m, h or d, as in 10m")
    return float(match[1]) * UNITS[match[2]]


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from error
    if not words:
        raise argparse.ArgumentTypeError("the command is empty: name a program, as in 'systemctl poweroff'")
    return words


def _run(command: list[str]) -> int:
    try:
        return subprocess.run(command, check=False, timeout=60).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"The machine is still on: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
