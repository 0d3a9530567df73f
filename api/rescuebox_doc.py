"""What /docs and /openapi.json say of the RescueBox dialect: of each service and each of its tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from api.details import Saying
from api.openapi import Answer, Operation, Parameter
from api.rescuebox_body import LONGEST_PATH, MOST_IN_AN_INPUT, NUMBER, WHOLE, wrappers_of
from api.rescuebox_schema import (
    EnumParameterDescriptor,
    FloatParameterDescriptor,
    IntParameterDescriptor,
    ParameterDescriptor,
    RangedFloatParameterDescriptor,
    RangedIntParameterDescriptor,
)
from api.rescuebox_views import OUTPUTS, PENDING, routes_view, text_view
from api.schemas import ID, KEY, TEXT, closed, shape

if TYPE_CHECKING:
    from api.ml_service import MLService, Task
    from core.jobs import Json

#: Where an id that no job can have is as unknown as any other.
SAYINGS: Mapping[str, Saying] = {"bad_job_id": Saying(status=404)}

_TASK_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"
_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    description="The same key and body are the same task for at least 24 hours.",
    schema=KEY,
)
_PATH: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_PATH,
    "pattern": r"^(?!(.*/)?\.\.(/|$))[^\x00-\x1f\x7f]+$",
    "description": "On the machine of the bus; without '..'.",
}


#: Fields of a form are text. That limits hold for it too, no schema can say.
_AS_TEXT = {"integer": WHOLE, "number": NUMBER}
_SAID = shape("root output_type title value", root=shape("title value"), output_type={"const": "text"})
_RESULT = shape("root output_type", root=shape("output_type"), output_type={"enum": list(OUTPUTS)})
_TEXTS: Json = {
    "output_type": "batchtext",
    "texts": [
        {"output_type": "text", "value": "go forward ten meters", "title": "/media/1.wav", "subtitle": None}
    ],
}
_DONE: Json = {"root": _TEXTS, **_TEXTS}
_STARTED = text_view("task_id", _TASK_ID)
_PENDING = text_view("status", PENDING)
_FAILED = text_view("error", "Task failed: It took longer than 60 s.")
_ENDED = {"done": _DONE, "failed": _FAILED}

LIVENESS = Operation(
    summary="Whether the server is there",
    tag="RescueBox",
    description="Answers without a token too.",
    open=True,
    answers={200: Answer("It is.", shape("message"), {"there": {"message": "RescueBox API"}})},
    sayings=SAYINGS,
)


def run_of(task: Task) -> Operation:
    """Return what is said of the request for a task."""
    started = Answer("Started: poll for its result.", _SAID, {"started": _STARTED})
    ended = Answer("Ended, with the result or the error.", {"anyOf": [_RESULT, _SAID]}, _ENDED)
    waits = "Answers as soon as the work is done; after 25 seconds, or when too many wait, with a task id."
    return Operation(
        summary=f"{task.short_title or task.run_task}: {'start' if task.is_async else 'run'}",
        tag=_tag(task.run_task),
        description="" if task.is_async else waits,
        parameters=[_KEY],
        body=_body_schema(task),
        body_examples={"example": example_body(task)},
        answers={202: started} if task.is_async else {200: ended, 202: started},
        errors=[
            *("invalid_request", "out_of_range", "bad_idempotency_key", "idempotency_conflict"),
            *("action_not_allowed", "unknown_action", "invalid_params", "unsupported", "queue_full"),
            *("broken_action", "engine_unavailable", "outcome_unknown", "shutting_down", "disk_full"),
        ],
        sayings=SAYINGS,
    )


def result_of(task: Task) -> Operation:
    """Return what is said of the result of a task."""
    states = {"pending": _PENDING, **_ENDED}
    return Operation(
        summary=f"{task.short_title or task.run_task}: how it stands, with the result once it is done",
        tag=_tag(task.run_task),
        description="Poll while `value` is `Task status: PENDING`. The ETag changes with the state;"
        " If-None-Match gets a 304.",
        parameters=[
            Parameter(
                name="task_id",
                place="path",
                required=True,
                schema=ID,
                description=f"As POST {task.run_task} answered it.",
            )
        ],
        answers={200: Answer("How it stands.", {"anyOf": [_RESULT, _SAID]}, states)},
        errors=["unknown_job", "bad_job_id", "expired", "record_damaged", "engine_unavailable"],
        sayings=SAYINGS,
    )


def form_of(task: Task) -> Operation:
    """Return what is said of the form of a task."""
    return Operation(
        summary=f"{task.short_title or task.run_task}: its form",
        tag=_tag(task.run_task),
        answers={200: Answer("The form.", shape("inputs parameters"), {"form": task.form.json})},
        sayings=SAYINGS,
    )


def routes_of(service: MLService) -> Operation:
    """Return what is said of the list of a service's tasks."""
    route = shape(
        "task_schema run_task short_title order",
        task_schema=TEXT,
        run_task=TEXT,
        short_title=TEXT,
        order={"type": "integer"},
    )
    return Operation(
        summary="The tasks of the service",
        tag=_tag(f"/{service.name}"),
        answers={
            200: Answer("The tasks.", {"type": "array", "items": route}, {"tasks": routes_view(service)})
        },
        sayings=SAYINGS,
    )


