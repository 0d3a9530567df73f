"""The composition root's part that keeps the books of the machine: boots, sessions, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.books import Books
from core.errors import BusError
from core.jobs import State

if TYPE_CHECKING:
    from config import Config
    from core.boots import Moments
    from core.bus import Bus
    from core.clock import Clock
    from core.kernel import Kernel


def open_books(config: Config, bus: Bus, clock: Clock) -> Books:
    """Return the books of a server, as its settings have them."""

    def has_work() -> bool:
        try:
            return bus.count()[State.RUNNING] > 0  # Workers beside this server tell it no events.
        except BusError:
            return False

    return Books(
        config.queue_base_path / "power",
        bus.events,
        clock,
        prices=config.prices,
        moments=_moments,
        has_work=has_work,
        idle=config.idle_timeout,
        grace=config.boot_grace,
    )


def keep_books(kernel: Kernel) -> None:
    """Have the books kept once jobs are accepted."""
    if kernel.books is not None:
        kernel.errands.append(kernel.books.open)


def _moments() -> Moments:
    from cloud.boot_moments import boot_moments  # noqa: PLC0415  No start waits for it.

    return boot_moments()
