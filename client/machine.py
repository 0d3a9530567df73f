"""The machine that a bus runs on: found, started, and waited for until its bus accepts jobs."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from client.errors import AskAgain, ClientError, NotStarted, OutOfStock, Refused, Unreachable
from client.instances import REMEDIES, RUNNING, Compute, Instance
from client.line import Line
from core.clock import Clock, SystemClock
from core.timing import backoff, format_duration

#: How long a bus that does not accept jobs is asked before the cloud is asked where its machine is now.
LOOK_AGAIN = 15.0  # seconds
_ASK_AGAIN = 0.5
_PATIENCE = 5.0
_STATE_PAUSES = (1.0, 5.0)  # the first wait for a machine on its way, and the longest
_STOCK_PAUSES = (10.0, 60.0)
_DOINGS = {"start": "Starting", "resume": "Resuming"}
_NO_ADDRESS = (
    "Give it one: gcloud compute instances add-access-config; or say `internal = true` in the settings, from"
    " within its network."
)


@dataclass(frozen=True, slots=True)
class Awake:
    """A bus that accepts jobs."""

    line: Line
    zone: str
    #: Empty when the bus does not tell.
    boot_id: str


class Machine:
    """Machines of one name, one in each of some zones: the first is the one that is meant.

    `line_to` makes the line to the bus at an address; `tell` is told in a sentence what is waited for.
    """

    def __init__(
        self,
        compute: Compute,
        zones: Sequence[str],
        line_to: Callable[[str], Line],
        *,
        clock: Clock | None = None,
        tell: Callable[[str], object] = lambda told: None,
    ) -> None:
        self._compute = compute
        self._zones = tuple(zones)
        self._line_to = line_to
        self._clock = clock or SystemClock()
        self._tell = tell
        self._never = threading.Event()
        #: The boot of the bus that answered last, and the one that had ended before a machine was started.
        self._seen = self._over = ""

    def find(self) -> Instance:
        """Return the machine that is on, in whichever zone; the first one if none is. Raises NotStarted."""
        return self._found(self._zones)[0]

    def address(self) -> str:
        """Return where the machine is reached now; empty when it is off. Raises NotStarted."""
        found = self.find()
        return found.address if found.is_on else ""

    def line(self, instance: Instance) -> Line:
        """Return the line to the bus of a machine that is on."""
        return self._line_to(instance.address)

    def start(self, within: float, *, zone: str = "") -> Instance:
        """Return a machine that is on, started if none was: in that zone, or in the first that has one.

        A machine that is just being stopped is waited for first. `within` is in seconds. Raises NotStarted,
        which says what was in the way last.
        """
        return self._started(self._clock.monotonic() + within, (zone,) if zone else self._zones)

    def wait_until_accepting(self, within: float, *, zone: str = "") -> Awake:
        """Return the bus as soon as it accepts jobs; its machine is started if it is off, or goes off.

        Of a machine that was started, the bus of the boot before is not believed. Raises Unreachable.
        """
        until = self._clock.monotonic() + within
        while True:
            instance = self._started(until, (zone,) if zone else self._zones)
            line = self.line(instance)
            asked_until = min(until, self._clock.monotonic() + LOOK_AGAIN)
            boot_id, trouble = self._accepting(line, asked_until)
            if boot_id is not None:
                return Awake(line, instance.zone, boot_id)
            if self._clock.monotonic() >= until:
                told = f"The machine runs, and its bus has not accepted jobs within {format_duration(within)}"
                hint = f"Look at the firewall, the port, and `journalctl -u aafai-bus` on {instance.address}."
                raise Unreachable(f"{told}: {trouble}", hint=hint)

    def _started(self, until: float, zones: Sequence[str]) -> Instance:
        turn = 0
        while True:
            turn += 1
            try:
                found = self._found(zones)
                if not found[0].is_on:
                    self._bring_on(found)
                    found = self._found(zones)
                if found[0].is_on:
                    return found[0]
                trouble: NotStarted = AskAgain("The machine was started, and is not on")
            except (OutOfStock, AskAgain) as error:
                trouble = error
            self._pause(turn, trouble, until)

    def _found(self, zones: Sequence[str]) -> list[Instance]:
        """Return the machines in the order of the zones, but one that is on before all others.

        Raises NotStarted when there are none; AskAgain when one of which nothing could be learnt may be on,
        since a second one must not be started beside it.
        """
        found: list[Instance] = []
        troubles: list[NotStarted] = []
        for zone in zones:
            try:
                found.append(self._compute.look(zone))
            except NotStarted as trouble:
                troubles.append(trouble)
                continue
            if found[-1].is_on:
                return [found[-1]]
        unclear = [trouble for trouble in troubles if isinstance(trouble, AskAgain)]
        if unclear or not found:
            raise (unclear or troubles)[0]
        return found

    def _bring_on(self, found: Sequence[Instance]) -> None:
        """Have the first machine started that the cloud can give.

        Raises OutOfStock when it can give none, AskAgain for one that is on its way.
        """
        trouble: OutOfStock | None = None
        for instance in found:
            verb = _verb(instance)
            self._tell(f"{_DOINGS[verb]} the machine in {instance.zone}")
            try:
                self._compute.bring_up(instance.zone, verb, str(uuid.uuid4()))
            except OutOfStock as error:
                trouble = trouble or error
                self._tell(f"{instance.zone} has no such machine to give just now")
                continue
            if verb == "start":
                self._over = self._seen
            return
        if trouble is not None:
            raise trouble

    def _pause(self, turn: int, trouble: NotStarted, until: float) -> None:
        base, ceiling = _STOCK_PAUSES if isinstance(trouble, OutOfStock) else _STATE_PAUSES
        left = until - self._clock.monotonic()
        if left <= 0:
            raise trouble
        wait = backoff(turn, jitter=random.random(), base=base, ceiling=ceiling)
        self._tell(f"{trouble.message.partition(':')[0]}: asking again in a while")
        self._clock.wait(self._never, min(wait, left))

    def _accepting(self, line: Line, until: float) -> tuple[str | None, str]:
        """Return the boot of the bus as soon as it accepts jobs; None when it does not, with the reason."""
        self._tell(f"Waiting for the bus at {line.url}")
        while True:
            health, trouble = _health(line)
            boot_id = str(health.get("boot_id") or "")
            if health.get("accepting") is True and (not boot_id or boot_id != self._over):
                self._seen = boot_id
                return boot_id, ""
            self._seen = boot_id or self._seen
            left = until - self._clock.monotonic()
            if left <= 0:
                return None, trouble or "it answers, and accepts no jobs."
            self._clock.wait(self._never, min(_ASK_AGAIN, left))


def _health(line: Line) -> tuple[dict[str, Any], str]:
    """Return what the bus says of itself, whatever its health, or why it says nothing."""
    try:
        return line.ask("GET", "/health", patience=_PATIENCE), ""
    except Refused as refused:
        return refused.evidence, ""
    except ClientError as error:
        return {}, error.message


def _verb(instance: Instance) -> str:
    """Return what is to be done with a machine. Raises AskAgain while it is on its way somewhere."""
    if instance.status == RUNNING:
        raise NotStarted(f"The machine in {instance.zone} has no external address.", hint=_NO_ADDRESS)
    if instance.status not in REMEDIES:
        raise AskAgain(f"The machine in {instance.zone} is {instance.status}")
    return REMEDIES[instance.status]
