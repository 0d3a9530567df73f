"""What one listener hears: the events that it wants and may know of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from api.events_listening import Listening

if TYPE_CHECKING:
    from api.callers import Caller
    from api.events_ring import EventRing
    from core.bus import Bus
    from core.clock import Clock
    from core.event_bus import EventMessage
    from core.jobs import Json

_RECONNECT = 3_000  # milliseconds after which a client whose stream ended comes back
_STOPPING = "The bus stops: come back to hear what follows."
_MISSED = "Events are missing here: look at the jobs themselves."


class EventFeed(Listening):
    """Events for one listener, from the ring; whoever reads too slowly is told how many were missed."""

    def __init__(
        self,
        ring: EventRing,
        bus: Bus,
        clock: Clock,
        *,
        wants: Callable[[EventMessage], bool],
        last_id: str | None,
        leave: Callable[[], None],
    ) -> None:
        """Begin after the event `last_id`, or now; `leave` is called at the end."""
        super().__init__(ring, clock, leave)
        self._bus = bus
        self._wants = wants
        self._seen = ring.newest
        self._unsaid = f"retry: {_RECONNECT}\n".encode() + self.sign_of_life()
        if last_id is not None:
            self._resume(last_id)
        self._has_ended = False

    def news(self) -> bytes | None:
        """Return what happened since the last time, as server-sent events."""
        if self._has_ended:
            return None
        said, self._unsaid = self._unsaid + self._happened(), b""
        if not said and self._bus.hung_up:
            self._has_ended = True
            said = _notice("end", {"message": _STOPPING})
        return said

    def sign_of_life(self) -> bytes:
        """Return a comment, with the id to come back with: events that nobody wanted have passed."""
        return f": listening\nid: {self._ring.id_of(self._seen)}\n\n".encode()

    def concerns(self, message: EventMessage) -> bool:
        """Return whether the listener wants to know it."""
        return self._wants(message)

    def _resume(self, last_id: str) -> None:
        number = self._ring.number_of(last_id)
        self._seen = number or 0
        self._unsaid = f"retry: {_RECONNECT}\n\n".encode()
        if number is None:
            self._unsaid += _notice("missed", {"count": None, "message": _MISSED})

    def _happened(self) -> bytes:
        """Return what the listener wants of the next events that there are."""
        while True:
            gone, told = self._ring.after(self._seen)
            self._seen += gone + len(told)
            said = b"".join(self._ring.frame_of(one) for one in told if self._wants(one.message))
            if gone:
                said = _notice("missed", {"count": gone, "message": _MISSED}) + said
            if said or not told:
                return said


class Wish:
    """What a listener wants to hear and may: events of some types, of the own jobs if sees no others."""

    def __init__(self, patterns: Sequence[str], who: Caller) -> None:
        self._who = who
        self._fits = lru_cache(maxsize=1_000)(lambda name: any(fnmatchcase(name, one) for one in patterns))

    def __call__(self, message: EventMessage) -> bool:
        """Return whether the listener is told of it."""
        return self._fits(message.event_type) and self._may_know(message.payload)

    def _may_know(self, payload: Mapping[str, Json]) -> bool:
        return not self._who.own_jobs_only or self._who.may_see(payload.get("labels") or {})


def _notice(name: str, told: Json) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told)}\n\n".encode()
