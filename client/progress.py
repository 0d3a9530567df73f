"""Shows people how far it is: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import os
from typing import Any, TextIO

from client.printable import printable, shortened, writes
from core.clock import Clock

_BAR, _USUAL_WIDTH = 24, 80  # columns
_CLEAR = "\r\033[K"


class Progress:
    """Tells on a stream what is waited for, each step with the seconds that have passed until then."""

    def __init__(self, stream: TextIO, clock: Clock, *, quiet: bool = False) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock.monotonic()
        self._quiet = quiet
        self._signs = ("█", "░") if writes("█░", stream.encoding) else ("#", ".")
        #: Whether one line may be written over.
        self.is_live = stream.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._said = ""
        #: Whether the cursor stands at the end of a line, and whether that may be written over.
        self._is_open = self._is_passing = False

    def tell(self, told: str) -> None:
        """Tell in a sentence what is waited for; what was told before stays above it."""
        self._say(told, replaces=False)

    def watch(self, job: dict[str, Any]) -> None:
        """Show how a job stands."""
        ended = job["state"] not in {"queued", "running"}
        self._say(self._line(job), replaces=not ended)

    def close(self) -> None:
        """End the line, so that what is printed next begins a new one."""
        if self._is_open:
            self._stream.write("\n")
            self._stream.flush()
            self._is_open = False

    def _say(self, told: str, *, replaces: bool) -> None:
        text = printable(told)
        overwrites = replaces and self._is_open and self._is_passing
        if self._quiet or (text == self._said and not overwrites):
            return
        self._said = text
        line = f"{self._clock.monotonic() - self._began:5.0f} s  {text}"
        if self.is_live and replaces:  # Of a line that has wrapped, only the last row could be written over.
            line = shortened(line, self._width() - 1)
        if not self.is_live:
            self._stream.write(f"{line}\n")
        elif overwrites:
            self._stream.write(f"{_CLEAR}{line}")
        else:
            self.close()
            self._stream.write(line)
        self._is_open, self._is_passing = self.is_live, replaces
        self._stream.flush()

    def _width(self) -> int:
        """Return the columns of the terminal as it is now."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH
        except (OSError, ValueError):
            return _USUAL_WIDTH

    def _line(self, job: dict[str, Any]) -> str:
        progress = job.get("progress") or {}
        fraction, message = progress.get("fraction"), progress.get("message") or ""
        if job["state"] != "running" or fraction is None:
            return f"{job['state']}  {message}".rstrip()
        full, empty = self._signs
        filled = round(_BAR * min(1.0, max(0.0, float(fraction))))
        bar = full * filled + empty * (_BAR - filled)
        return f"running  {bar} {fraction:4.0%}  {message}".rstrip()
