"""What a Task Executor client asks for: the body of POST /api/v1/tasks becomes a submission."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api.executor_views import PROBLEM, TOLD, takes_tasks
from api.http import allow_only
from core.errors import InvalidParams, InvalidRequest, Problem, UnknownAction
from core.jobs import Json
from core.registry import ACTION_NAME
from core.submission import Submission, submission_from

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.registry import Registry

TASK_EXAMPLE = '{"problem_id": "test-problem-001", "parameters": {"max_steps": 10}, "priority": 5}'
#: What a problem may be called.
PROBLEM_ID = "[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}"

#: Parameters that say how a task is run, unless its action has a param of that name.
_HOW = ("action", "priority", "timeout")


@dataclass(frozen=True, slots=True)
class Asking:
    """Read tasks for the actions that are there."""

    registry: Registry
    #: What runs a task that names no action.
    action: str
    #: How many steps a task takes at most that does not say.
    max_steps: int

    def submission(self, document: Mapping[str, Json], *, now: float) -> Submission:
        """Return the submission that a task makes. Raises InvalidRequest, UnknownAction or BrokenAction.

        Its action is the one that `parameters.action` names, else the one that bears the name of the problem,
        else that of the settings. Where priority stands in both places, the one in the parameters counts.
        """
        allow_only(document, "problem_id", "parameters", "priority")
        problem, parameters = _problem(document), _parameters(document)
        spec = self.registry.resolve(self._action(problem, parameters))
        how = {name: parameters[name] for name in _HOW if name in parameters and name not in _own(spec)}
        asked = {"priority": document.get("priority"), **how, "action": spec.name}
        if takes_tasks(spec):
            params: dict[str, Json] = {PROBLEM: problem, "parameters": parameters}
            if "max_steps" in _own(spec):
                params["max_steps"] = self.max_steps
            labels = {PROBLEM: problem}
        else:
            params = {name: value for name, value in parameters.items() if name not in how}
            labels = {PROBLEM: problem, TOLD: " ".join(how)}
        return replace(_read({**asked, "params": params}, now), labels=labels)

    def _action(self, problem: str, parameters: Mapping[str, Json]) -> str:
        if (named := parameters.get("action")) is not None:
            if not isinstance(named, str):
                raise InvalidRequest("parameters.action", "must be a string.", code="wrong_type")
            return named
        return problem if self._is_action(problem) else self.action

    def _is_action(self, problem: str) -> bool:
        if not ACTION_NAME.fullmatch(problem):
            return False
        try:
            self.registry.resolve(problem)
        except UnknownAction:
            return False
        return True


def in_words_of_tasks(error: InvalidParams) -> InvalidParams:
    """Return the refusal of an action's params with each field named as it stands in a task."""
    problems = [Problem(_PLACE.sub("parameters", known.field), known.message) for known in error.problems]
    return InvalidParams(error.action, problems)


_PLACE = re.compile(r"^params(\.parameters)?")


def _own(spec: ActionSpec) -> Mapping[str, Json]:
    properties: Mapping[str, Json] = spec.schema.get("properties", {})
    return properties


def _read(document: dict[str, Json], now: float) -> Submission:
    try:
        return submission_from(document, now=now)
    except InvalidRequest as error:
        if error.field == "params":
            raise InvalidRequest(
                "parameters", "one of its names holds a control character.", code=error.code
            ) from None
        raise


def _problem(document: Mapping[str, Json]) -> str:
    if "problem_id" not in document:
        raise InvalidRequest("problem_id", "is missing.", hint=f"Try {TASK_EXAMPLE}", code="missing_field")
    given = document["problem_id"]
    if not isinstance(given, str):
        raise InvalidRequest("problem_id", "must be a string.", code="wrong_type")
    if not re.fullmatch(PROBLEM_ID, given):
        raise InvalidRequest(
            "problem_id", "must be 1 to 255 letters, digits, - or _, and begin with a letter or digit."
        )
    return given


def _parameters(document: Mapping[str, Json]) -> dict[str, Json]:
    given = document.get("parameters", {})
    if not isinstance(given, dict):
        raise InvalidRequest("parameters", "must be a JSON object.", code="wrong_type")
    return given
