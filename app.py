"""The web server: `create_app()` opens the bus and mounts its dialects. `make serve` runs it."""

from __future__ import annotations

import os
import sys

from flask import Flask

from api.doorkeeper import Doorkeeper
from api.executor import TaskDefaults
from api.rescuebox_services import load_services
from api.server import build_app
from config import Config
from core.errors import BusError
from core.event_bus import KERNEL
from core.kernel import Kernel
from core.keyring import Keyring
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
    services, problems = load_services(config.services_dir)
    for problem in problems:
        kernel.bus.events.publish("system.warning", KERNEL, {"message": problem})
    app = build_app(
        kernel,
        _doorkeeper(config, kernel),
        services=services,
        max_body=config.max_body,
        downloads=config.download_dir,
        tasks=TaskDefaults(action=config.task_action, max_steps=config.default_max_steps),
        # Half of the threads may wait; the others go on answering.
        long_polls=max(1, config.threads // 2),
    )
    app.extensions["kernel"] = kernel
    return app


def _doorkeeper(config: Config, kernel: Kernel) -> Doorkeeper:
    def tell(message: str) -> None:
        kernel.bus.events.publish("system.warning", KERNEL, {"message": message})

    return Doorkeeper(
        kernel.clock,
        token=config.token,
        keyring=Keyring(config.tokens_file, kernel.clock, tell=tell),
        allowed_hosts=config.allowed_hosts,
        rate_limit=config.rate_limit,
        token_rate_limit=config.token_rate_limit,
    )
