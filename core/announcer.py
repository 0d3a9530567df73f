"""Says what happens to the machine, and what goes on for hours only once."""

from __future__ import annotations

from core.event_bus import KERNEL, EventBus


class Announcer:
    """Publish events of the kernel that carry one sentence."""

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._told: set[tuple[str, str]] = set()

    def say(self, event_type: str, message: str) -> None:
        """Publish an event."""
        self._events.publish(event_type, KERNEL, {"message": message})

    def say_once(self, event_type: str, message: str) -> None:
        """Publish an event unless it was published before, and not forgotten since."""
        if (event_type, message) not in self._told:
            self._told.add((event_type, message))
            self.say(event_type, message)

    def warn(self, message: str) -> None:
        """Publish a warning, once for good."""
        self.say_once("system.warning", message)

    def forget(self) -> None:
        """Let everything but warnings be news again."""
        self._told = {told for told in self._told if told[0] == "system.warning"}
