"""What the operator wants done before the machine is switched off: a backup, a word to somebody."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.programs import run_program


@dataclass(frozen=True, slots=True)
class Hook:
    """A program that is run before the machine is switched off."""

    argv: tuple[str, ...]
    #: Seconds that it may take.
    limit: float = 60.0

    def run(self) -> str | None:
        """Run it to its end; return what went wrong in one sentence, else None."""
        try:
            status, output = run_program(self.argv, self.limit)
        except OSError as error:
            return str(error)
        if status == 0:
            return None
        said = f", saying: {output}" if output else ""
        return f"`{shlex.join(self.argv)}` ended with status {status}{said}."


class Preparations:
    """Run the hooks once in each idle time, beside the power logic, and while jobs are still accepted."""

    def __init__(self, hooks: Sequence[Hook], warn: Callable[[str], object]) -> None:
        """`warn` is told what goes wrong; it keeps no machine on."""
        self._hooks = hooks
        self._warn = warn
        self._thread: threading.Thread | None = None
        #: Whether there was work since they were begun, or they never were.
        self._outdated = True

    @property
    def under_way(self) -> bool:
        """Whether they are being run."""
        return self._thread is not None and self._thread.is_alive()

    def make(self) -> bool:
        """Begin to run them unless they were since the last work; return whether that is over."""
        if self._hooks and self._outdated and not self.under_way:
            self._outdated = False
            self._thread = threading.Thread(target=self._run, name="before the stop", daemon=True)
            self._thread.start()
        return not self.under_way

    def forget(self) -> None:
        """Have them run anew before the next stop, for there is a reason to stay on."""
        self._outdated = True

    def wait(self) -> None:
        """Wait for the end of those that run."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        for hook in self._hooks:
            problem = hook.run()
            if problem is not None:
                self._warn(f"before the stop: {problem}")
