"""The web application with a power logic that overlooks running jobs."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from app import application as sound_application


def application() -> Flask:
    """Return the application, for gunicorn."""
    app = sound_application()
    power = app.extensions["kernel"].power
    look = power.facts
    power.facts = lambda: replace(look(), running=0, last_activity=None)
    return app
