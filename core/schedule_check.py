"""What a tasks.yaml would run, and when: for people, before a bus reads it.

    python -m core.scheduler check tasks.yaml

Prints the next five times of each task, and what is wrong with the file, by line. Which functions may be
called, and what actions there are, is taken from the settings of the environment; their packages lie beside
the file. Exits with 1 when something is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from core.errors import BusError
from core.schedule_file import TaskFile, read_tasks
from core.scheduler_models import ScheduledTask
from core.timetable import timetable

SHOWN = 5


def main(arguments: Sequence[str]) -> int:
    """Check a file and return the exit status."""
    if len(arguments) != 2 or arguments[0] != "check":
        sys.stderr.write(__doc__ or "")
        return 2
    from core.worker import rules_of_tasks  # noqa: PLC0415  It opens the door to the settings.

    try:
        path = Path(arguments[1])
        agent_name, check, now = rules_of_tasks(path)
        found = read_tasks(path, agent_name, check=check)
    except (OSError, BusError) as error:
        hint = getattr(error, "hint", "")
        sys.stderr.write(f"{arguments[1]} cannot be checked: {error} {hint}".rstrip() + "\n")
        return 2
    sys.stdout.writelines(f"{line}\n" for line in report(found, arguments[1], now=now))
    return 1 if found.problems else 0


def report(found: TaskFile, name: str, *, now: float) -> Iterator[str]:
    """Yield the lines that tell what a file holds: its tasks, then its problems."""
    for task in found.tasks:
        yield f"{task.id} runs {task.function_path or task.action}: {task.schedule}" + (
            "" if task.enabled else " (disabled)"
        )
        yield from (f"    {time}" for time in times_of(task, now=now))
    if not found.tasks and not found.problems:
        yield f"{name} holds no task."
    for problem in found.problems:
        yield f"{name}:{problem.line}: {problem.name + ': ' if problem.name else ''}{problem.reason}"


def times_of(task: ScheduledTask, *, now: float) -> Iterator[str]:
    """Yield the next times of a task that is registered now, as the clock of its zone will show them."""
    table = timetable(task.task_type, task.schedule, zone=task.timezone, start=now)
    for due in islice(table.times(now), SHOWN):
        moment = datetime.fromtimestamp(due, ZoneInfo(task.timezone))
        yield f"{moment:%a} {moment.isoformat(sep=' ')} {task.timezone}"
