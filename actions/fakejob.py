"""A job that does nothing but take its time: for trying out the bus."""

from __future__ import annotations

import random
import threading
from typing import Annotated

from pydantic import Field

from core import JobContext, action


@action(timeout="2h")
def run(
    delay_seconds: Annotated[
        int, Field(ge=0, le=3600, description="Wait at most this long; 0: do not wait.")
    ] = 5,
    *,
    job: JobContext,
) -> dict[str, int]:
    """Wait a random number of seconds between 1 and `delay_seconds`."""
    waited = random.randint(1, delay_seconds) if delay_seconds else 0
    never = threading.Event()
    for second in range(waited):
        job.check_cancelled()
        job.progress(second / waited, f"waited {second} of {waited} seconds")
        never.wait(1.0)
    return {"waited": waited}
