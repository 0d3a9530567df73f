"""From the signature of an action's `run` function: the schema of its params and how they are read."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from core.actions import ParamsReader
from core.errors import InvalidParams, Problem
from core.jobs import Json
from core.secrets import tells_secrets

#: The keyword-only argument through which an action gets its JobContext.
CONTEXT = "job"

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# Fields bear a prefix and the param's name is their alias, so that a param may be called `json` or `copy`.
_PREFIX = "param_"
_SETTINGS = ConfigDict(extra="forbid", strict=True)


class SignatureReader(ParamsReader):
    """Read params strictly by the types of a signature: no text passes for a number, no unknown name."""

    def __init__(self, model: type[BaseModel], *, wants_context: bool = False) -> None:
        self._model = model
        self.wants_context = wants_context

    @cached_property
    def schema(self) -> Mapping[str, Json]:
        """JSON Schema of the params. Raises TypeError for what JSON cannot show."""
        return {**self._model.model_json_schema(schema_generator=_Undoubting), "title": "params"}

    @cached_property
    def hides(self) -> bool:
        """Whether any of the params is a secret by its type, such as a SecretStr."""
        return tells_secrets(self.schema)

    def checked(self, action: str, params: Mapping[str, Json]) -> dict[str, Json]:
        """Return the params that were given, JSON-ready. Raises InvalidParams without echoing any value."""
        read = self._read(action, params)
        if self.hides:  # Dumped, they would be stars, and no action could run with them.
            return dict(params)
        return read.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def arguments(self, action: str, params: Mapping[str, Json]) -> dict[str, Any]:
        """Return every argument as the type that the signature names, defaults too. Raises InvalidParams."""
        read = self._read(action, params)
        return {name.removeprefix(_PREFIX): getattr(read, name) for name in self._model.model_fields}

    def _read(self, action: str, params: Mapping[str, Json]) -> BaseModel:
        try:
            return self._validated(params)
        except ValidationError as error:
            known = ", ".join(self.schema.get("properties", {})) or "none"
            raise InvalidParams(action, [_problem(found, known) for found in _found(error)]) from None

    def _validated(self, params: Mapping[str, Json]) -> BaseModel:
        try:
            return self._model.model_validate_json(json.dumps(params, ensure_ascii=False))
        except ValidationError as error:
            if not any(found["type"] == "int_type" for found in _found(error)):
                raise
        return self._model.model_validate_json(json.dumps(_with_whole_numbers(params), ensure_ascii=False))


def reader_of(function: Callable[..., Any]) -> SignatureReader:
    """Return the reader for a function's params. Raises TypeError when they cannot be given by name."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    fields: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.kind not in _NAMED:
            raise TypeError(f"{function.__name__}() takes {parameter}, but params are handed over by name.")
        if name != CONTEXT:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[_PREFIX + name] = (Annotated[hints.get(name, Any), Field(alias=name)], default)
    model = create_model("Params", __config__=_SETTINGS, **fields)
    return SignatureReader(model, wants_context=CONTEXT in parameters)


class _Undoubting(GenerateJsonSchema):
    """Refuse what pydantic would only warn of: a default that JSON cannot show is a fault of the file."""

    def emit_warning(self, kind: str, detail: str) -> None:
        raise TypeError(f"{detail} [{kind}]")


# The first model of a process costs as much as twenty others: made here, before attempts fork from it.
create_model("First", __config__=_SETTINGS)


def _with_whole_numbers(value: Json) -> Json:
    """Return the value with 5 for 5.0, wherever that stands: JSON knows one kind of number."""
    if isinstance(value, Mapping):
        return {name: _with_whole_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _found(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))


def _problem(found: Mapping[str, Any], known: str) -> Problem:
    field = "params" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"])
    match found["type"]:
        case "missing":
            return Problem(field, "is required")
        case "extra_forbidden":
            return Problem(field, f"is no param of this action; it takes: {known}")
        case "value_error" | "assertion_error":
            return Problem(field, "is refused by the action's own check")
    return Problem(field, str(found["msg"]))
