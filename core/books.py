"""The books of the machine: its boots, its sessions, its bill. Opened after jobs are accepted, not before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError, EngineUnavailable
from core.event_bus import KERNEL

if TYPE_CHECKING:
    from core.boots import Moments
    from core.clock import Clock
    from core.event_bus import EventBus
    from core.jobs import Json
    from core.ledger import Ledger
    from core.sessions import Session
    from core.statement import Statement


class Books:
    """What the machine's time is spent on, in files in `folder`; with what it costs, by the file `prices`.

    The modules behind it take some milliseconds to import, for which no start should wait.
    """

    def __init__(
        self,
        folder: Path,
        events: EventBus,
        clock: Clock,
        *,
        prices: Path,
        moments: Callable[[], Moments],
        has_work: Callable[[], bool] = lambda: False,
        idle: float = 900.0,
        grace: float = 300.0,
    ) -> None:
        """Take `idle` and `grace` for the seconds that the machine stays on after work, and after a start."""
        self._folder = folder
        self._events = events
        self._clock = clock
        self._prices = prices
        self._moments = moments
        self._has_work = has_work
        self._idle = idle
        self._grace = grace
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Begin to keep the books: from this moment on jobs are accepted."""
        accepting = self._clock.boottime()
        self.ledger.start(accepting)

    def close(self) -> None:
        """Keep the books no more."""
        if self._ledger is not None:
            self._ledger.stop()

    def lead(self) -> float:
        """Return how many seconds before a moment the machine must be started, to accept jobs by then."""
        return self.ledger.boots.lead()

    def last_boot(self) -> Mapping[str, float]:
        """Return the seconds that each phase of the last start took."""
        known = self.ledger.boots.known()
        return known[-1].phases if known else {}

    @property
    def ledger(self) -> Ledger:
        """The ledger, made when it is first asked for."""
        from core.boots import Boots  # noqa: PLC0415
        from core.ledger import Ledger  # noqa: PLC0415

        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(
                    self._folder,
                    self._events,
                    self._clock,
                    boots=Boots(self._folder / "boots.jsonl", self._events, self._clock),
                    moments=self._moments,
                    has_work=self._has_work,
                    priced=self._priced,
                )
            return self._ledger

    def statement(self, at: float | None = None) -> Statement:
        """Return what the month of that moment came to, or this one.

        Raises ConfigError for prices that cannot be used, EngineUnavailable for a ledger that cannot be read.
        """
        from core.prices import load_prices  # noqa: PLC0415
        from core.replay import Habit  # noqa: PLC0415
        from core.statement import statement_of  # noqa: PLC0415

        now = self._clock.now()
        habit = Habit(idle=self._idle, boot=self.ledger.boots.accepting_within(50), grace=self._grace)
        try:
            sessions = self.ledger.sessions()
        except OSError as error:
            raise EngineUnavailable(f"The ledger cannot be read: {error}") from error
        return statement_of(
            sessions,
            load_prices(self._prices),
            at=now if at is None else at,
            now=now,
            habit=habit,
        )

    def _priced(self, session: Session) -> Mapping[str, Json]:
        """Return what a session costs, as its line tells it; nothing, and a warning, without prices."""
        from core.bill import session_amounts  # noqa: PLC0415
        from core.prices import load_prices  # noqa: PLC0415

        try:
            prices = load_prices(self._prices)
        except ConfigError as error:
            self._events.publish("system.warning", KERNEL, {"message": error.message})
            return {}
        amounts = session_amounts(session, prices)
        return {
            "currency": prices[-1].currency,
            "compute": round(amounts.compute, 6),
            "address": round(amounts.address, 6),
            "disk": round(amounts.disk, 6),
        }
