"""The arithmetic of the bill: what sessions cost, and what a machine that is always on would have. Pure.

Computing and an address in use are charged by the second while the machine is on, a minute at least for each
start; a disk always; a static address while the machine is off too. A month has as many hours as it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from core.prices import Prices, in_force
from core.sessions import Session

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """What something costs, in the currency of the prices."""

    compute: float = 0.0
    address: float = 0.0
    disk: float = 0.0
    #: What a free tier takes off; 0 or less.
    free: float = 0.0

    @property
    def total(self) -> float:
        """All together."""
        return self.compute + self.address + self.disk + self.free

    def __add__(self, other: Amounts) -> Amounts:
        """Return both together."""
        return Amounts(
            compute=self.compute + other.compute,
            address=self.address + other.address,
            disk=self.disk + other.disk,
            free=self.free + other.free,
        )


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, in Unix seconds, within one month."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is; never below 0, wherever clocks may have jumped."""
        return max(0.0, self.end - self.start)

    @property
    def last(self) -> float:
        """Its last second, which is still in its month."""
        return max(self.start, self.end - 1.0)


def month_of(at: float) -> Window:
    """Return the whole month, in UTC, in which that moment lies."""
    first = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return Window(first.timestamp(), after.timestamp())


def running(prices: Prices, seconds: float) -> Amounts:
    """Return what computing and the address cost for as many seconds on."""
    hours = seconds / _HOUR
    address = 0.0 if prices.address == "none" else prices.address_per_hour * hours
    return Amounts(compute=prices.machine_per_hour * hours, address=address)


def kept(prices: Prices, window: Window, seconds_off: float) -> Amounts:
    """Return what is charged whether the machine is on or not: the disk, and a static address that waits."""
    share = window.seconds / month_of(window.start).seconds
    waiting = prices.address_idle_per_hour * seconds_off / _HOUR if prices.address == "static" else 0.0
    return Amounts(disk=prices.disk_gb * prices.disk_per_gb_month * share, address=waiting)


def session_amounts(session: Session, prices: Sequence[Prices]) -> Amounts:
    """Return what a session costs, the disk for as long as it lasted."""
    held = in_force(prices, session.start)
    window = Window(session.start, session.stop)
    return running(held, session.billed) + kept(held, window, 0.0)


def on_demand(sessions: Sequence[Session], prices: Sequence[Prices], window: Window) -> Amounts:
    """Return what the machine has cost in a month until now, being on only for its sessions."""
    amounts = _rest(prices, window, seconds_on=sum(one.seconds for one in sessions))
    for one in sessions:
        amounts += running(in_force(prices, one.start), one.billed)
    return amounts + _free(amounts, in_force(prices, window.last), sum(one.billed for one in sessions))


def always_on(prices: Sequence[Prices], window: Window) -> Amounts:
    """Return what the same machine would have cost in the same time without ever being switched off."""
    amounts = Amounts()
    for held, part in _parts(prices, window):
        amounts += running(held, part.seconds) + kept(held, part, 0.0)
    return amounts + _free(amounts, in_force(prices, window.last), window.seconds)


def _rest(prices: Sequence[Prices], window: Window, *, seconds_on: float) -> Amounts:
    """Return what was charged in that time besides being on, each part of it being off in proportion."""
    off = max(0.0, 1 - seconds_on / window.seconds) if window.seconds else 0.0
    amounts = Amounts()
    for held, part in _parts(prices, window):
        amounts += kept(held, part, part.seconds * off)
    return amounts


def _free(amounts: Amounts, prices: Prices, seconds_on: float) -> Amounts:
    """Return what a free tier takes off the machine and its disk, whatever prices they were charged by."""
    machine = _share(prices.free_machine_hours, seconds_on / _HOUR)
    disk = _share(prices.free_disk_gb, prices.disk_gb)
    return Amounts(free=-(amounts.compute * machine + amounts.disk * disk))


def _share(free: float, of: float) -> float:
    return min(free, of) / of if of else 0.0


def _parts(prices: Sequence[Prices], window: Window) -> Iterator[tuple[Prices, Window]]:
    """Yield the parts of the time in which one entry of the prices held, with that entry."""
    changes = (datetime(*one.since.timetuple()[:3], tzinfo=UTC).timestamp() for one in prices)
    cuts = [window.start, *sorted(cut for cut in changes if window.start < cut < window.end), window.end]
    for start, end in pairwise(cuts):
        yield in_force(prices, start), Window(start, end)
