"""What an action is handed: log, progress, cancelled?, files, submit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from core.clock import Clock
from core.errors import Cancel
from core.jobs import Json

LEVELS = ("debug", "info", "warning", "error")


class Channel(Protocol):
    """Carries what an action says to the bus, and what the bus says to the action."""

    def log(self, level: str, message: str) -> None:
        """Add an entry to the job's log."""
        ...

    def progress(self, fraction: float | None, message: str) -> None:
        """Tell how far the attempt has come."""
        ...

    def stop_wished(self) -> str | None:
        """Return why the attempt is to stop; None while it may go on."""
        ...

    def submit(self, action: str, params: Mapping[str, Json], options: Mapping[str, Json]) -> str:
        """Submit a job and return its id. Raises BusError."""
        ...


class JobContext:
    """The running attempt, as its action sees it: the keyword-only argument `job` of `run`."""

    def __init__(
        self,
        *,
        job_id: str,
        attempt: int,
        params: Mapping[str, Json],
        folder: Path,
        channel: Channel,
        clock: Clock,
        deadline: float | None = None,
    ) -> None:
        #: The job's id.
        self.id = job_id
        #: Which attempt this is, counted from 1.
        self.attempt = attempt
        #: The params as they were submitted.
        self.params = params
        self._folder = folder
        self._channel = channel
        self._clock = clock
        self._deadline = deadline

    def log(self, level: str, message: str) -> None:
        """Add an entry to the job's log at level `debug`, `info`, `warning` or `error`, else ValueError."""
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}.")
        self._channel.log(level, str(message))

    def debug(self, message: str) -> None:
        """Log what only a developer wants to know."""
        self.log("debug", message)

    def info(self, message: str) -> None:
        """Log what went as it should."""
        self.log("info", message)

    def warning(self, message: str) -> None:
        """Log what somebody should look at."""
        self.log("warning", message)

    def error(self, message: str) -> None:
        """Log what went wrong."""
        self.log("error", message)

    def progress(self, fraction: float | None, message: str = "") -> None:
        """Tell how far the attempt has come: 0.0 to 1.0, or None when that cannot be told. Costs little."""
        within = None if fraction is None else min(1.0, max(0.0, float(fraction)))
        self._channel.progress(within, str(message))

    @property
    def cancelled(self) -> bool:
        """Whether the attempt is to stop: the job was cancelled, its time is up, or the bus shuts down."""
        return self._channel.stop_wished() is not None

    def check_cancelled(self) -> None:
        """Raise Cancel when the attempt is to stop: call it wherever stopping is safe."""
        if (reason := self._channel.stop_wished()) is not None:
            raise Cancel(reason)

    @property
    def remaining(self) -> float | None:
        """Seconds until the attempt's time is up; None without a limit."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock.monotonic())

    @cached_property
    def files(self) -> Path:
        """The folder for files that belong to the job's result; made when first asked for."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def submit(self, action: str, params: Mapping[str, Json] | None = None, **options: Json) -> str:
        """Submit another job, with options as in `POST /inbound`, and return its id. Raises BusError."""
        return self._channel.submit(action, params or {}, options)
