"""What the power logic sees: the work of this moment, beside what it remembers of the machine itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.clock import seconds_slept
from core.errors import BusError
from core.idle import Facts, Hold

if TYPE_CHECKING:
    from core.clock import Clock


class Lookout:
    """Complete the facts of the work by moments, by the hold, and by how long a start takes."""

    def __init__(
        self,
        facts: Callable[[], Facts],
        clock: Clock,
        *,
        held: Callable[[], Hold | None],
        lead: Callable[[], float],
    ) -> None:
        self._facts = facts
        self._clock = clock
        self._held = held
        self._lead = lead
        self._started, self._awake = clock.boottime(), 0.0
        self._slept = seconds_slept(clock)
        self._busy: float | None = None

    def look(self) -> Facts:
        """Return the facts of this moment; what cannot be counted is told in `unknown`."""
        now, boottime = self._clock.now(), self._clock.boottime()
        try:
            facts = replace(self._facts(), lead=self._lead())
        except BusError as error:
            facts = Facts(unknown=error.message)
        except Exception as error:  # noqa: BLE001  The longest uptime must end all the same.
            facts = Facts(unknown=f"{type(error).__name__}: {error}")
        if facts.queued or facts.running:
            self._busy = boottime
        seen = [moment for moment in (facts.last_activity, self._busy) if moment is not None]
        return replace(
            facts,
            last_activity=max(seen, default=None),
            hold=self._held(),
            now=now,
            boottime=boottime,
            started=self._started,
            awake=self._awake,
        )

    def woke_up(self) -> bool:
        """Return whether the machine has slept since this was last asked; then all ages begin anew."""
        slept = seconds_slept(self._clock)
        woke = slept - self._slept > 1.0
        if woke:
            self._started = self._awake = self._clock.boottime()
        self._slept = slept
        return woke
