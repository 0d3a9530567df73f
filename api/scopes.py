"""What a token must allow for each operation, and how the OpenAPI document says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.signatures import SCHEME

if TYPE_CHECKING:
    from api.openapi import Operation
    from core.jobs import Json

#: The ways in, as the OpenAPI document names them.
SCHEMES: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, or that of the settings. With each operation stands what it must allow:"
        " `submit` (submit and steer jobs), `read` (look at them), `admin` (what concerns everybody).",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": f"In place of a token, for clients on plain HTTP: `{SCHEME} key=…, time=…, nonce=…,"
        " signature=…`.",
    },
}


def scope_of(operation: Operation | None, method: str) -> str:
    """Return the scope that a request needs; empty for what any token may ask.

    What an operation does not say follows from its method: GET needs `read`, all that changes needs `submit`.
    """
    if method == "OPTIONS" or (operation is not None and operation.open):
        return ""
    if operation is not None and operation.scope:
        return operation.scope
    return "read" if method in {"GET", "HEAD"} else "submit"


def security_of(operation: Operation, method: str) -> list[Json]:
    """Return the ways in to an operation as OpenAPI has them, with the scope in the place of a role."""
    scope = scope_of(operation, method)
    return [{way: [scope]} for way in SCHEMES] if scope else [{}]
