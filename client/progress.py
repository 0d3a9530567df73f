"""Shows people how far it is: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

from typing import Any, TextIO

from client.printable import printable, writes
from core.clock import Clock

_BAR = 24  # columns
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
        self.is_live = stream.isatty() and not quiet
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
        if self._quiet or text == self._said:
            return
        self._said = text
        line = f"{self._clock.monotonic() - self._began:5.0f} s  {text}"
        if not self.is_live:
            self._stream.write(f"{line}\n")
        elif replaces and self._is_open and self._is_passing:
            self._stream.write(f"{_CLEAR}{line}")
        else:
            self.close()
            self._stream.write(line)
        self._is_open, self._is_passing = self.is_live, replaces
        self._stream.flush()

    def _line(self, job: dict[str, Any]) -> str:
        progress = job.get("progress") or {}
        fraction, message = progress.get("fraction"), progress.get("message") or ""
        if job["state"] != "running" or fraction is None:
            return f"{job['state']}  {message}".rstrip()
        full, empty = self._signs
        filled = round(_BAR * min(1.0, max(0.0, float(fraction))))
        bar = full * filled + empty * (_BAR - filled)
        return f"running  {bar} {fraction:4.0%}  {message}".rstrip()
