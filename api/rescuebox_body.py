"""From the body of a RescueBox request to the params of an action, held against the task's form. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from api.http import allow_only
from api.rescuebox_schema import (
    EnumParameterDescriptor,
    FloatParameterDescriptor,
    InputSchema,
    InputType,
    IntParameterDescriptor,
    NewFileInputType,
    ParameterDescriptor,
    RangedFloatParameterDescriptor,
    RangedIntParameterDescriptor,
    TaskSchema,
    TextParameterDescriptor,
)
from core.errors import InvalidRequest

if TYPE_CHECKING:
    from core.jobs import Json

LONGEST_PATH = 4_096  # characters
MOST_IN_AN_INPUT = 1_000

#: What wraps an input; where there are two words, the second wraps each member of a list.
WRAPPERS: Mapping[InputType, tuple[str, ...]] = {
    InputType.FILE: ("path",),
    InputType.DIRECTORY: ("path",),
    InputType.TEXT: ("text",),
    InputType.TEXTAREA: ("text",),
    InputType.BATCHFILE: ("files", "path"),
    InputType.BATCHTEXT: ("texts", "text"),
    InputType.BATCHDIRECTORY: ("directories", "path"),
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: A number as the text that a field of a form makes of it.
WHOLE = r"\s*[+-]?[0-9]{1,18}\s*"
NUMBER = r"\s*[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?\s*"


def wrappers_of(field: InputSchema) -> tuple[str, ...]:
    """Return what wraps an input of that kind."""
    kind = field.input_type
    return ("path",) if isinstance(kind, NewFileInputType) else WRAPPERS[kind]


def params_of(form: TaskSchema, body: Mapping[str, Json]) -> dict[str, Json]:
    """Return each input, unwrapped, and each parameter by its key. Raises InvalidRequest naming the field."""
    allow_only(body, "inputs", "parameters")
    inputs = _members(body.get("inputs", {}), "inputs", [field.key for field in form.inputs])
    given = {} if body.get("parameters") is None else body["parameters"]
    parameters = _members(given, "parameters", [field.key for field in form.parameters])
    params: dict[str, Json] = {}
    for field in form.inputs:
        if field.key not in inputs:
            raise InvalidRequest(f"inputs.{field.key}", "is missing.", code="missing_field")
        params[field.key] = _unwrapped(inputs[field.key], f"inputs.{field.key}", wrappers_of(field))
    for known in form.parameters:
        place = f"parameters.{known.key}"
        params[known.key] = _parameter(parameters.get(known.key), place, known.value)
    return params


def _members(given: Json, place: str, known: Collection[str]) -> dict[str, Json]:
    """Return an object that holds no other fields than those known."""
    if not isinstance(given, dict):
        raise InvalidRequest(place, "must be a JSON object.", code="wrong_type")
    for name in given:
        if name not in known:
            hint = f"Known: {', '.join(known) or 'none'}."
            raise InvalidRequest(f"{place}.{name}", "is not a field here.", hint=hint, code="unknown_field")
    return given


def _unwrapped(given: Json, place: str, wrappers: tuple[str, ...]) -> Json:
    word, *inner = wrappers
    members = _members(given, place, [word])
    place = f"{place}.{word}"
    if word not in members:
        raise InvalidRequest(place, "is missing.", code="missing_field")
    value = members[word]
    if not inner:
        return _path(value, place) if word == "path" else _text(value, place)
    if not isinstance(value, list):
        raise InvalidRequest(place, "must be a list.", code="wrong_type")
    if len(value) > MOST_IN_AN_INPUT:
        raise InvalidRequest(place, f"must hold at most {MOST_IN_AN_INPUT:,}.", code="out_of_range")
    return [_unwrapped(one, f"{place}[{number}]", tuple(inner)) for number, one in enumerate(value)]


def _text(value: Json, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(place, "must be a string.", code="wrong_type")
    return value


def _path(value: Json, place: str) -> str:
    """Return what can be a path; whether it may be read is for the action to say, which reads it."""
    path = _text(value, place)
    if not 1 <= len(path) <= LONGEST_PATH:
        raise InvalidRequest(place, f"must have 1 to {LONGEST_PATH:,} characters.", code="out_of_range")
    if _CONTROL.search(path) or ".." in path.split("/"):
        raise InvalidRequest(place, "must hold neither '..' nor control characters.")
    return path


def _parameter(value: Json, place: str, kind: ParameterDescriptor) -> Json:
    """Return a parameter as its kind; a field that a form leaves empty means the default."""
    if value is None or (value == "" and not isinstance(kind, TextParameterDescriptor)):
        return kind.default
    match kind:
        case IntParameterDescriptor():
            return _whole(value, place)
        case FloatParameterDescriptor():
            return _number(value, place)
        case RangedIntParameterDescriptor(range=allowed):
            return _within(_whole(value, place), place, allowed.min, allowed.max)
        case RangedFloatParameterDescriptor(range=allowed):
            return _within(_number(value, place), place, allowed.min, allowed.max)
        case EnumParameterDescriptor():
            return _choice(value, place, [choice.key for choice in kind.enum_vals])
    return _text(value, place)


def _whole(value: Json, place: str) -> int:
    # The fields of a web form are text, and RescueBox's own form sends them so.
    value = _typed(value, WHOLE, int)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(place, "must be a whole number.", code="wrong_type")
    return value


def _number(value: Json, place: str) -> float:
    value = _typed(value, NUMBER, float)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(place, "must be a number.", code="wrong_type")
    if not math.isfinite(value):
        raise InvalidRequest(place, "is too large.", code="out_of_range")
    return value


def _typed(value: Json, pattern: str, kind: Callable[[str], float]) -> Json:
    fits = isinstance(value, str) and re.fullmatch(pattern, value)
    return kind(value) if fits else value


def _within(value: float, place: str, least: float, most: float) -> float:
    if not least <= value <= most:
        raise InvalidRequest(place, f"must be from {least} to {most}.", code="out_of_range")
    return value


def _choice(value: Json, place: str, keys: Collection[str]) -> str:
    if _text(value, place) not in keys:
        raise InvalidRequest(place, f"must be one of {', '.join(keys)}.", code="out_of_range")
    return _text(value, place)
