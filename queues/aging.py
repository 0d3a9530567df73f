"""Which of two waiting jobs goes first: the priority, and with time the patience. Pure."""

from __future__ import annotations

from core.ids import submitted_ms

#: Seconds of waiting that lift a job by one priority, so that no job starves behind urgent ones.
AGING = 600.0


def rank(job_id: str, priority: int, *, now: float, aging: float) -> int:
    """Return the priority that a job has by now: one more for each `aging` seconds since its id was made."""
    waited = now - submitted_ms(job_id) / 1000
    return priority + max(0, int(waited // aging))
