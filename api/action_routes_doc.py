"""What /docs and /openapi.json say of /api/actions: each action is an operation of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.jobs_schemas import ACTION, CREATED, SUBMITTING, THE_KEY
from api.openapi import Answer, Operation, Parameter
from api.schemas import BATCH, TEXT, shape
from core.timing import LONGEST

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

SUBMIT_EXAMPLE = '{"delay_seconds": 2}'
#: The options of a submission, as parameters of the query.
OPTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "priority": ("0 to 9; the higher goes first.", {"type": "integer", "minimum": 0, "maximum": 9}),
    "run_after": (
        "Not before: an ISO 8601 time with an offset, or seconds from now.",
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 0, "maximum": LONGEST},
            ]
        },
    ),
    "timeout": (
        "What one attempt may take: seconds, or words such as '10 minutes'.",
        {"type": "string", "pattern": r"^[1-9][0-9]{0,2} ?(s|m|seconds|minutes)$"},
    ),
    "max_attempts": (
        "How often the job may start.",
        {"type": "integer", "minimum": 1, "maximum": 100},
    ),
    "batch": ("A name by which jobs are found together.", BATCH),
}

_TAG = "actions"
_FAKEJOB: Json = {
    "name": "fakejob",
    "description": "Wait.",
    "queue": "default",
    "timeout": None,
    "max_attempts": None,
    "isolation": "thread",
    "schema": {"type": "object", "properties": {"delay_seconds": {"type": "integer", "default": 5}}},
}
_BROKEN: Json = {"name": "report", "broken": "Its file could not be loaded: ImportError: no module named x"}
_ACTION = shape(
    "name description queue timeout max_attempts isolation schema", name=TEXT, schema={"type": "object"}
)
_FAULT = shape("name broken", name=TEXT, broken=TEXT)
_NAME = Parameter(
    name="name", place="path", description="The action.", schema=ACTION, required=True, example="fakejob"
)

FIND = Operation(
    summary="The actions",
    tag=_TAG,
    description="Each with the JSON Schema of its params and its limits; null is left to the settings. Files"
    " that could not be loaded are told with the reason.",
    answers={
        200: Answer(
            "The actions.",
            shape(
                "actions broken",
                actions={"type": "array", "items": _ACTION},
                broken={"type": "array", "items": _FAULT},
            ),
            {"two": {"actions": [_FAKEJOB], "broken": [_BROKEN]}},
        )
    },
)
ONE = Operation(
    summary="An action",
    tag=_TAG,
    parameters=[_NAME],
    answers={
        200: Answer("The action.", {"anyOf": [_ACTION, _FAULT]}, {"whole": _FAKEJOB, "broken": _BROKEN})
    },
    errors=["no_such_action"],
)


def submission_of(spec: ActionSpec) -> Operation:
    """Return what is said of submitting a job for an action, whose params are the body."""
    return Operation(
        summary=spec.description.partition("\n")[0] or f"Submit a job for {spec.name}",
        tag=_TAG,
        description=spec.description,
        parameters=[*_options(), THE_KEY],
        body={**spec.schema, "title": f"{spec.name}_params"},
        body_examples={"params": _example(spec.schema)},
        body_is_optional=not spec.schema.get("required"),
        answers={201: CREATED},
        errors=[*SUBMITTING, "no_such_action", "repeated_parameter", "bad_batch", "bad_time"],
    )


def _options() -> list[Parameter]:
    return [
        Parameter(name=name, description=description, schema=schema)
        for name, (description, schema) in OPTIONS.items()
    ]


def _example(schema: Mapping[str, Json]) -> Json:
    """Return params of the kind that a schema asks for: those without a default, and one word for each."""
    properties = schema.get("properties", {})
    return {name: _word(properties.get(name, {})) for name in schema.get("required", ())}


def _word(schema: Mapping[str, Json]) -> Json:
    if examples := schema.get("examples") or schema.get("enum"):
        return examples[0]
    if schema.get("format") == "uri":
        return "https://example.com"
    least = schema.get("minimum", 1)
    return {"string": "text", "integer": least, "number": least, "boolean": True, "array": []}.get(
        schema.get("type", ""), {}
    )


SUBMIT = Operation(
    summary="Submit a job for an action",
    tag=_TAG,
    body={"type": "object"},
    answers={201: CREATED},
    of_action=submission_of,
)
