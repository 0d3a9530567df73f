"""What the power logic must know of the work, counted afresh at each look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.idle import Facts
from core.jobs import State

if TYPE_CHECKING:
    from core.activity import Activity
    from core.deliveries import Deliveries
    from core.engine import Engine


class Survey:
    """Count what could keep the machine on."""

    def __init__(self, engine: Engine, deliveries: Deliveries, activity: Activity) -> None:
        self._engine = engine
        self._deliveries = deliveries
        self._activity = activity

    def facts(self) -> Facts:
        """Return the facts of this moment. Raises EngineUnavailable when the jobs cannot be counted."""
        # In this order: a job that falls due meanwhile is missing below, but its moment shows as `due_soon`.
        next_due = self._engine.next_due()
        deferred = self._engine.deferred()
        counts = self._engine.count()
        return Facts(
            queued=max(0, counts[State.QUEUED] - deferred),
            running=counts[State.RUNNING],
            next_due=next_due,
            unread=tuple(self._deliveries.unread().values()),
            last_activity=self._activity.last,
        )
