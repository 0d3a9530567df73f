"""The web server: `create_app()` opens the bus and mounts its dialects. `make serve` runs it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from api.doorkeeper import Doorkeeper
from api.porch import Hall, Porch, hall_of
from config import Config
from core.errors import BusError
from core.event_bus import KERNEL
from core.keyring import Keyring
from wiring import assemble

if TYPE_CHECKING:
    from flask import Flask

    from core.kernel import Kernel

_GUNICORN_GIVES_UP = 4  # Any other exit status of a worker makes it start another one.


def application() -> Porch:
    """Return the application for gunicorn; say in one sentence why when it cannot be made, and exit."""
    try:
        return _porch(Config.load(os.environ))
    except BusError as error:
        sys.stderr.write(f"The bus cannot start: {error.message} {error.hint}\n")
        sys.exit(_GUNICORN_GIVES_UP)


def create_app(config: Config | None = None) -> Flask:
    """Return the web application; its kernel, not yet started, is `app.extensions["kernel"]`."""
    return _porch(config or Config.load(os.environ)).whole()


def _porch(config: Config) -> Porch:
    kernel = assemble(config)
    # Half of the threads may wait; the others go on answering.
    long_polls = max(1, config.threads // 2)
    hall = hall_of(kernel, _doorkeeper(config, kernel), max_body=config.max_body, long_polls=long_polls)
    porch = Porch(hall, lambda: _whole(config, hall))
    kernel.errands.insert(0, porch.prepare)  # Whoever has started the bus is waiting.
    return porch


def _whole(config: Config, hall: Hall) -> Flask:
    # Imported when the first doors are open: that is what the porch is for.
    from api.executor import TaskDefaults  # noqa: PLC0415
    from api.rescuebox_services import load_services  # noqa: PLC0415
    from api.server import build_app_of  # noqa: PLC0415

    services, problems = load_services(config.services_dir)
    for problem in problems:
        hall.kernel.bus.events.publish("system.warning", KERNEL, {"message": problem})
    tasks = TaskDefaults(action=config.task_action, max_steps=config.default_max_steps)
    return build_app_of(hall, services=services, downloads=config.download_dir, tasks=tasks)


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
