"""What the power logic must know of the work, counted afresh at each look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.idle import Facts
from core.jobs import State

if TYPE_CHECKING:
    from core.activity import Activity
    from core.deliveries import Deliveries
    from core.engine import Engine


class Survey:
    """Count what could keep the machine on."""

    def __init__(
        self,
        engine: Engine,
        deliveries: Deliveries,
        activity: Activity,
        *,
        scheduled: Callable[[], float | None] = lambda: None,
        webhooks: Callable[[], tuple[float, ...]] = tuple,
        next_webhook: Callable[[], float | None] = lambda: None,
        unpublished: Callable[[], tuple[float, ...]] = tuple,
    ) -> None:
        """Ask `scheduled` when the next run of a schedule is due, in Unix seconds.

        Ask `webhooks` until when each undelivered one is waited for, in boot-time seconds; and `next_webhook`
        when the next of them is to be tried, in Unix seconds. Ask `unpublished` until when each result that
        is to go into the mirror is waited for, in boot-time seconds.
        """
        self._engine = engine
        self._deliveries = deliveries
        self._activity = activity
        self._scheduled = scheduled
        self._webhooks = webhooks
        self._next_webhook = next_webhook
        self._unpublished = unpublished

    def facts(self) -> Facts:
        """Return the facts of this moment. Raises EngineUnavailable when the jobs cannot be counted."""
        # Jobs move while they are counted. Of one that falls due meanwhile, and is missing in the counts, the
        # moment was seen before; of one that ran, and is to be tried again, it is seen afterwards.
        before = self._scheduled(), self._engine.next_due()
        deferred = self._engine.deferred()
        counts = self._engine.count()
        moments = [due for due in (*before, self._engine.next_due()) if due is not None]
        self._activity.note_counts(counts[State.QUEUED], counts[State.RUNNING])
        return Facts(
            queued=max(0, counts[State.QUEUED] - deferred),
            running=counts[State.RUNNING],
            next_due=min(moments, default=None),
            unread=tuple(self._deliveries.unread().values()),
            pending_webhooks=self._webhooks(),
            next_webhook=self._next_webhook(),
            unpublished=self._unpublished(),
            last_activity=self._activity.last,
        )
