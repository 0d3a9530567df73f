"""What every request goes through in every dialect: checks, errors, headers, compression, metrics."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.callers import ANYBODY
from api.errors import Refused, refusal_of, refused_by_flask
from api.http import answer
from api.rate import RateLimit
from core.errors import BusError
from core.logger import logger

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from core.clock import Clock
    from core.metrics import Metrics

#: Endpoints that answer without a token, and then show less.
OPEN_ENDPOINTS = frozenset({"monitor.health", "docs.page", "docs.asset"})

#: What every answer bears, unless it has a word of its own for it. A page made of it could load nothing.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
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


class Doorkeeper:
    """Decide who may come in; keep only the digest of the token."""

    def __init__(self, token: str | None, allowed_hosts: Sequence[str], rate: RateLimit) -> None:
        """Let everybody in without `token`, and under any Host without hosts or with `*`."""
        self._digest = None if token is None else _digest(token)
        self._hosts = frozenset(_bare(host) for host in allowed_hosts if "*" not in allowed_hosts)
        self._rate = rate

    def check(self) -> None:
        """Refuse a foreign Host, a write by another site's page, who asks too often, who has no token."""
        self._check_origin()
        g.caller = ANYBODY
        g.trusted = self._digest is None or hmac.compare_digest(_digest(_bearer()), self._digest)
        if request.endpoint not in OPEN_ENDPOINTS:
            self._rate.spend(request.remote_addr or "")
            self._check_token()

    def _check_origin(self) -> None:
        if self._hosts and _host_name(request.environ.get("HTTP_HOST", "")) not in self._hosts:
            hint = "Use a name listed in AAFAI_ALLOWED_HOSTS, or add this one to it."
            raise Refused("unknown_host", "This bus does not answer for the Host of the request.", hint=hint)
        if request.method not in _READING and request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise Refused(
                "cross_site", "A page of another site must not write here.", hint="Call from a program."
            )

    def _check_token(self) -> None:
        if not g.trusted:
            raise Refused(
                "unauthorized",
                "The bearer token is wrong." if _bearer() else "A bearer token is required.",
                hint="Send the header Authorization: Bearer <token>.",
                headers={"WWW-Authenticate": "Bearer"},
            )


def trusted() -> bool:
    """Return whether the request came with the token, or none is set."""
    return bool(g.trusted)


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
            return start_response(status, [*headers, ("X-Request-ID", request_id), *standing], *rest)

        return self._app(environ, start)


def _compress(response: Response) -> None:
    """Gzip a body that is worth it; its ETag becomes weak, because the bytes are no longer those it names."""
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


@lru_cache(maxsize=64)
def _host_name(host: str) -> str:
    """Return the host of a Host header without its port."""
    return _bare(host.partition("]" if host.startswith("[") else ":")[0])


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
