"""The JSON Schemas that every dialect describes itself with at /openapi.json. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.jobs import Json

Schema = Mapping[str, Any]

#: An id to show in examples.
JOB_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"

_HEX = "[0-9a-fA-F]"
ID: Schema = {
    "type": "string",
    "pattern": f"^{_HEX}{{8}}-{_HEX}{{4}}-7{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}$",
    "description": "A UUIDv7.",
}
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
BATCH: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"}
#: Whatever a header can carry that is printable.
KEY: Schema = {"type": "string", "pattern": "^[ -~\xa1-\xac\xae-\xff]{1,255}$"}


def shape(required: str = "", **properties: Json) -> Schema:
    """Return the schema of an object with those properties; `required` names those that are always there."""
    return {"type": "object", "required": required.split(), "properties": properties}


def closed(required: str = "", **properties: Json) -> Schema:
    """Return the schema of an object that has no other properties."""
    return {**shape(required, **properties), "additionalProperties": False}


def optional(schema: Schema) -> Schema:
    """Return a schema that allows null too, which means the same as leaving the field out."""
    return {"anyOf": [schema, {"type": "null"}], "description": schema.get("description", "")}
