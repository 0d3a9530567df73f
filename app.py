"""The web server: `create_app()` opens the bus and mounts its dialects. `make serve` runs it."""

from __future__ import annotations

import os
import sys

from flask import Flask

from api.server import build_app
from config import Config
from core.errors import BusError
from wiring import assemble

_GUNICORN_GIVES_UP = 4  # Any other exit status of a worker makes it start another one.


def application() -> Flask:
    """Return the application for gunicorn; say in one sentence why when it cannot be made, and exit."""
    try:
        return create_app()
    except BusError as error:
        sys.stderr.write(f"The bus cannot start: {error.message} {error.hint}\n")
        sys.exit(_GUNICORN_GIVES_UP)


def create_app(config: Config | None = None) -> Flask:
    """Return the web application; its kernel, not yet started, is `app.extensions["kernel"]`."""
    config = config or Config.load(os.environ)
    kernel = assemble(config)
    app = build_app(
        kernel,
        token=config.token,
        max_body=config.max_body,
        allowed_hosts=config.allowed_hosts,
        rate_limit=config.rate_limit,
        # Half of the threads may wait for jobs; the others go on answering.
        long_polls=max(1, config.threads // 2),
    )
    app.extensions["kernel"] = kernel
    return app
