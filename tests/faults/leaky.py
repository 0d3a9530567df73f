"""The web application with one more line in its log for each request, as somebody who debugs would add it."""

from __future__ import annotations

from flask import Flask, request

from app import application as sound_application
from core.logger import logger


def application() -> Flask:
    """Return the application, for gunicorn."""
    app = sound_application().whole()
    app.before_request(lambda: logger.warning("%s with %s", request.path, dict(request.headers)))
    return app