def metadata_of(service: MLService) -> Operation:
    """Return what is said of a service's metadata."""
    schema = shape("name plugin_name version author info gpu", gpu={"type": "boolean"})
    return Operation(
        summary="What the service is",
        tag=_tag(f"/{service.name}"),
        answers={200: Answer("The metadata.", schema, {"service": asdict(service.app_metadata)})},
        sayings=SAYINGS,
    )


def example_of(task: Task) -> str:
    """Return a valid body, as hints show it."""
    return json.dumps(example_body(task), ensure_ascii=False)


def example_body(task: Task) -> dict[str, Json]:
    """Return a valid body: an example of each input, and the default of each parameter."""
    inputs: dict[str, Json] = {}
    for field in task.form.inputs:
        *lists, word = wrappers_of(field)
        one = {word: "/media/recordings" if word == "path" else "Some text."}
        inputs[field.key] = {lists[0]: [one]} if lists else one
    return {"inputs": inputs, "parameters": {one.key: one.value.default for one in task.form.parameters}}


def _tag(path: str) -> str:
    return f"RescueBox: {path.split('/')[1]}"


def _body_schema(task: Task) -> Mapping[str, Json]:
    inputs = {field.key: _wrapped(wrappers_of(field)) for field in task.form.inputs}
    parameters = {known.key: _parameter_schema(known.value) for known in task.form.parameters}
    return closed(
        "inputs" if inputs else "",
        inputs=closed(" ".join(inputs), **inputs),
        parameters={"anyOf": [closed("", **parameters), {"type": "null"}]},
    )


def _wrapped(wrappers: tuple[str, ...]) -> Mapping[str, Json]:
    word, *inner = wrappers
    if not inner:
        return closed(word, **{word: _PATH if word == "path" else TEXT})
    members = {"type": "array", "maxItems": MOST_IN_AN_INPUT, "items": _wrapped(tuple(inner))}
    return closed(word, **{word: members})


def _parameter_schema(kind: ParameterDescriptor) -> Mapping[str, Json]:
    """Return the schema of a parameter: its value, a number as text as forms send it, or nothing."""
    value = _value_schema(kind)
    pattern = _AS_TEXT.get(str(value.get("type")))
    as_text = [{"type": "string", "pattern": f"^{pattern}$"}] if pattern else []
    return {"anyOf": [value, *as_text, {"enum": ["", None]}], "default": kind.default}


def _value_schema(kind: ParameterDescriptor) -> Mapping[str, Json]:
    match kind:
        case IntParameterDescriptor():
            return {"type": "integer"}
        case FloatParameterDescriptor():
            return {"type": "number"}
        case RangedIntParameterDescriptor(range=allowed):
            return {"type": "integer", "minimum": allowed.min, "maximum": allowed.max}
        case RangedFloatParameterDescriptor(range=allowed):
            return {"type": "number", "minimum": allowed.min, "maximum": allowed.max}
        case EnumParameterDescriptor():
            return {"enum": [choice.key for choice in kind.enum_vals]}
    return TEXT
