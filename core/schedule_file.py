"""tasks.yaml: from a file to tasks. What is wrong is told with its line, and spoils no other task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from core.errors import BusError, InvalidRequest
from core.jobs import Json
from core.scheduler_models import ScheduledTask
from core.strict_yaml import MAX_BYTES, BadYaml, Node, parse
from core.task_reader import task_from

#: Returns the task if it could run. Raises BusError.
Check = Callable[[ScheduledTask], ScheduledTask]

#: How the file spells fields of a task.
_SPELLED = {"name": "task_name", "type": "task_type", "function": "function_path"}
_NOT_IN_FILES = {"agent_name", "owner", "source", *_SPELLED.values()}
_KEYS = (*_SPELLED, *(one.name for one in fields(ScheduledTask) if one.name not in _NOT_IN_FILES))
#: Which key is at fault when a run would be refused, by the code of the refusal.
_AT_FAULT = {"unknown_action": "action", "broken_action": "action", "invalid_params": "params"}


@dataclass(frozen=True, slots=True)
class TaskProblem:
    """What is wrong with one task, or with the whole file."""

    line: int
    #: Of the task; empty when it has none, or when the file is at fault.
    name: str
    #: One sentence or more.
    reason: str


@dataclass(frozen=True, slots=True)
class TaskFile:
    """What a file holds: the tasks that can be run, and what is wrong with the others."""

    tasks: tuple[ScheduledTask, ...] = ()
    problems: tuple[TaskProblem, ...] = ()

    @property
    def names(self) -> set[str] | None:
        """The names of all its tasks, good and bad; None where a fault may hide one."""
        bad = {problem.name for problem in self.problems}
        return None if "" in bad else bad | {task.task_name for task in self.tasks}


def read_tasks(path: Path, agent_name: str, *, check: Check = lambda task: task) -> TaskFile:
    """Return the tasks of a file as an agent's, those that `check` lets through. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        entries = _entries(parse(data))
    except BadYaml as error:
        return TaskFile(problems=(TaskProblem(error.line, "", error.message),))
    return _checked(entries, agent_name, check)


def _entries(root: Node) -> dict[str, Node]:
    if root.flaw:
        raise BadYaml(root.line, root.flaw)
    if not isinstance(root.value, dict) or "tasks" not in root.value:
        raise BadYaml(root.line, "The file must hold `tasks:` and a list of tasks.")
    tasks = root.value["tasks"]
    if tasks.flaw or not isinstance(tasks.value, list | None):
        raise BadYaml(tasks.line, tasks.flaw or "`tasks` must be a list: begin each task with `- name:`.")
    return root.value


def _checked(entries: dict[str, Node], agent_name: str, check: Check) -> TaskFile:
    tasks: dict[str, ScheduledTask] = {}
    lines: dict[str, int] = {}
    problems = [
        TaskProblem(node.line, "", f"`{key}` is not a key of the file: it holds `tasks` and nothing else.")
        for key, node in entries.items()
        if key != "tasks"
    ]
    listed = entries["tasks"].value
    for node in listed if isinstance(listed, list) else ():
        name = _name(node)
        try:
            if name in lines:
                raise BadYaml(node.line, f"name: {name!r} is taken by the task on line {lines[name]}.")
            lines |= {name: node.line} if name else {}
            tasks[name] = check(_task(node, agent_name))
        except BadYaml as error:
            problems.append(TaskProblem(error.line, name, error.message))
        except BusError as error:
            problems.append(_problem(error, node, name))
    return TaskFile(tuple(tasks.values()), tuple(sorted(problems, key=lambda one: one.line)))


def _task(node: Node, agent_name: str) -> ScheduledTask:
    if not node.flaw and not isinstance(node.value, dict):
        raise BadYaml(node.line, "A task must be a mapping: `- name: …` and, below it, its other keys.")
    plain: dict[str, Json] = node.plain()
    document: dict[str, Json] = {"agent_name": agent_name}
    for key, value in plain.items():
        if key not in _KEYS:
            raise InvalidRequest(key, "is not a key of a task.", hint=f"Known: {', '.join(_KEYS)}.")
        document[_SPELLED.get(key, key)] = value
    return task_from(document)


def _problem(error: BusError, node: Node, name: str) -> TaskProblem:
    """Return the problem at the line of the key that is at fault, or at that of the task."""
    field: str = getattr(error, "field", _AT_FAULT.get(error.code, ""))
    key = next((spelled for spelled, known in _SPELLED.items() if known == field), field)
    keys = node.value if isinstance(node.value, dict) else {}
    message = error.message.replace(f"{field}: ", f"{key}: ", 1) if field else error.message
    return TaskProblem(keys[key].line if key in keys else node.line, name, f"{message} {error.hint}".strip())


def _name(node: Node) -> str:
    named = node.value.get("name") if isinstance(node.value, dict) else None
    return named.value if named and isinstance(named.value, str) else ""
