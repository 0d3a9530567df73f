"""The web application of a bus that looks at its power every few hundredths of a second, sound or broken."""

from __future__ import annotations

import threading
from dataclasses import replace

from api.porch import Porch
from app import application as sound_application
from core.gate import Gate
from tests.faults.power_mutants import MUTANTS

#: Seconds that a start takes.
LEAD = 0.5


def application(mutant: str = "", hesitation: float = 0.0) -> Porch:
    """Return the application, for gunicorn; its gate closes so many seconds after power has looked."""
    app = sound_application()
    kernel = app.extensions["kernel"]
    power = kernel.power
    # Of a machine whose starts are not known it is assumed that they take a minute.
    kernel.books.ledger.boots.lead = lambda: LEAD
    power.timings = replace(power.timings, interval=0.02, rest=0.1, retry=0.2)
    _hesitate(power.gate, hesitation)
    if mutant:
        MUTANTS[mutant](power)
    return app


def _hesitate(gate: Gate, seconds: float) -> None:
    close = gate.close

    def closed(*, retry_after: float = 30.0, patience: float = 10.0) -> bool:
        threading.Event().wait(seconds)
        return close(retry_after=retry_after, patience=patience)

    gate.close = closed  # type: ignore[method-assign]
