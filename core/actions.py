"""What an action is: `@action` says how it runs, ActionSpec is what the registry knows of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from core.jobs import DEFAULT_QUEUE, Json
from core.timing import parse_duration

Isolation = Literal["process", "thread"]

#: How a file lends its action: as a typed `run(…)`, or in the older form `execute(job_id, params, …)`.
Form = Literal["run", "execute"]

Function = TypeVar("Function", bound=Callable[..., Any])

#: What a queue may be called.
QUEUE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")

_MARK = "__action_limits__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one attempt of an action may take, and where it runs."""

    #: Seconds that one attempt may take; None leaves it to the settings of the bus.
    timeout: float | None = None
    #: How often it may start; None leaves it to the submission.
    max_attempts: int | None = None
    #: `process` can be killed; `thread` starts within microseconds and cannot.
    isolation: Isolation = "process"
    #: The queue whose slots run it.
    queue: str = DEFAULT_QUEUE


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionSpec:
    """An action that can be run: what a dialect shows of it and what a runner needs."""

    name: str
    #: Its docstring; empty when it has none.
    description: str
    limits: Limits
    #: The file it was loaded from, and which version of it.
    path: Path
    stamp: str
    form: Form
    function: Callable[..., Any]
    #: Turns params into the arguments of `function`, in JSON-ready form or as the types it asks for.
    params: ParamsReader

    @property
    def schema(self) -> Mapping[str, Json]:
        """JSON Schema of its params."""
        return self.params.schema

    @property
    def secrets(self) -> Mapping[str, Json] | None:
        """The schema, if it tells of any secret: what hides them by their types reads nothing else in it."""
        return self.params.schema if self.params.hides else None

    def validate(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """Return the given params JSON-ready. Raises InvalidParams naming each problem."""
        return self.params.checked(self.name, params)


class ParamsReader:
    """Accept any params as they are; `core.signature` knows the reader that follows a signature."""

    #: Whether the function asks for the JobContext.
    wants_context = False

    @property
    def hides(self) -> bool:
        """Whether any of the params is a secret by its type."""
        return False

    @property
    def schema(self) -> Mapping[str, Json]:
        """JSON Schema of the params."""
        return {"type": "object", "additionalProperties": True}

    def checked(self, action: str, params: Mapping[str, Json]) -> dict[str, Json]:
        """Return the params JSON-ready. Raises InvalidParams in the name of the action."""
        return dict(params)

    def arguments(self, action: str, params: Mapping[str, Json]) -> dict[str, Any]:
        """Return the keyword arguments that the params make. Raises InvalidParams naming the action."""
        return dict(params)


class ReadParams(ParamsReader):
    """Hand over arguments that somebody else has read already."""

    def __init__(self, arguments: Mapping[str, Any], *, wants_context: bool) -> None:
        self._arguments = arguments
        self.wants_context = wants_context

    def arguments(self, action: str, params: Mapping[str, Json]) -> dict[str, Any]:
        """Return them."""
        return dict(self._arguments)


@overload
def action(function: Function, /) -> Function: ...


@overload
def action(
    *,
    timeout: str | float | None = None,
    max_attempts: int | None = None,
    isolation: Isolation = "process",
    queue: str = DEFAULT_QUEUE,
) -> Callable[[Function], Function]: ...


def action(
    function: Function | None = None,
    /,
    *,
    timeout: str | float | None = None,
    max_attempts: int | None = None,
    isolation: Isolation = "process",
    queue: str = DEFAULT_QUEUE,
) -> Function | Callable[[Function], Function]:
    """Set the limits of the `run` function that it decorates: `@action(timeout="10m", queue="browser")`.

    `@action` alone sets the usual ones. Raises ValueError when a limit makes no sense.
    """
    if isolation not in ("process", "thread"):
        raise ValueError(f"isolation must be 'process' or 'thread', not {isolation!r}.")
    if not QUEUE_NAME.fullmatch(queue):
        raise ValueError(f"queue must match {QUEUE_NAME.pattern}, not {queue!r}.")
    if max_attempts is not None and max_attempts < 1:
        raise ValueError(f"max_attempts must be 1 or more, not {max_attempts}.")
    seconds = None if timeout is None else parse_duration(timeout)
    limits = Limits(timeout=seconds, max_attempts=max_attempts, isolation=isolation, queue=queue)

    def mark(function: Function) -> Function:
        setattr(function, _MARK, limits)
        return function

    return mark if function is None else mark(function)


def limits_of(function: Callable[..., Any]) -> Limits:
    """Return the limits that `@action` set on a function, or the usual ones."""
    limits = getattr(function, _MARK, None)
    return limits if isinstance(limits, Limits) else Limits()
