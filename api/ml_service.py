"""MLService: how a file says what the RescueBox dialect offers, and which action does the work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.rescuebox_schema import TaskSchema

#: First parts of paths that belong to the bus itself or to another dialect.
TAKEN = frozenset(
    {"api", "docs", "health", "inbound", "metrics", "openapi.json", "outbound", "probes", "purge", "queues"}
)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_RULE = re.compile(r"/[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class AppMetadata:
    """What people read about a service."""

    name: str
    plugin_name: str
    version: str
    author: str
    #: Markdown.
    info: str
    #: Whether it wants a graphics processor.
    gpu: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One thing that a service does, and the action that does it."""

    #: Its path, as in `/audio/transcribe`.
    run_task: str
    #: The name of the action. Its params are the inputs and parameters of the form, by their keys.
    action: str
    form: TaskSchema
    short_title: str
    order: int
    #: Whether a request is answered with a task id at once, or as soon as the work is done.
    is_async: bool
    #: Python packages without which the action cannot work, and what installs them.
    packages: Sequence[str] = ()
    install: str = ""

    @property
    def task_schema(self) -> str:
        """The path of its form."""
        return f"{self.run_task}/task_schema"

    @property
    def result(self) -> str:
        """The path of a result, as a route."""
        return f"{self.run_task}/result/<task_id>"


class MLService:
    """Declare one service: what people read about it, and its tasks.

    No work is done here: each request for a task becomes a job of an action, in a process of its own.
    """

    def __init__(self, name: str) -> None:
        """Name the service; the name is the first part of its paths. Raises ValueError when it cannot be."""
        if not _NAME.fullmatch(name) or name in TAKEN:
            taken = ", ".join(sorted(TAKEN))
            raise ValueError(
                f"A service cannot be named {name!r}: match {_NAME.pattern}, but none of {taken}."
            )
        self.name = name
        self.tasks: dict[str, Task] = {}
        self.app_metadata = AppMetadata(name=name, plugin_name=name, version="", author="", info="")

    def add_app_metadata(
        self, *, name: str, version: str, author: str, info: str, plugin_name: str = "", gpu: bool = False
    ) -> None:
        """Say what people read about the service; `info` is Markdown."""
        self.app_metadata = AppMetadata(
            name=name,
            plugin_name=plugin_name or self.name,
            version=version,
            author=author,
            info=info,
            gpu=gpu,
        )

    def add_ml_service(
        self,
        *,
        rule: str,
        ml_function: str,
        task_schema: TaskSchema,
        short_title: str = "",
        order: int = 0,
        is_async: bool = False,
        packages: Sequence[str] = (),
        install: str = "",
    ) -> None:
        """Offer a task: the service `audio` and the rule `/transcribe` make `/audio/transcribe`.

        `ml_function` names the action that does the work. Without the `packages` that it needs, the task is
        refused, and `install` says what to do. Raises ValueError for a rule that cannot be.
        """
        if not _RULE.fullmatch(rule) or rule == "/api" or rule in self.tasks:
            raise ValueError(f"{self.name}: the rule {rule!r} is taken, or does not match {_RULE.pattern}.")
        self.tasks[rule] = Task(
            run_task=f"/{self.name}{rule}",
            action=ml_function,
            form=task_schema,
            short_title=short_title,
            order=order,
            is_async=is_async,
            packages=tuple(packages),
            install=install,
        )
