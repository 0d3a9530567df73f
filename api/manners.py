"""What every request goes through in every dialect: checks, errors, headers, compression, metrics."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.doorkeeper import ALLOWANCE
from api.errors import Refused, refusal_of, refused_by_flask
from api.http import answer
from core.errors import BusError
from core.logger import logger

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from api.doorkeeper import Doorkeeper
    from core.clock import Clock
    from core.metrics import Metrics

#: What every answer bears, unless it has a word of its own for it. A page made of it could load nothing.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_REQUEST_ID = "aafai.request_id"
_WORTH_COMPRESSING = 1024  # bytes
_LONGEST_REQUEST_ID = 128


def install(app: Flask, doorkeeper: Doorkeeper, *, clock: Clock, metrics: Metrics) -> None:
    """Teach the app the manners."""

    def arrive() -> None:
        g.arrived = clock.monotonic()
        doorkeeper.check()

    def leave(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:
            response.status_code = 204
            response.headers.pop("Content-Type", None)
        _compress(response)
        rule = request.url_rule.rule if request.url_rule else "unmatched"
        metrics.observe_request(_method(), rule, response.status_code, clock.monotonic() - g.arrived)
        return response

    app.wsgi_app = _Letterhead(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(arrive)
    app.after_request(leave)
    app.register_error_handler(BusError, answered)
    app.register_error_handler(HTTPException, _answered_for_flask)
    app.register_error_handler(Exception, _answered_for_us)


def answered(error: BusError) -> Response:
    """Answer an error in the bus's own shape."""
    refusal = refusal_of(error)
    return answer(refusal.body, refusal.status, refusal.headers)


def _answered_for_flask(error: HTTPException) -> Response:
    return answered(refused_by_flask(error))


def _answered_for_us(error: Exception) -> Response:
    request_id = request.environ[_REQUEST_ID]
    place = {"request_id": request_id, "method": request.method, "path": request.path}
    logger.error("request %s failed: %r", request_id, error, exc_info=error, extra=place)
    refused = Refused("internal_error", "The bus made a mistake.", hint="Look for the request id in its log.")
    refusal = refusal_of(refused)
    return answer({**refusal.body, "request_id": request_id}, refusal.status)


class _Letterhead:
    """Puts the headers of all answers on each, where that costs least: behind Flask."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ[_REQUEST_ID] = _request_id(environ.get("HTTP_X_REQUEST_ID", ""))

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            own = {name for name, _ in headers}
            standing = [(name, value) for name, value in HEADERS.items() if name not in own]
            told = [*headers, ("X-Request-ID", request_id), *environ.get(ALLOWANCE, ()), *standing]
            return start_response(status, told, *rest)

        return self._app(environ, start)


def _compress(response: Response) -> None:
    """Gzip a body that is worth it; its ETag becomes weak, because the bytes are no longer those it names."""
    if response.is_streamed:
        return
    body = response.get_data()
    if len(body) < _WORTH_COMPRESSING or not request.accept_encodings["gzip"]:
        return
    response.set_data(gzip.compress(body, compresslevel=4, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag is not None:
        response.set_etag(tag, weak=True)


def _request_id(given: str) -> str:
    fits = 0 < len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable()
    return given if fits else secrets.token_hex(16)


def _method() -> str:
    """Return the method as a metric's label: one that nobody serves must not become a label of its own."""
    return request.method if request.method in _METHODS else "other"
