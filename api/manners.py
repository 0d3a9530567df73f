"""What every request goes through in every dialect: checks, errors, headers, compression, metrics."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.errors import Refused, refusal_of, refused_by_flask
from api.http import answer
from api.rate import RateLimit
from core.errors import BusError
from core.logger import logger

if TYPE_CHECKING:
    from core.clock import Clock
    from core.metrics import Metrics

#: Endpoints that answer without a token, and then show less.
OPEN_ENDPOINTS = frozenset({"monitor.health", "docs.page", "docs.asset"})

#: What a page made of one of our answers could load: nothing.
JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WORTH_COMPRESSING = 1024  # bytes
_LONGEST_REQUEST_ID = 128


def install(app: Flask, doorkeeper: Doorkeeper, *, clock: Clock, metrics: Metrics) -> None:
    """Teach the app the manners."""

    def arrive() -> None:
        g.arrived = clock.monotonic()
        g.request_id = _request_id()
        doorkeeper.check()

    def leave(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:
            response.status_code = 204
            response.headers.pop("Content-Type", None)
        _add_headers(response)
        _compress(response)
        rule = request.url_rule.rule if request.url_rule else "unmatched"
        metrics.observe_request(_method(), rule, response.status_code, clock.monotonic() - g.arrived)
        return response

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
        g.trusted = self._digest is None or hmac.compare_digest(_digest(_bearer()), self._digest)
        if request.endpoint not in OPEN_ENDPOINTS:
            self._rate.spend(request.remote_addr or "")
            self._check_token()

    def _check_origin(self) -> None:
        if self._hosts and _host_name() not in self._hosts:
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
    place = {"request_id": g.request_id, "method": request.method, "path": request.path}
    logger.error("request %s failed: %r", g.request_id, error, exc_info=error, extra=place)
    refused = Refused("internal_error", "The bus made a mistake.", hint="Look for the request id in its log.")
    refusal = refusal_of(refused)
    return answer({**refusal.body, "request_id": g.request_id}, refusal.status)


def _add_headers(response: Response) -> None:
    response.headers["X-Request-ID"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Content-Security-Policy", JSON_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Referrer-Policy", "no-referrer")


def _compress(response: Response) -> None:
    """Gzip a body that is worth it; its ETag becomes weak, because the bytes are no longer those it names."""
    if response.direct_passthrough or response.status_code in (204, 304):
        return
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) < _WORTH_COMPRESSING or not request.accept_encodings["gzip"]:
        return
    response.set_data(gzip.compress(body, compresslevel=4, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag is not None:
        response.set_etag(tag, weak=True)


def _request_id() -> str:
    given = request.headers.get("X-Request-ID", "")
    fits = 0 < len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable()
    return given if fits else uuid.uuid4().hex


def _method() -> str:
    """Return the method as a metric's label: one that nobody serves must not become a label of its own."""
    known = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
    return request.method if request.method in known else "other"


def _host_name() -> str:
    """Return the host of the Host header without its port."""
    host = request.headers.get("Host", "")
    return _bare(host.partition("]" if host.startswith("[") else ":")[0])


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
