"""The watchdog: a program of its own that switches the machine off when the bus no longer can.

A timer runs it once a minute. It stands alone: the standard library, a file of the bus that it reads, and
one of its own that it can do without, both in memory. So what broke the bus leaves it whole: a disk that is
full or read-only, a broken checkout, a log that hangs. All times are seconds since boot (CLOCK_BOOTTIME),
which nobody can set: a jump of the wall clock neither hides a dead bus nor ends a living one.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

#: Seconds in each unit of a duration.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

#: Seconds by which a heartbeat may seem to lie in the future: it is rounded, and may be newer than our `now`.
_SLACK = 60.0
#: Seconds of sleep that are no sleep: the two clocks are not read at the same moment.
_NAP = 1.0
#: More than anything that is read here is long.
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Memory:
    """What one look leaves to the next."""

    #: Seconds that the machine has slept since it booted.
    slept: float = 0.0
    #: When the machine booted, or was first seen awake after its last sleep; in seconds since boot.
    awake_since: float = 0.0
    #: How many looks in a row, this one not counted, found that the machine must stop.
    tries: int = 0


def main(arguments: list[str] | None = None) -> int:
    """Look once; run a command when the machine must stop; return the exit status."""
    options = parser().parse_args(arguments)
    stale_after, heartbeat = options.stale_after, None
    try:
        heartbeat = read_heartbeat(options.heartbeat)
    except OSError as error:
        # Nobody knows whether the bus lives. Only the longest uptime may then end what is perhaps at work.
        _tell(f"The heartbeat cannot be read: {error}")
        stale_after = math.inf
    now, slept = _clock(options)  # Only now, or a bus that lives would often be ahead of it.
    past = recall(options.memory, now, slept)
    reason = decide(
        now,
        heartbeat,
        awake_since=past.awake_since,
        stale_after=stale_after,
        max_uptime=options.max_uptime,
    )
    remember(options.memory, Memory(slept, past.awake_since, 0 if reason is None else past.tries + 1))
    if reason is None:
        return 0
    commands = options.command or [["systemctl", "poweroff"]]
    return _run(commands[min(past.tries // options.tries, len(commands) - 1)], reason, options.limit)


def decide(
    now: float, heartbeat: float | None, *, awake_since: float = 0.0, stale_after: float, max_uptime: float
) -> str | None:
    """Return why the machine must stop, or None when it may stay on.

    All but the two limits are seconds since boot. No heartbeat counts as one at boot, or at the end of the
    last sleep; so does one from before that, and one from the future, which an earlier boot left behind.
    """
    uptime = now - awake_since
    if uptime > max_uptime:
        return f"it has been up for {uptime:.0f} s, {max_uptime:.0f} s are allowed"
    if heartbeat is not None and awake_since <= heartbeat <= now + _SLACK:
        silence, since = now - heartbeat, "the last heartbeat"
    else:
        silence, since = uptime, "it woke up" if awake_since else "boot"
    if silence > stale_after:
        return f"{silence:.0f} s have passed since {since}, {stale_after:.0f} s are allowed"
    return None


def read_heartbeat(path: Path) -> float | None:
    """Return the seconds since boot that the bus last wrote; None when no file, or no time in it, is there.

    Raises OSError when a file is there that cannot be read.
    """
    try:
        seconds = float(_read(path))
    except (FileNotFoundError, ValueError):
        return None
    return seconds if seconds >= 0 else None


def recall(path: Path | None, now: float, slept: float) -> Memory:
    """Return what the last look left, brought up to `now`: a machine that slept since then was just woken.

    Without a readable memory of this boot, it is that of a machine that never slept.
    """
    try:
        known, since, tries = map(float, _read(path).split()) if path else (0.0, 0.0, 0.0)
    except (OSError, ValueError):
        known = since = tries = 0.0
    if not (0 <= since <= now and 0 <= known <= slept + _NAP and 0 <= tries < math.inf):
        known = since = tries = 0.0
    if slept - known > _NAP:
        return Memory(slept, now)
    return Memory(known, since, int(tries))


def remember(path: Path | None, memory: Memory) -> None:
    """Leave something to the next look, in place: where nothing new can be written, that often still can."""
    if path is None:
        return
    line = " ".join(f"{number:017.3f}" for number in astuple(memory))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        _tell(f"What was seen cannot be kept for the next look: {error}")


def _clock(options: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds since boot, and how many of them the machine slept."""
    if options.now is not None:
        return options.now, options.slept
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return now, now - time.clock_gettime(time.CLOCK_MONOTONIC)


def _read(path: Path) -> str:
    """Return the start of a file. It waits for nobody: a pipe in the file's place is an empty file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LONGEST).decode("ascii")
    finally:
        os.close(descriptor)


def _run(command: list[str], reason: str, limit: float) -> int:
    """Run the command, and only then tell why: a log that hangs must not keep the machine on."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        _tell(f"The machine is still on, although {reason}: {error}")
        return 1
    _tell(f"Switching the machine off by `{shlex.join(command)}`: {reason}.")
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()  # And nobody waits for that: a process that the kernel holds would not end.
        _tell(f"The machine is still on: `{shlex.join(command)}` did not end within {limit:.0f} s.")
        return 1


def _tell(sentence: str) -> None:
    """Write to the log, or do without."""
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode(errors="replace"))


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line; all times in seconds."""
    reader = argparse.ArgumentParser(
        prog="watchdog.py",
        allow_abbrev=False,
        description="Switch the machine off when the bus is dead or hung, or has run for too long.",
        epilog="The bus writes the seconds since boot into the heartbeat file, one line, several times a "
        "minute. Exit status: 0 when the machine may stay on, else that of the command.",
    )
    option = reader.add_argument
    option("--heartbeat", type=Path, required=True, metavar="FILE", help="what the bus keeps fresh")
    option("--memory", type=Path, metavar="FILE", help="what this program keeps from look to look")
    option("--stale-after", type=_duration, default="10m", metavar="10m", help="silence that means death")
    option("--max-uptime", type=_duration, default="12h", metavar="12h", help="longest time to be up")
    option(
        "--command",
        type=_words,
        action="append",
        metavar="'systemctl poweroff'",
        help="what switches off; given twice, the second is for when the first did not",
    )
    option("--tries", type=_count, default="5", metavar="5", help="how often to run each command")
    option("--limit", type=_duration, default="60s", metavar="60s", help="longest time for a command")
    # Tests move the clocks; nobody else should.
    option("--now", type=float, help=argparse.SUPPRESS)
    option("--slept", type=float, default=0.0, help=argparse.SUPPRESS)
    return reader


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write a number and s, m, h or d, as in 10m")
    return float(match[1]) * UNITS[match[2]]


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tries: write 1 or more, as in 5")
    return int(text)


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from error
    if not words:
        raise argparse.ArgumentTypeError("the command is empty: name a program, as in 'systemctl poweroff'")
    return words


if __name__ == "__main__":
    sys.exit(main())
