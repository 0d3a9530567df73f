"""The documentation: /openapi.json, and /docs, a page that loads nothing from anywhere else."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request

from api.errors import Refused
from api.http import answer
from api.openapi import Answer, Operation, document_of, documented

if TYPE_CHECKING:
    from core.registry import Registry

#: Swagger UI sets styles through the DOM, which the policy does not touch, and draws with data: images.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_OURS = Path(__file__).parent / "assets"
#: Name under /docs → file, its folder (ours or Swagger UI's), its type. What is not here is not served.
_ASSETS: Mapping[str, tuple[str, str]] = {
    "docs.css": ("docs.css", "text/css"),
    "docs.js": ("docs.js", "text/javascript"),
    "swagger-ui.css": ("swagger/css/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger/js/swagger-ui-bundle.js", "text/javascript"),
}


def docs_blueprint(registry: Registry, *, version: str, secured: Callable[[], bool]) -> Blueprint:
    """Return the routes of the documentation; `secured` says whether callers need a token just now."""
    blueprint = Blueprint("docs", __name__)

    @documented(Operation(summary="This document", tag="documentation", answers={200: _ANY_JSON}))
    def openapi() -> Response:
        registry.load_found()  # Soon after the start some may not be imported yet.
        document = document_of(current_app, version=version, actions=registry.actions, secured=secured())
        return answer(document)

    blueprint.add_url_rule("/openapi.json", view_func=openapi, methods=["GET"])
    blueprint.add_url_rule("/docs", view_func=page, methods=["GET"])
    blueprint.add_url_rule("/docs/<name>", view_func=asset, methods=["GET"])
    return blueprint


_ANY_JSON = Answer("The OpenAPI document.", {"type": "object", "required": ["openapi", "paths"]})


@documented(
    Operation(
        summary="The documentation as a page",
        tag="documentation",
        open=True,
        answers={200: Answer("The page.", {"type": "string"}, content_type="text/html")},
    )
)
def page() -> Response:
    """Answer the page."""
    response = Response((_OURS / "docs.html").read_bytes(), mimetype="text/html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def asset(name: str) -> Response:
    """Answer a file that the page loads."""
    if name not in _ASSETS:
        raise Refused("no_such_path", "The documentation has no such file.")
    file, content_type = _ASSETS[name]
    folder = _swagger() if file.startswith("swagger/") else _OURS
    response = Response((folder / file).read_bytes(), mimetype=content_type)
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.add_etag()
    response.make_conditional(request.environ)
    return response


def _swagger() -> Path:
    """Return the folder of Swagger UI's files; the package itself is never imported."""
    found = importlib.util.find_spec("flask_openapi_swagger")
    if found is None or found.origin is None:
        raise Refused("internal_error", "Swagger UI is not installed.", hint="Install requirements.txt.")
    return Path(found.origin).parent / "templates"
