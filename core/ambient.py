"""What `EventBus()` speaks through without a transport: that of its process, or that of its settings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.event_bus import Transport

_lock = threading.RLock()
_provided: list[Transport] = []


def provide(transport: Transport | None) -> None:
    """Let every `EventBus()` made from now on in this process speak through that; None forgets what was."""
    with _lock:
        _provided[:] = [] if transport is None else [transport]


def transport() -> Transport:
    """Return what this process speaks through.

    A program that runs no bus speaks through what AAFAI_EVENTS names, as the bus beside it does. Raises
    ConfigError when that cannot be read.
    """
    with _lock:
        if not _provided:
            # A program of somebody else's, in which nobody put a bus together: its settings know the way.
            from core.worker import opened_events  # noqa: PLC0415  The one door from here to the wiring.

            _provided.append(opened_events())
        return _provided[0]
