"""Which of the due times that have come are run, and which are skipped. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.scheduler_models import ON_TIME, CatchUp, ScheduledTask


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of due times; oldest first."""

    #: To be started now: those made up for, then those that are on time.
    runs: tuple[int, ...]
    #: Those of the runs that make up for missed ones.
    made_up: tuple[int, ...]
    #: Missed, and not made up for.
    skipped: tuple[int, ...]
    #: How many were missed in all.
    missed: int


def planned(due: Sequence[int], task: ScheduledTask, *, now: float) -> Plan:
    """Return the plan for due times that have come, oldest first, by the task's own policy.

    A run on time makes up for the missed ones of a task that catches up once.
    """
    missed = [at for at in due if now - at > ON_TIME]
    on_time = due[len(missed) :]
    within = [at for at in missed if now - at <= task.catch_up_window]
    made_up: list[int] = []
    skipped = missed
    if task.catch_up is CatchUp.ALL:
        made_up, skipped = within, missed[: len(missed) - len(within)]
    elif task.catch_up is CatchUp.ONCE and (within or on_time):
        # The one run stands for all of them, and nothing was skipped.
        made_up, skipped = ([] if on_time else within[-1:]), missed[: len(missed) - len(within)]
    return Plan((*made_up, *on_time), tuple(made_up), tuple(skipped), len(missed))
