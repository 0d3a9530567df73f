"""Puts the dialects together to one web application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from api.action_routes import actions_blueprint
from api.agents import agents_blueprint
from api.cost import cost_blueprint
from api.docs_page import docs_blueprint
from api.doorkeeper import Doorkeeper
from api.events import events_blueprint
from api.executor import TaskDefaults, executor_blueprint
from api.files import files_blueprint
from api.jobs import jobs_blueprint
from api.porch import Hall, app_of, first_doors, hall_of
from api.power import power_blueprint
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
    hall = hall_of(kernel, doorkeeper or Doorkeeper(kernel.clock), max_body=max_body, long_polls=long_polls)
    return build_app_of(hall, services=services, downloads=downloads, tasks=tasks or TaskDefaults())


def build_app_of(hall: Hall, *, services: Sequence[MLService], downloads: Path, tasks: TaskDefaults) -> Flask:
    """Return the same of a hall, to which the first doors may have led already."""
    return app_of(
        hall, [*first_doors(hall), *_of_the_seeds(hall, services, tasks), *_our_own(hall, downloads)]
    )


def _of_the_seeds(hall: Hall, services: Sequence[MLService], tasks: TaskDefaults) -> Iterator[Blueprint]:
    """Yield the dialects of the systems whose clients this bus serves; that of aafai-bus is a first door."""
    kernel = hall.kernel
    yield agents_blueprint(kernel)
    if kernel.schedules is not None:
        yield schedules_blueprint(kernel, kernel.schedules)
    yield rescuebox_blueprint(kernel, services, places=hall.places)
    yield robotni_blueprint(kernel)
    yield executor_blueprint(kernel, tasks)
    yield workers_blueprint(kernel)


def _our_own(hall: Hall, downloads: Path) -> Iterator[Blueprint]:
    """Yield the bus's own API, and what it says of all others; /health is a first door."""
    kernel = hall.kernel
    yield jobs_blueprint(kernel, hall.ring, places=hall.places)
    yield files_blueprint(kernel, downloads, places=hall.places)
    yield actions_blueprint(kernel)
    yield events_blueprint(kernel, hall.ring, places=hall.places)
    if kernel.books is not None:
        yield cost_blueprint(kernel.books)
    yield power_blueprint(kernel)
    yield docs_blueprint(kernel.registry, version=kernel.version, secured=hall.doorkeeper.asks)
