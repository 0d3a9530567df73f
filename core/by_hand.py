"""What people do in the store by hand, and how the bus takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.event_bus import KERNEL
from core.jobs import Job, Json

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from core.bus import Bus


class ByHand:
    """Answer for a store that finds files. The bus is made after its store, hence asked for."""

    def __init__(self, bus: Callable[[], Bus]) -> None:
        self._bus = bus

    def entered(self) -> AbstractContextManager[None]:
        """Hold the gate while a dropped file becomes a job. Raises ShuttingDown: then the file stays."""
        return self._bus().gate.entered()

    def accept(self, document: Json) -> Job:
        """Return the job that a dropped file makes; raises as `Bus.submit`."""
        job = self._bus().admission.admitted_document(document)
        if promises := self._bus().promises:
            promises.promise([job])
        return job

    def adopted(self, job: Job) -> None:
        """Tell workers and listeners of the job that a dropped file made."""
        self._bus().announce(job)

    def put_aside(self, name: str, reason: str) -> None:
        """Tell listeners of a file that was put into quarantine."""
        self._bus().events.publish("system.quarantined", KERNEL, {"name": name, "reason": reason})
