"""TaskScheduler: from tasks.yaml to schedules. `python -m core.scheduler check tasks.yaml` tells them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError
from core.event_bus import KERNEL

if TYPE_CHECKING:
    from core.event_bus import EventBus
    from core.scheduler_models import Schedule, ScheduledTask
    from core.schedules import Schedules


class TaskScheduler:
    """Register what agents want done again and again. `TaskScheduler()` works on the bus of this process.

    Every method may raise EngineUnavailable.
    """

    def __init__(self, schedules: Schedules | None = None, events: EventBus | None = None) -> None:
        if schedules is None or events is None:
            from core.at_hand import schedules_at_hand  # noqa: PLC0415  It may have to open the bus.

            schedules, events = schedules_at_hand()
        self._schedules = schedules
        self._events = events

    def load_tasks_from_yaml(self, path: str | Path, agent_name: str) -> list[ScheduledTask]:
        """Return the good tasks of a file, which `register_task` then accepts.

        Each of the others is told of by a `system.task_refused` event with file, line and reason.
        Raises ConfigError when the file cannot be read.
        """
        from core.schedule_file import read_tasks  # noqa: PLC0415  A bus without tasks.yaml need not load YAML.

        try:
            found = read_tasks(Path(path), agent_name, check=self._schedules.check)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
        for problem in found.problems:
            told = {"file": str(path), "line": problem.line, "name": problem.name, "reason": problem.reason}
            self._events.publish("system.task_refused", KERNEL, told)
        return list(found.tasks)

    def register_task(self, task: ScheduledTask) -> Schedule:
        """Store the schedule of a task durably, in place of the one with the same agent and name.

        Raises InvalidRequest naming a field, or what `Bus.submit` raises of an action, params and limits.
        """
        return self._schedules.register(task)

    def unregister_task(self, task_id: str) -> Schedule:
        """Remove a schedule and return it; its runs stay. Raises ScheduleNotFound."""
        return self._schedules.unregister(task_id)

    def enable_task(self, task_id: str) -> Schedule:
        """Let a schedule run again from now on. Raises ScheduleNotFound."""
        return self._schedules.switch(task_id, enabled=True)

    def disable_task(self, task_id: str) -> Schedule:
        """Let a schedule rest until it is enabled. Raises ScheduleNotFound."""
        return self._schedules.switch(task_id, enabled=False)

    def load(self, path: Path, agent_name: str) -> None:
        """Register the good tasks of a file if there is one. Raises as its parts do."""
        for task in self.load_tasks_from_yaml(path, agent_name) if path.exists() else ():
            self.register_task(task)


if __name__ == "__main__":
    from core.schedule_check import main

    sys.exit(main(sys.argv[1:]))
