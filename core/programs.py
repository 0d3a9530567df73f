"""Runs programs of the operator's: each in a process group of its own, with a time limit."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence

_LONGEST_OUTPUT = 500


def run_program(argv: Sequence[str], limit: float) -> tuple[int, str]:
    """Run a program for `limit` seconds at most; return its exit status and the start of its output.

    Raises OSError, whose text is a sentence, when the program cannot start or does not end in time; then its
    group is killed. The output goes to memory by a file: a full disk keeps nothing from running, and children
    that outlive the program could keep a pipe open for ever.
    """
    with open(os.memfd_create("output"), "w+b") as output:  # noqa: PTH123  It has no path.
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise OSError(f"`{argv[0]}` could not be run: {error.strerror}.") from None
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise TimeoutError(f"`{shlex.join(argv)}` did not end within {limit:g} s.") from None
        output.seek(0)
        text = output.read(_LONGEST_OUTPUT).decode(errors="replace")
    return status, " ".join(text.split())
