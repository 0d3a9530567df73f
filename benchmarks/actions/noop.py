"""An action that does nothing, for measuring what the bus itself costs."""

import time

from core import action


@action(isolation="thread")
def run() -> dict[str, int]:
    """Return the moment at which the action started, in nanoseconds of CLOCK_MONOTONIC."""
    return {"started": time.monotonic_ns()}
