"""TaskScheduler: from tasks.yaml to schedules. `python -m core.scheduler check tasks.yaml` tells them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError, ScheduleNotFound
from core.event_bus import KERNEL

if TYPE_CHECKING:
    from core.event_bus import EventBus
    from core.schedule_file import TaskFile, TaskProblem
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
        found = self._read(Path(path), agent_name)
        self._tell_of(found.problems, Path(path))
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
        """Let the schedules be what a file says: register its good tasks, remove those that it holds no more.

        What was not read from this file stays as it is; so does everything where there is no file, or where
        it has a fault that may hide a task. Raises as `load_tasks_from_yaml` and `register_task`.
        """
        if not path.exists():
            self._tell_of_absence(path, agent_name)
            return
        found = self._read(path, agent_name)
        for task in found.tasks:
            self.register_task(replace(task, source=str(path.absolute())))
        self._tell_of(found.problems, path)
        if found.names is not None:
            self._remove_others(path, agent_name, found.names)

    def _read(self, path: Path, agent_name: str) -> TaskFile:
        from core.schedule_file import read_tasks  # noqa: PLC0415  A bus without tasks.yaml need not load YAML.

        try:
            return read_tasks(path, agent_name, check=self._schedules.check)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error

    def _tell_of(self, problems: Sequence[TaskProblem], path: Path) -> None:
        for problem in problems:
            told = {"file": str(path), "line": problem.line, "name": problem.name, "reason": problem.reason}
            self._events.publish("system.task_refused", KERNEL, told)

    def _tell_of_absence(self, path: Path, agent_name: str) -> None:
        """Warn of tasks whose file is gone: it may have been deleted, and it may not have been mounted."""
        if left := self._from(path, agent_name):
            message = (
                f"{path} is not there, and {len(left)} schedules that were read from it go on."
                " A file that says `tasks: []` removes them."
            )
            self._events.publish("system.warning", KERNEL, {"message": message})

    def _remove_others(self, path: Path, agent_name: str, names: Collection[str]) -> None:
        for schedule in self._from(path, agent_name):
            if schedule.task.task_name not in names:
                with suppress(ScheduleNotFound):  # Another process was quicker.
                    self.unregister_task(schedule.id)
                    told = {"task_id": schedule.id, "file": str(path)}
                    self._events.publish("system.task_removed", KERNEL, told)

    def _from(self, path: Path, agent_name: str) -> list[Schedule]:
        """Return the schedules of an agent that were read from a file."""
        origin = (agent_name, str(path.absolute()))
        stored = self._schedules.stored().schedules
        return [one for one in stored if (one.task.agent_name, one.task.source) == origin]


if __name__ == "__main__":
    from core.schedule_check import main

    sys.exit(main(sys.argv[1:]))
