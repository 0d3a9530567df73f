"""What the bus can do: /api/actions, where each action has a path of its own, whose body is its params."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import action_routes_doc
from api.action_routes_doc import OPTIONS
from api.desk import Desk
from api.errors import Refused
from api.http import allow_only_query, answer, query_given, read_optional_object
from api.jobs import created
from api.openapi import documented
from core.errors import InvalidRequest
from core.submission import submission_from
from core.timing import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.actions import ActionSpec
    from core.jobs import Json
    from core.kernel import Kernel

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def actions_blueprint(kernel: Kernel) -> Blueprint:
    """Return the routes of actions."""
    actions = Actions(kernel)
    blueprint = Blueprint("actions", __name__)
    blueprint.add_url_rule("/api/actions", view_func=actions.find, methods=["GET"])
    blueprint.add_url_rule("/api/actions/<name>", view_func=actions.one, methods=["GET"])
    blueprint.add_url_rule("/api/actions/<name>", view_func=actions.submit, methods=["POST"])
    return blueprint


class Actions:
    """Answer for the actions that are there, the broken ones too."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._registry = kernel.registry
        self._desk = Desk(kernel)

    @documented(action_routes_doc.FIND)
    def find(self) -> Response:
        """List the actions, and the files that should be some."""
        self._registry.load_found()  # Soon after the start some may not be imported yet.
        broken = [_broken_view(name, reason) for name, reason in self._registry.broken.items()]
        found = [_view(spec) for spec in self._registry.actions.values()]
        return answer({"actions": found, "broken": broken})

    @documented(action_routes_doc.ONE)
    def one(self, name: str) -> Response:
        """Tell what an action does, what it takes, and within which limits."""
        self._registry.load_found()
        if name in self._registry.broken:
            return answer(_broken_view(name, self._registry.broken[name]))
        self._refuse_unknown(name)
        return answer(_view(self._registry.actions[name]))

    @documented(action_routes_doc.SUBMIT)
    def submit(self, name: str) -> Response:
        """Take in one job for the action, whose params are the body."""
        self._registry.load_found()
        self._refuse_unknown(name)
        allow_only_query(*OPTIONS)
        given = {option: _read(option) for option in OPTIONS}
        params = read_optional_object(action_routes_doc.SUBMIT_EXAMPLE)
        document = {"action": name, "params": params, **given}
        return created(self._desk.submit(submission_from(document, now=self._kernel.clock.now())))

    def _refuse_unknown(self, name: str) -> None:
        known = {*self._registry.actions, *self._registry.broken}
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else "GET /api/actions lists those there are."
            raise Refused("no_such_action", "There is no action of that name.", hint=hint)


def _view(spec: ActionSpec) -> dict[str, Json]:
    return {
        "name": spec.name,
        "description": spec.description,
        "queue": spec.limits.queue,
        "timeout": spec.limits.timeout,
        "max_attempts": spec.limits.max_attempts,
        "isolation": spec.limits.isolation,
        "schema": dict(spec.schema),
    }


def _broken_view(name: str, reason: str) -> dict[str, Json]:
    return {"name": name, "broken": reason}


def _read(option: str) -> Json:
    """Return an option as the body of POST /inbound would hold it, None when it is absent."""
    text = query_given(option)
    return None if text is None else _READERS.get(option, _text)(option, text)


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidRequest(name, "must be a whole number.", code="wrong_type")
    return int(text)


def _moment(name: str, text: str) -> str | float:
    """Return seconds from now as the number that they are, a time as it is."""
    if not _NUMBER.fullmatch(text):
        return text
    if float(text) > LONGEST:
        raise InvalidRequest(name, f"must be at most {LONGEST:,} seconds from now.", code="out_of_range")
    return float(text)


def _text(name: str, text: str) -> str:
    return text


_READERS: Mapping[str, Callable[[str, str], Json]] = {
    "priority": _whole,
    "max_attempts": _whole,
    "run_after": _moment,
}
