"""What streams of events and of logs share: events ring for them, and silence is broken now and then."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.events_ring import EventRing
    from core.clock import Clock
    from core.event_bus import EventMessage

#: Seconds after which a silent stream says that it lives.
HEARTBEAT = 15.0


class Listening(ABC):
    """A feed for one listener, that is to be read again after each event that concerns it."""

    def __init__(self, ring: EventRing, clock: Clock, leave: Callable[[], None]) -> None:
        """Listen to the ring once somebody wants to be told of more; `leave` is called at the end."""
        self._ring = ring
        self._clock = clock
        self._leave = leave
        self._tell: Callable[[], None] = lambda: None
        self._spoke_at = clock.monotonic()

    @abstractmethod
    def news(self) -> bytes | None:
        """Return what is to be said now, no bytes for nothing yet, None at the end."""

    @abstractmethod
    def sign_of_life(self) -> bytes:
        """Return what means nothing, and shows that the stream goes on."""

    @abstractmethod
    def concerns(self, message: EventMessage) -> bool:
        """Take note of an event; return whether there may be news because of it."""

    def read(self) -> bytes | None:
        """Return what is to be sent now. Never waits."""
        said, now = self.news(), self._clock.monotonic()
        if said == b"" and now - self._spoke_at >= HEARTBEAT:
            said = self.sign_of_life()
        if said:
            self._spoke_at = now
        return said

    def when_more(self, ring: Callable[[], None]) -> None:
        """Call `ring` when an event concerns the listener."""
        self._tell = ring
        self._ring.listen(self._hear)

    def close(self) -> None:
        """Listen no more."""
        self._ring.unlisten(self._hear)
        self._leave()

    def _hear(self, message: EventMessage) -> None:
        if self.concerns(message):
            self._tell()
