"""The Task Executor's words for a worker: idle, busy, offline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.executor_views import success_rate
from api.http import iso
from core.jobs import DEFAULT_QUEUE, Json
from core.roster import WorkDone

if TYPE_CHECKING:
    from core.pool import Pool, Slot

STATUSES = ("idle", "busy", "offline")


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as the pool and the roster know it."""

    id: str
    #: What it has done in this life and earlier ones.
    done: WorkDone
    #: What it is now; None for one that has gone.
    slot: Slot | None

    @property
    def status(self) -> str:
        """One of STATUSES."""
        return self.slot.status if self.slot else "offline"


def workers_of(pool: Pool) -> list[Worker]:
    """Return every worker, by name: those that work, and those that have worked here."""
    slots = {slot.id: slot for slot in pool.status()}
    return [Worker(name, done, slots.get(name)) for name, done in pool.roster.work().items()]


def internal_of(pool: Pool) -> list[Slot]:
    """Return the slots whose number the settings and `scale` say: those of the default queue that stay."""
    return [slot for slot in pool.status() if slot.queue == DEFAULT_QUEUE and slot.wanted]


def worker_view(worker: Worker, *, now: float, may_see: Callable[[Mapping[str, str]], bool]) -> Json:
    """Return the worker with what it does now, as far as the caller may see it.

    One that works is watched directly, so its last heartbeat is now; else it is the last trace of it.
    """
    at_work = worker.status != "offline"
    job = worker.slot.job if worker.slot else None
    return {
        "id": worker.id,
        "backend_type": "internal",
        "status": worker.status,
        "last_heartbeat": iso(now if at_work else worker.done.seen_at),
        "current_task_id": job.id if job and may_see(job.labels) else None,
        "tasks_completed": worker.done.completed,
        "tasks_failed": worker.done.failed,
        "registered_at": iso(worker.done.registered_at),
    }


def stats_view(worker: Worker, *, boottime: float) -> Json:
    """Return what the worker has done since it was registered, and for how long it works this time.

    `total_tasks` are those that ended completed or failed in its hands, `success_rate` the share of the
    completed ones among them (0.0 before any), `average_task_duration` their mean seconds, null before any.
    """
    done, slot = worker.done, worker.slot
    total = done.completed + done.failed
    at_work = slot is not None and slot.status != "offline"
    return {
        "worker_id": worker.id,
        "total_tasks": total,
        "success_rate": success_rate(done.completed, done.failed),
        "average_task_duration": done.seconds / total if total else None,
        "uptime_seconds": max(0.0, boottime - slot.since) if slot and at_work else 0.0,
        "current_status": worker.status,
    }


def control_view(pool: Pool) -> Json:
    """Return the workers of the default queue; one that is leaving is shown until it is gone, not counted."""
    slots = sorted((slot for slot in pool.status() if slot.queue == DEFAULT_QUEUE), key=lambda slot: slot.id)
    return {
        "running": pool.running,
        "num_workers": len(internal_of(pool)),
        "workers": {
            slot.id: {
                "status": "running" if slot.wanted else "stopping",
                "has_executor": not slot.gone.is_set(),
            }
            for slot in slots
        },
    }
