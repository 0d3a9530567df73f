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
        #: Whether they are to be run before the next stop: there was work since, or they never were.
        self._outdated = True
        #: Whether no look since they were begun has found that they had ended and nothing was left to do.
        self._fresh = False
        #: Whether the work that there is came while they ran, so that it may be of their own making.
        self._own_work = False
        #: Whether they ran for such work already: what they submit themselves must not keep the machine on.
        self._again = False

    @property
    def under_way(self) -> bool:
        """Whether they are being run."""
        return self._thread is not None and self._thread.is_alive()

    def make(self) -> bool:
        """Begin to run them unless they were since the last work; return whether that is over."""
        if self.under_way:
            return False
        self._own_work = False
        if not (self._hooks and self._outdated):
            self._fresh = self._again = False
        else:
            self._outdated, self._fresh = False, True
            self._thread = threading.Thread(target=self._run, name="before the stop", daemon=True)
            self._thread.start()
        return not self.under_way

    def forget(self) -> None:
        """Have them run anew before the next stop, for there is a reason to stay on.

        If it came while they ran, that is once more and not a third time.
        """
        if self._fresh:
            self._outdated, self._again = not self._again, True
            self._fresh, self._own_work = False, True
        elif not self._own_work:
            self._outdated, self._again = True, False

    def _run(self) -> None:
        for hook in self._hooks:
            problem = hook.run()
            if problem is not None:
                self._warn(f"before the stop: {problem}")
