"""The kernel: what a job is, how it runs, when the machine may switch off. Imports no other room."""

from core.actions import action
from core.context import JobContext
from core.errors import Cancel, Fail, Retry
from core.event_bus import EventBus, EventMessage

__all__ = ["Cancel", "EventBus", "EventMessage", "Fail", "JobContext", "Retry", "action"]
