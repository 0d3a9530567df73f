"""Having the machine started again in time: the wake alarm, what it is set to, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import AlarmFailed
from core.machine import NoAlarm, WakeStatus, problem_of
from core.timing import format_duration

if TYPE_CHECKING:
    from core.announcer import Announcer
    from core.machine import Alarm

_NO_ALARM = "nothing starts the machine for what is due later; set AAFAI_WAKE_ALARM."

#: Seconds within which a machine that was told to stop is off, also where its services are slow to end.
LONGEST_STOP = 180.0

#: Seconds by which a moment may move before the alarm is set anew.
_SLACK = 60.0


class Waking:
    """Set a wake alarm, and say and remember how that went."""

    def __init__(self, alarm: Alarm, announcer: Announcer, *, shortest_sleep: float) -> None:
        """Expect to be asked for no moment that is nearer than the shortest sleep, in seconds."""
        self._alarm = alarm
        self._announcer = announcer
        self._none = isinstance(alarm, NoAlarm)
        self._set = False
        self._armed_for: float | None = None
        self._doubt: str | None = None
        #: That the alarm may ring before the machine is off, in a sentence; None when it cannot.
        self.unheard: str | None = None
        if shortest_sleep < LONGEST_STOP and not self._none:
            self.unheard = (
                f"AAFAI_MIN_SLEEP is {format_duration(shortest_sleep)}, and an alarm that rings before the"
                f" machine is off is not heard; set it to {format_duration(LONGEST_STOP)} or more."
            )
        #: Why the alarm could not be set the last time; None when it could.
        self.failure: str | None = None

    def check(self) -> Iterator[str]:
        """Ask the alarm whether it will work, which may take seconds; yield what is wrong."""
        self._doubt = problem_of(self._alarm)
        if self._doubt is not None:
            yield self._doubt

    def arm(self, when: float | None) -> bool:
        """Have the machine started then, or not at all; return whether the alarm took that.

        `when` is in Unix seconds. Nothing is raised, whatever goes wrong in an alarm: its machine must still
        be switched off some day.
        """
        try:
            self._alarm.arm(when)
        except AlarmFailed as error:
            self.failure = f"{error.message} {error.hint}".strip()
        except Exception as error:  # noqa: BLE001
            self.failure = f"{type(error).__name__}: {error}"
        else:
            self.failure = None
        self._armed_for, self._set = when, self.failure is None
        self._tell()
        return self._set

    def keep_armed_for(self, when: float | None) -> None:
        """Have it set for about that moment, if it is not yet."""
        moved = when is not None and self._armed_for is not None and abs(when - self._armed_for) > _SLACK
        if not self._set or moved or (when is None) != (self._armed_for is None):
            self.arm(when)

    def missed(self, next_due: float | None) -> str | None:
        """Return in a sentence that nothing would start the machine for what is due then, if that is so."""
        return _NO_ALARM if self._none and next_due is not None else None

    def status(self, next_due: float | None, *, stops: bool) -> WakeStatus:
        """Return what starts the machine when something is due then, if it ever `stops`."""
        risk = (self.missed(next_due) or self.unheard) if stops else None
        return WakeStatus(
            alarm=self._alarm.name,
            problem=self.failure or self._doubt or risk,
            next_due=next_due,
            armed_for=self._armed_for if self._set and not self._none else None,
        )

    def _tell(self) -> None:
        if self.failure is not None:
            self._announcer.say_once("system.alarm_failed", f"{self._alarm.name}: {self.failure}")
        elif self._armed_for is not None and not self._none:
            at = datetime.fromtimestamp(self._armed_for, UTC).isoformat(timespec="seconds")
            self._announcer.say("system.alarm_set", f"the machine is to be started at {at}")
