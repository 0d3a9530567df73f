"""Puts the dialects together to one web application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from api.aafai import aafai_blueprint
from api.action_routes import actions_blueprint
from api.agents import agents_blueprint
from api.docs_page import docs_blueprint
from api.doorkeeper import Doorkeeper
from api.events import events_blueprint
from api.events_ring import EventRing
from api.executor import TaskDefaults, executor_blueprint
from api.files import files_blueprint
from api.jobs import jobs_blueprint
from api.manners import install
from api.monitor import monitor_blueprint
from api.places import Places
from api.rescuebox import rescuebox_blueprint
from api.robotni import robotni_blueprint
from api.schedules import schedules_blueprint
from api.workers import workers_blueprint

if TYPE_CHECKING:
    from api.ml_service import MLService
    from core.kernel import Kernel


def build_app(
    kernel: Kernel,
    doorkeeper: Doorkeeper | None = None,
    *,
    services: Sequence[MLService] = (),
    max_body: int = 1 << 20,
    long_polls: int = 16,
    downloads: Path = Path("downloads"),
    tasks: TaskDefaults | None = None,
) -> Flask:
    """Return the web application of a bus; without a doorkeeper everybody may come in.

    A body may have `max_body` bytes, and `long_polls` requests at a time may hold a thread while they wait.
    Each job's files are in a folder of its own below `downloads`. RescueBox's clients are offered the
    `services`, and `tasks` says what holds for tasks that do not say.
    """
    app = _bare_app(max_body)
    doorkeeper = doorkeeper or Doorkeeper(kernel.clock)
    install(app, doorkeeper, clock=kernel.clock, metrics=kernel.metrics)
    places, ring = Places(long_polls), EventRing(kernel.bus.events, kernel.boot_id)
    for blueprint in _of_the_seeds(kernel, places, services, tasks or TaskDefaults()):
        app.register_blueprint(blueprint)
    app.register_blueprint(jobs_blueprint(kernel, ring, places=places))
    app.register_blueprint(files_blueprint(kernel, downloads, places=places))
    app.register_blueprint(actions_blueprint(kernel))
    app.register_blueprint(events_blueprint(kernel, ring, places=places))
    app.register_blueprint(monitor_blueprint(kernel))
    app.register_blueprint(docs_blueprint(kernel.registry, version=kernel.version, secured=doorkeeper.asks))
    return app


def _of_the_seeds(
    kernel: Kernel, places: Places, services: Sequence[MLService], tasks: TaskDefaults
) -> Iterator[Blueprint]:
    """Yield the dialects of the five systems whose clients this bus serves."""
    yield aafai_blueprint(kernel, places=places)
    yield agents_blueprint(kernel)
    if kernel.schedules is not None:
        yield schedules_blueprint(kernel, kernel.schedules)
    yield rescuebox_blueprint(kernel, services, places=places)
    yield robotni_blueprint(kernel)
    yield executor_blueprint(kernel, tasks)
    yield workers_blueprint(kernel)


def _bare_app(max_body: int) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    return app
