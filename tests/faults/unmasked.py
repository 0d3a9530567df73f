"""The web application with a log in which jobs may tell their secrets."""

from __future__ import annotations

from api.porch import Porch
from app import application as sound_application
from core.masking import Masking


def application() -> Porch:
    """Return the application, for gunicorn."""
    Masking.text = lambda masking, said: said  # type: ignore[method-assign]
    return sound_application()
