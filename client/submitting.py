"""How a submission reaches a bus that may be off, stopping, or gone again: tried until it is accepted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from client.errors import ClientError, HungUp, Refused, Unreachable
from client.line import Line
from client.machine import Awake, Machine
from core.clock import Clock
from core.timing import format_duration

_PAUSE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was answered to a submission, and by whom."""

    line: Line
    answer: dict[str, Any]


class Submitter:
    """Submits to a bus at a fixed line, or to that of a machine, which is started for it."""

    def __init__(
        self,
        fixed: Line | None,
        machine: Machine | None,
        clock: Clock,
        tell: Callable[[str], object],
    ) -> None:
        self._fixed = fixed
        self._machine = machine
        self._clock = clock
        self._tell = tell
        self._never = threading.Event()

    def awake(self, within: float, *, zone: str = "") -> Awake:
        """Return a bus that accepts jobs, its machine started if need be. Raises Unreachable."""
        if self._machine is not None:
            return self._machine.wait_until_accepting(within, zone=zone)
        assert self._fixed is not None  # noqa: S101  One of the two there is.
        return Awake(self._fixed, "", "")

    def submit(self, body: dict[str, Any], *, key: str = "", within: float) -> Accepted:
        """Return the answer to a submission. Raises Refused, or Unreachable.

        The body has idempotency keys, or `key` is one, so it is tried until somebody has answered. Who may
        have stored it is asked again, and no other zone's bus, which would store it a second time; HungUp
        says that this is still so.
        """
        until = self._clock.monotonic() + within
        keeper: Awake | None = None  # who may have stored it
        while True:
            awake = self._awake_for(keeper, until)
            try:
                return Accepted(awake.line, awake.line.ask("POST", "/inbound", body, key=key))
            except (Unreachable, Refused) as trouble:
                if isinstance(trouble, HungUp) or trouble.code == "outcome_unknown":
                    keeper = awake
                left = until - self._clock.monotonic()
                if left <= 0 or not self._is_worth_repeating(trouble, keeper):
                    raise _final(trouble, keeper) from None
                self._pause(trouble, left)

    def _awake_for(self, keeper: Awake | None, until: float) -> Awake:
        """Return a bus that accepts jobs: the one that may have stored this one, if there is one."""
        left = max(0.0, until - self._clock.monotonic())
        try:
            return self.awake(left, zone=keeper.zone if keeper else "")
        except Unreachable as trouble:
            raise _final(trouble, keeper) from None

    def _is_worth_repeating(self, trouble: ClientError, keeper: Awake | None) -> bool:
        if isinstance(trouble, Refused) and trouble.code != "shutting_down":
            return trouble.retry_after > 0
        # Whoever is gone, or about to go, comes back only if somebody starts the machine; but who was there
        # a moment ago may be starting anew.
        return self._machine is not None or keeper is not None

    def _pause(self, trouble: ClientError, left: float) -> None:
        asked_for = trouble.retry_after if isinstance(trouble, Refused) else 0.0
        # A machine that switches off is looked at, not waited for as long as it says.
        wait = min(_PAUSE if trouble.code == "shutting_down" else max(_PAUSE, asked_for), left)
        self._tell(f"{trouble.message} Trying again in {format_duration(wait)}")
        self._clock.wait(self._never, wait)


def _final(trouble: ClientError, keeper: Awake | None) -> ClientError:
    """Return the error to end with: nobody being there is not all of it when somebody may have the job."""
    if keeper is None or not isinstance(trouble, Unreachable):
        return trouble
    return HungUp(trouble.message, hint=trouble.hint)
