"""The OpenAPI document: each view says what it does, the document is built when somebody asks for it.

Nothing here costs anything at start, and nothing here validates: views read requests strictly by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask

from api.errors import ERRORS

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from core.actions import ActionSpec
    from core.jobs import Json

View = TypeVar("View", bound=Callable[..., Any])
Schema = Mapping[str, Any]
#: A schema, or how to make it from the actions that are there.
BodySchema = Schema | Callable[[Mapping[str, "ActionSpec"]], Schema]

#: What can go wrong with any request, with any that needs a token, and with any that carries a body.
EVERYWHERE = (
    *("bad_request", "method_not_allowed", "request_timeout", "unknown_host"),
    *("too_many_connections", "server_busy", "internal_error"),
)
BEHIND_THE_DOOR = ("unauthorized", "rate_limited")
WITH_BODY = (
    *("empty_body", "truncated_body", "bad_json", "not_utf8", "duplicate_key", "number_out_of_range"),
    *("too_deep", "lone_surrogate", "must_be_object", "unknown_field", "missing_field", "wrong_type"),
    *("cross_site", "length_required", "body_too_large", "not_json_type", "content_encoding_not_supported"),
)
ERROR: Schema = {
    "type": "object",
    "properties": {
        "status": {"const": "error"},
        "code": {"type": "string", "description": "For programs; stable between versions."},
        "message": {"type": "string", "description": "One sentence for people."},
        "hint": {"type": "string", "description": "What to do about it; may be empty."},
        "job_id": {"type": "string", "format": "uuid"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["status", "code", "message", "hint"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A parameter of the query, the path or the headers."""

    name: str
    description: str
    schema: Schema
    place: str = "query"
    required: bool = False
    example: Json = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view answers with one status."""

    description: str
    schema: Schema
    examples: Mapping[str, Json] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What a view does, for people and for programs."""

    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: BodySchema | None = None
    body_examples: Mapping[str, Json] = field(default_factory=dict)
    answers: Mapping[int, Answer] = field(default_factory=dict)
    #: It answers without a token too, and as often as it is asked.
    open: bool = False
    #: Codes of ERRORS beyond those that every request may meet.
    errors: Sequence[str] = ()


def documented(operation: Operation) -> Callable[[View], View]:
    """Return a decorator that says what a view does."""

    def mark(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return mark


def document_of(
    app: Flask, *, version: str, actions: Mapping[str, ActionSpec], secured: bool
) -> dict[str, Json]:
    """Return the OpenAPI 3.1 document of every documented route of the app."""
    components: dict[str, Any] = {"schemas": {"Error": ERROR}}
    paths: dict[str, dict[str, Json]] = {}
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is not None:
            path = _PLACEHOLDER.sub(r"{\1}", rule.rule)
            paths.setdefault(path, {})[_method(rule)] = _described(
                rule, operation, actions, components["schemas"]
            )
    document: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {"title": "aafai-bus", "version": version, "description": _INTRODUCTION},
        "paths": paths,
        "components": components,
    }
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


_PLACEHOLDER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_INTRODUCTION = (
    "Submit long-running jobs, poll for their results. Every answer is JSON; every error says what is wrong,"
    " what to do about it, and bears a code for programs."
)


def _method(rule: Rule) -> str:
    return next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"})).lower()


def _described(
    rule: Rule, operation: Operation, actions: Mapping[str, ActionSpec], schemas: dict[str, Json]
) -> dict[str, Json]:
    described: dict[str, Json] = {
        "operationId": rule.endpoint,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [_parameter(one) for one in operation.parameters],
    }
    if operation.body is not None:
        schema = operation.body(actions) if callable(operation.body) else operation.body
        content = {"schema": _hoisted(schema, schemas), "examples": _examples(operation.body_examples)}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    described["responses"] = _responses(operation)
    return described


def _parameter(one: Parameter) -> Json:
    shown = {"name": one.name, "in": one.place, "required": one.required, "description": one.description}
    return {**shown, "schema": one.schema, **({} if one.example is None else {"example": one.example})}


def _responses(operation: Operation) -> dict[str, Json]:
    codes = (
        *EVERYWHERE,
        *(() if operation.open else BEHIND_THE_DOOR),
        *(WITH_BODY if operation.body is not None else ()),
        *operation.errors,
    )
    errors: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        errors.setdefault(ERRORS[code][0], []).append(code)
    responses: dict[str, Json] = {}
    for status in sorted({*operation.answers, *errors}):
        answer = operation.answers.get(status)
        responses[str(status)] = _answer(answer) if answer else _refusals(status, errors[status])
    return responses


def _answer(answer: Answer) -> Json:
    content = {"schema": answer.schema, "examples": _examples(answer.examples)}
    return {"description": answer.description, "content": {answer.content_type: content}}


def _refusals(status: int, codes: Sequence[str]) -> Json:
    told = "\n".join(f"- `{code}`: {ERRORS[code][1]}" for code in codes)
    content = {
        "schema": {"$ref": "#/components/schemas/Error"},
        "examples": _examples(
            {
                code: {"status": "error", "code": code, "message": ERRORS[code][1], "hint": ""}
                for code in codes
            }
        ),
    }
    return {"description": f"{HTTPStatus(status).phrase}\n\n{told}", "content": {"application/json": content}}


def _examples(examples: Mapping[str, Json]) -> Json:
    return {name: {"value": value} for name, value in examples.items()}


def _hoisted(schema: Json, schemas: dict[str, Json], prefix: str = "") -> Json:
    """Return the schema with its `$defs` moved among the document's schemas, where references find them.

    Each is named after the title of the schema that defined it: two actions may define a type of one name.
    """
    if isinstance(schema, list):
        return [_hoisted(one, schemas, prefix) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$defs" in schema:
        prefix = f"{schema['title']}."
    for name, definition in schema.get("$defs", {}).items():
        schemas[prefix + name] = _hoisted(definition, schemas, prefix)
    moved = {name: _hoisted(value, schemas, prefix) for name, value in schema.items() if name != "$defs"}
    if isinstance(reference := moved.get("$ref"), str):
        moved["$ref"] = reference.replace("#/$defs/", f"#/components/schemas/{prefix}")
    return moved
