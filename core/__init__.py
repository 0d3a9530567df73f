"""The kernel: what a job is, how it runs, when the machine may switch off. Imports no other room."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from core.actions import action
from core.context import JobContext
from core.errors import Cancel, Fail, Retry
from core.event_bus import EventBus, EventMessage

if TYPE_CHECKING:
    from core.scheduler import TaskScheduler
    from core.scheduler_models import ScheduledTask, TaskExecution
    from core.task_queue import TaskQueue

__all__ = [
    "Cancel",
    "EventBus",
    "EventMessage",
    "Fail",
    "JobContext",
    "Retry",
    "ScheduledTask",
    "TaskExecution",
    "TaskQueue",
    "TaskScheduler",
    "action",
]

#: Names that are looked up when somebody asks: every attempt imports this package, and few need them.
_LATER = {
    "ScheduledTask": "core.scheduler_models",
    "TaskExecution": "core.scheduler_models",
    "TaskQueue": "core.task_queue",
    "TaskScheduler": "core.scheduler",
}


def __getattr__(name: str) -> Any:
    """Return one of the names that are looked up later."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
