"""The OpenAPI document: each view says what it does, the document is built when somebody asks for it.

Nothing here costs anything at start, and nothing here validates: views read requests strictly by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask

from api.errors import ERRORS
from api.scopes import SCHEMES, security_of

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from api.details import Saying
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
BEHIND_THE_DOOR = (
    *("unauthorized", "token_expired", "bad_signature", "signature_stale", "signature_replayed"),
    *("scope_missing", "rate_limited"),
)
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
DETAIL: Schema = {
    "type": "object",
    "properties": {
        "detail": {"type": "string", "description": "One sentence for people."},
        **{name: ERROR["properties"][name] for name in ("code", "hint", "job_id", "problems")},
    },
    "required": ["detail"],
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
    #: Other content types in which the same may be answered, each with its schema.
    otherwise: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What a view does, for people and for programs."""

    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: BodySchema | None = None
    body_examples: Mapping[str, Json] = field(default_factory=dict)
    #: Whether the body may be left out.
    body_is_optional: bool = False
    answers: Mapping[int, Answer] = field(default_factory=dict)
    #: It answers without a token too, and as often as it is asked.
    open: bool = False
    #: What a token must allow for it; empty for what its method says: `read` or `submit`.
    scope: str = ""
    #: Codes of ERRORS beyond those that every request may meet.
    errors: Sequence[str] = ()
    #: How a dialect that tells `{"detail": …}` says errors in words of its own, by code; None in others.
    sayings: Mapping[str, Saying] | None = None
    #: What the view does for one action, whose name stands in the path for `name`; shown in place of this.
    of_action: Callable[[ActionSpec], Operation] | None = None


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
    components: dict[str, Any] = {"schemas": {"Error": ERROR, "Detail": DETAIL}}
    paths: dict[str, dict[str, Json]] = {}
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        for name, path, shown in _shown(rule, operation, actions) if operation else ():
            described = _described(name, shown, actions, components["schemas"])
            security = {"security": security_of(shown, _method(rule).upper())} if secured else {}
            paths.setdefault(path, {})[_method(rule)] = described | security
    document: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {"title": "aafai-bus", "version": version, "description": _INTRODUCTION},
        "paths": paths,
        "components": components,
    }
    if secured:
        components["securitySchemes"] = SCHEMES
        document["security"] = [{"token": []}]
    return document


_AN_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"
_PLACEHOLDER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_INTRODUCTION = (
    "Submit long-running jobs, poll for their results. Every answer is JSON; every error says what is wrong,"
    " what to do about it, and bears a code for programs."
)


def _shown(
    rule: Rule, operation: Operation, actions: Mapping[str, ActionSpec]
) -> Iterator[tuple[str, str, Operation]]:
    """Yield id, path and what is said of a route; of one that is there for each action, all that."""
    path = _PLACEHOLDER.sub(r"{\1}", rule.rule)
    if operation.of_action is None:
        yield rule.endpoint, path, operation
        return
    for name, spec in actions.items():
        yield f"{rule.endpoint}.{name}", path.replace("{name}", name), operation.of_action(spec)


def _method(rule: Rule) -> str:
    return next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"})).lower()


def _described(
    name: str, operation: Operation, actions: Mapping[str, ActionSpec], schemas: dict[str, Json]
) -> dict[str, Json]:
    described: dict[str, Json] = {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [_parameter(one) for one in operation.parameters],
    }
    if operation.body is not None:
        schema = operation.body(actions) if callable(operation.body) else operation.body
        content = {"schema": _hoisted(schema, schemas), "examples": _examples(operation.body_examples)}
        required = not operation.body_is_optional
        described["requestBody"] = {"required": required, "content": {"application/json": content}}
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
        errors.setdefault(_status(operation, code), []).append(code)
    responses: dict[str, Json] = {}
    for status in sorted({*operation.answers, *errors}):
        answer = operation.answers.get(status)
        responses[str(status)] = _answer(answer) if answer else _refusals(operation, status, errors[status])
    return responses


def _status(operation: Operation, code: str) -> int:
    saying = (operation.sayings or {}).get(code)
    return (saying.status if saying else 0) or ERRORS[code][0]


def _answer(answer: Answer) -> Json:
    first = {"schema": answer.schema, "examples": _examples(answer.examples)}
    others = {content_type: {"schema": schema} for content_type, schema in answer.otherwise.items()}
    return {"description": answer.description, "content": {answer.content_type: first, **others}}


def _refusals(operation: Operation, status: int, codes: Sequence[str]) -> Json:
    told = "\n".join(f"- `{code}`: {ERRORS[code][1]}" for code in codes)
    examples = _examples({code: _refusal(operation, code) for code in codes})
    # What is refused before the request reaches its dialect is told in the bus's own shape everywhere.
    shapes = ["Error"] if operation.sayings is None else ["Detail", "Error"]
    schema = {"anyOf": [{"$ref": f"#/components/schemas/{shape}"} for shape in shapes]}
    content = {"schema": schema, "examples": examples}
    return {"description": f"{HTTPStatus(status).phrase}\n\n{told}", "content": {"application/json": content}}


def _refusal(operation: Operation, code: str) -> Json:
    meaning = ERRORS[code][1]
    if operation.sayings is None:
        return {"status": "error", "code": code, "message": meaning, "hint": ""}
    if (saying := operation.sayings.get(code)) and saying.sentence:
        return {"detail": saying.sentence.format(id=_AN_ID)}
    return {"detail": meaning, "code": code, "hint": ""}


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
