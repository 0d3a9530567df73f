"""What the operator wants done before the machine is switched off: a backup, a word to somebody."""

from __future__ import annotations

import shlex
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
