"""The last few thousand events, numbered, for those who listen and for those who come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.secrets import masked

if TYPE_CHECKING:
    from core.event_bus import EventBus, EventMessage

    Hear = Callable[["EventMessage"], None]

MOST_KEPT = 4_096

_UNTOLD = "The payload of this event cannot be told as JSON."
_FIELDS = ("event_type", "source_agent", "target_agent", "timestamp")


@dataclass(slots=True, eq=False)
class Told:
    """An event and its place in the order of events. One is made for each event, so it costs little."""

    #: Counted from 1.
    number: int
    message: EventMessage
    #: As clients hear it; empty until the first one is to.
    frame: bytes = b""


class EventRing:
    """Keep the newest events and let listeners know of each as it comes."""

    def __init__(self, events: EventBus, boot_id: str, *, most: int = MOST_KEPT) -> None:
        self._boot_id = boot_id
        self._kept: list[Told | None] = [None] * most
        self._number = 0
        self._listeners: tuple[Hear, ...] = ()
        self._lock = threading.Lock()
        events.subscribe("events ring", None, self._add)

    @property
    def newest(self) -> int:
        """The number of the newest event; events are counted from 1."""
        return self._number

    def id_of(self, number: int) -> str:
        """Return the id of the event of that number, which after another boot is another event's."""
        return f"{self._boot_id}-{number}"

    def frame_of(self, told: Told) -> bytes:
        """Return the event as a client hears it, written once for all of them."""
        if not told.frame:
            told.frame = f"id: {self.id_of(told.number)}\ndata: {_text(told.message)}\n\n".encode()
        return told.frame

    def number_of(self, event_id: str) -> int | None:
        """Return the number of an event, None when no event of this boot has that id."""
        boot, _, digits = event_id.rpartition("-")
        if boot != self._boot_id or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return None
        number = int(digits)
        return number if number <= self._number else None

    def after(self, number: int, *, most: int = 1_024) -> tuple[int, Sequence[Told]]:
        """Return the events that follow that one, at most so many, and how many are gone before the first."""
        with self._lock:
            first = max(number + 1, self._number - len(self._kept) + 1)
            numbers = range(first, min(first + most, self._number + 1))
            told = [self._kept[one % len(self._kept)] for one in numbers]
        return first - number - 1, [one for one in told if one is not None]

    def listen(self, hear: Hear) -> None:
        """Call `hear` with every event from now on, in the thread of whoever publishes it."""
        with self._lock:
            self._listeners = (*self._listeners, hear)

    def unlisten(self, hear: Hear) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != hear)

    def _add(self, message: EventMessage) -> None:
        with self._lock:
            self._number += 1
            self._kept[self._number % len(self._kept)] = Told(self._number, message)
        for hear in self._listeners:
            hear(message)


def _text(message: EventMessage) -> str:
    """Return the event as JSON in one line, without secrets."""
    told = {name: getattr(message, name) for name in _FIELDS}
    try:
        return json.dumps({**told, "payload": masked(message.payload)}, allow_nan=False)
    except (AttributeError, TypeError, ValueError, RecursionError):  # Programs of others publish too.
        return json.dumps({**told, "payload": {"message": _UNTOLD}})
