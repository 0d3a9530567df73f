"""TaskQueue: run a function once, as soon as a slot is free; ask how it stands; cancel it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import InvalidRequest, JobEnded
from core.executions import AGENT, FUNCTION, TASK, execution_of
from core.functions import CALL_FUNCTION
from core.order import is_plain
from core.submission import Submission

if TYPE_CHECKING:
    from core.bus import Bus
    from core.jobs import Json
    from core.scheduler_models import TaskExecution


class TaskQueue:
    """Submit functions of allowed packages. `TaskQueue()` works on the bus of this process."""

    def __init__(self, bus: Bus | None = None) -> None:
        if bus is None:
            from core.at_hand import kernel_at_hand  # noqa: PLC0415  It may have to open the bus.

            bus = kernel_at_hand().bus
        self._bus = bus

    def enqueue(  # noqa: PLR0917  This is how callers of the platform know it.
        self,
        func: Callable[..., Any] | None = None,
        agent_name: str = "",
        task_name: str = "",
        function_path: str = "",
        args: Sequence[Json] = (),
        kwargs: Mapping[str, Json] | None = None,
    ) -> str:
        """Submit one call and return the job's id; the job is durably stored.

        `function_path` is `package.module:function`; without it `func` tells its own. The call is made in a
        process of its own, which imports that path, so arguments must be JSON. Raises InvalidRequest, or what
        `Bus.submit` raises.
        """
        path = function_path or _path_of(func)
        params = {"function": path, "args": list(args), "kwargs": dict(kwargs or {})}
        if not is_plain(params):
            raise InvalidRequest("args", "and kwargs must be JSON: they travel to another process.")
        named = {AGENT: agent_name, TASK: task_name or path.rpartition(":")[2], FUNCTION: path}
        labels = {name: value for name, value in named.items() if value}
        return self._bus.submit(Submission(action=CALL_FUNCTION, params=params, labels=labels)).id

    def status(self, job_id: str) -> TaskExecution:
        """Return how a job stands: `status`, `result`, `error` and more. Raises JobNotFound or JobExpired."""
        return execution_of(self._bus.get(job_id))

    def cancel(self, job_id: str) -> bool:
        """Cancel a job that waits, or ask one that runs to stop; return whether it was not too late.

        Raises JobNotFound or JobExpired.
        """
        try:
            self._bus.cancel(job_id)
        except JobEnded:
            return False
        return True


def _path_of(func: Callable[..., Any] | None) -> str:
    if func is None:
        raise InvalidRequest("function_path", "is missing: name `package.module:function`, or hand in func.")
    return f"{func.__module__}:{func.__qualname__}"
