"""The web application with a power logic that overlooks running jobs, closes no gate, or forgets a stop."""

from __future__ import annotations

from dataclasses import replace

from api.porch import Porch
from app import application as sound_application


def application() -> Porch:
    """Return the application, for gunicorn; it overlooks running jobs."""
    app = sound_application()
    power = app.extensions["kernel"].power
    look = power.facts
    power.facts = lambda: replace(look(), running=0, last_activity=None)
    return app


def open_handed() -> Porch:
    """Return one that lets everybody in while it switches the machine off."""
    app = sound_application()
    app.extensions["kernel"].bus.gate.close = lambda **how: True
    return app


def forgetful() -> Porch:
    """Return one that accepts jobs after a start, although the machine is being switched off."""
    app = sound_application()
    app.extensions["kernel"].power.power_off.resume = lambda stop: None
    return app
