"""Puts the dialects together to one web application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask

from api.aafai import aafai_blueprint
from api.docs_page import docs_blueprint
from api.manners import Doorkeeper, install
from api.monitor import monitor_blueprint
from api.rate import RateLimit
from api.schedules import schedules_blueprint

if TYPE_CHECKING:
    from core.kernel import Kernel


def build_app(
    kernel: Kernel,
    *,
    token: str | None = None,
    max_body: int = 1 << 20,
    allowed_hosts: Sequence[str] = (),
    long_polls: int = 16,
    rate_limit: int = 0,
) -> Flask:
    """Return the web application of a bus.

    Without `token` everybody may call; without `allowed_hosts`, or with `*`, any Host header is answered.
    A body may have `max_body` bytes, `long_polls` requests at a time may wait for a job to end, and an
    address may send `rate_limit` requests a minute, 0 for any number.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    doorkeeper = Doorkeeper(token, allowed_hosts, RateLimit(rate_limit, kernel.clock))
    install(app, doorkeeper, clock=kernel.clock, metrics=kernel.metrics)
    app.register_blueprint(aafai_blueprint(kernel, long_polls=long_polls))
    if kernel.schedules is not None:
        app.register_blueprint(schedules_blueprint(kernel, kernel.schedules))
    app.register_blueprint(monitor_blueprint(kernel))
    app.register_blueprint(docs_blueprint(kernel.registry, version=kernel.version, secured=token is not None))
    return app
