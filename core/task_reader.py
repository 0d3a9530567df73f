"""From a JSON object to a ScheduledTask, strictly: for YAML, HTTP, Python and the store alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from core.errors import InvalidRequest
from core.jobs import Json
from core.order import is_plain
from core.registry import ACTION_NAME
from core.scheduler_models import CatchUp, ScheduledTask
from core.submission import submission_from
from core.timetable import timetable
from core.timing import parse_duration

#: What agents and tasks may be called: fit for a path, a file's name and a label.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_LONGEST_DESCRIPTION = 1_000
_BAD = "bad_schedule"
_REQUIRED = ("agent_name", "task_name", "schedule")
#: What each of the two kinds of work is called with.
_ARGUMENTS = {"function_path": ("args", "kwargs"), "action": ("params",)}


def task_from(document: Mapping[str, Json]) -> ScheduledTask:
    """Return the task that an object describes, with the fields of ScheduledTask; null counts as not given.

    Raises InvalidRequest that names the field: of the code `bad_schedule` when the field is what it must be,
    and yet no schedule comes of it.
    """
    for name in document:
        if name not in _READERS:
            hint = f"Known: {', '.join(_READERS)}."
            raise InvalidRequest(name, "is not a field of a task.", hint=hint, code="unknown_field")
    given = {name: value for name, value in document.items() if value is not None}
    for name in _REQUIRED:
        if name not in given:
            raise InvalidRequest(name, "is missing.", hint=_EXAMPLE, code="missing_field")
    task = ScheduledTask(**{name: _READERS[name](name, value) for name, value in given.items()})
    _refuse_mixed(given)
    _refuse_unreadable(task)
    return task


#: What somebody may say of a task; whose it is, and where it stands, follows from who says it.
FIELDS = tuple(one.name for one in fields(ScheduledTask) if one.name not in {"owner", "source"})

_EXAMPLE = 'A task needs at least {"agent_name", "task_name", "schedule", "function_path" or "action"}.'


def _refuse_mixed(given: Mapping[str, Json]) -> None:
    """Raise InvalidRequest unless the task names one kind of work, and only what that kind is called with."""
    kinds = [kind for kind in _ARGUMENTS if given.get(kind)]
    if not kinds:
        message = "is missing, and so is action: a task runs one of them."
        raise InvalidRequest("function_path", message, hint=_EXAMPLE, code="missing_field")
    if len(kinds) == 2:
        raise InvalidRequest("action", "stands beside function_path: a task runs one of them.", code=_BAD)
    for kind, names in _ARGUMENTS.items():
        stray = next((name for name in names if kind != kinds[0] and given.get(name)), None)
        if stray is not None:
            raise InvalidRequest(stray, f"goes with {kind}, which is not given.", code=_BAD)


def _refuse_unreadable(task: ScheduledTask) -> None:
    try:
        timetable(task.task_type, task.schedule, zone="UTC", start=0.0)
    except ValueError as error:
        raise InvalidRequest("schedule", str(error), code=_BAD) from None
    try:
        timetable("cron", "0 0 * * *", zone=task.timezone, start=0.0)
    except ValueError as error:
        raise InvalidRequest("timezone", str(error), code=_BAD) from None


def _name(name: str, value: Json) -> str:
    if not NAME.fullmatch(_text(name, value)):
        raise InvalidRequest(
            name, "must be 1 to 100 letters, digits or ._- and begin with no mark.", code=_BAD
        )
    return str(value)


def _text(name: str, value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(name, "must be a string.", code="wrong_type")
    return value


def _description(name: str, value: Json) -> str:
    if len(_text(name, value)) > _LONGEST_DESCRIPTION:
        raise InvalidRequest(
            name, f"must be at most {_LONGEST_DESCRIPTION:,} characters.", code="out_of_range"
        )
    return str(value)


def _flag(name: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(name, "must be true or false.", code="wrong_type")
    return value


def _one_of(*words: str) -> Callable[[str, Json], str]:
    def read(name: str, value: Json) -> str:
        if _text(name, value) not in words:
            raise InvalidRequest(name, f"must be one of {', '.join(words)}.", code=_BAD)
        return str(value)

    return read


def _catch_up(name: str, value: Json) -> CatchUp:
    return CatchUp(_one_of(*CatchUp)(name, value))


def _args(name: str, value: Json) -> tuple[Json, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidRequest(name, "must be a list.", code="wrong_type")
    return tuple(_plain(name, list(value)))


def _mapping(name: str, value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(name, "must be an object.", code="wrong_type")
    return dict(_plain(name, dict(value)))


def _plain(name: str, value: Any) -> Any:
    if not is_plain(value):
        raise InvalidRequest(name, "must be JSON through and through.", code="wrong_type")
    return value


def _action(name: str, value: Json) -> str:
    if _text(name, value) and not ACTION_NAME.fullmatch(value):
        raise InvalidRequest(name, f"must match {ACTION_NAME.pattern}.", code="bad_name")
    return str(value)


def _window(name: str, value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRequest(name, "must be a duration, as in '1 day'.", code="wrong_type")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidRequest(name, str(error), code="bad_time") from None


def _as_of_a_submission(name: str, value: Json) -> Any:
    return getattr(submission_from({"action": "", name: value}, now=0.0), name)


_READERS: dict[str, Callable[[str, Json], Any]] = {
    "agent_name": _name,
    "task_name": _name,
    "description": _description,
    "enabled": _flag,
    "schedule": _text,
    "task_type": _one_of("cron", "interval"),
    "function_path": _text,
    "args": _args,
    "kwargs": _mapping,
    "action": _action,
    "params": _mapping,
    "timezone": _text,
    "catch_up": _catch_up,
    "catch_up_window": _window,
    "priority": _as_of_a_submission,
    "timeout": _as_of_a_submission,
    "max_attempts": _as_of_a_submission,
    "owner": _text,
    "source": _text,
}
