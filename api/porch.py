"""The first doors: /health and the aafai dialect are open at once, all others a moment later.

Whoever starts a bus on demand wants to hand in a job. The words of the other dialects take longer to import
than all that this needs, so they are left to the kernel as it gets ready, or to the first who knocks there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from api.aafai import aafai_blueprint
from api.events_ring import EventRing
from api.manners import install
from api.monitor import monitor_blueprint
from api.places import Places

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from api.doorkeeper import Doorkeeper
    from core.kernel import Kernel


#: Seconds for which the first who knocks is waited for; a bus that nobody asks gets ready all the same.
PATIENCE = 0.05


@dataclass(frozen=True)
class Hall:
    """What lies behind every door, and is there once however many applications lead to it."""

    kernel: Kernel
    doorkeeper: Doorkeeper
    #: How many bytes a body may have.
    max_body: int
    #: For requests that hold a thread while they wait.
    places: Places
    ring: EventRing


def hall_of(kernel: Kernel, doorkeeper: Doorkeeper, *, max_body: int, long_polls: int) -> Hall:
    """Return the hall of a bus, which remembers events from now on."""
    ring = EventRing(kernel.bus.events, kernel.boot_id)
    return Hall(kernel, doorkeeper, max_body, Places(long_polls), ring)


def first_doors(hall: Hall) -> Iterable[Blueprint]:
    """Return the doors that are open from the start."""
    return aafai_blueprint(hall.kernel, places=hall.places), monitor_blueprint(hall.kernel)


def app_of(hall: Hall, doors: Iterable[Blueprint]) -> Flask:
    """Return a web application with these doors; its kernel is `app.extensions["kernel"]`."""
    app = Flask("api", static_folder=None)
    app.url_rule_class = _WayIn
    app.config["MAX_CONTENT_LENGTH"] = hall.max_body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions["kernel"] = hall.kernel
    install(app, hall.doorkeeper, clock=hall.kernel.clock, metrics=hall.kernel.metrics)
    for door in doors:
        app.register_blueprint(door)
    return app


class Porch:
    """The application for gunicorn: it answers at the first doors at once, and at all others too."""

    def __init__(self, hall: Hall, build: Callable[[], Flask]) -> None:
        self._clock = hall.kernel.clock
        self._build = build
        self._first = app_of(hall, first_doors(hall))
        self._known = frozenset(
            (method, rule.rule)
            for rule in self._first.url_map.iter_rules()
            if not rule.arguments
            for method in rule.methods or ()
        )
        self._whole: Flask | None = None
        self._lock = threading.Lock()
        self._has_answered = threading.Event()
        #: As the application has them.
        self.extensions = self._first.extensions

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, however early it comes."""
        if self._whole is not None:
            return self._whole(environ, start_response)
        answer = self._early(environ)(environ, start_response)
        self._has_answered.set()
        return answer

    def whole(self) -> Flask:
        """Return the application with all doors; who asks first builds it, and others wait for that."""
        with self._lock:
            if self._whole is None:
                self._whole = self._build()
            return self._whole

    def prepare(self) -> None:
        """Open all doors, but let the first who knocks go first: one interpreter cannot do both at once.

        What prevents it is raised here, and again for whoever knocks at one of them.
        """
        self._clock.wait(self._has_answered, PATIENCE)
        self.whole()

    def _early(self, environ: WSGIEnvironment) -> Flask:
        """Return the application for a request that comes before all doors are there."""
        is_known = (environ["REQUEST_METHOD"], environ["PATH_INFO"]) in self._known
        return self._first if is_known else self.whole()


class _WayIn(Rule):
    """A rule that leads from URLs to views. To prepare the way back, which nobody goes, takes 0.2 ms."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _no_url


def _no_url(*_: Any, **__: Any) -> tuple[str, str]:
    raise NotImplementedError("no URL is made from the name of a view; write the path")
