"""What a client must know of a cloud's machines, and ask for: the seam behind which a fake can stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: What is done to a machine in each of these states; in all others it is waited for the next one.
REMEDIES = {"TERMINATED": "start", "STOPPED": "start", "SUSPENDED": "resume"}
RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine as the cloud describes it at this moment."""

    zone: str
    #: In the words of Compute Engine: `RUNNING`, `STOPPING`, `TERMINATED`, …
    status: str
    #: By which it is reached just now; empty when it has none.
    address: str = ""

    @property
    def is_on(self) -> bool:
        """Whether it runs and can be spoken to."""
        return self.status == RUNNING and bool(self.address)


class Compute(Protocol):
    """The machines of one name in a project of the cloud, one in each of some zones."""

    def look(self, zone: str) -> Instance:
        """Return the machine in that zone as it is now. Raises NotStarted."""
        ...

    def bring_up(self, zone: str, verb: str, request_id: str) -> None:
        """Start or resume (`verb`) the machine, and return when the cloud has done it.

        A repeated request with the same id, a UUID, is the same request. Raises OutOfStock, or NotStarted.
        """
        ...
