"""The composition root's part that opens the mirror: where results are read while the machine is off."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from config import Config
    from core.bus import Bus
    from core.clock import Clock
    from core.publisher import Publisher

#: Seconds for which the machine stays on for what cannot be published; the next start goes on with it.
_LINGER = 900.0


def open_publisher(config: Config, bus: Bus, clock: Clock, *, beside: bool) -> Publisher | None:
    """Return what publishes how jobs end, and takes in what lies in the mailbox; None without a mirror.

    A worker beside a server publishes what it has run, and leaves the mailbox to the server.
    """
    marks = config.queue_base_path / "mirror"
    if not config.mirror:
        if marks.is_dir() and not beside:
            _tell_of_the_gap(marks)
        return None
    # Most buses have no mirror, and start without all that.
    from cloud.mirrors import open_mirror  # noqa: PLC0415
    from core.mailbox import Mailbox  # noqa: PLC0415
    from core.publisher import Publisher  # noqa: PLC0415
    from core.publishers import Publishers  # noqa: PLC0415

    mirror = open_mirror(config.mirror, google=config.google_url)
    return Publisher(
        mirror=mirror,
        engine=bus.engine,
        events=bus.events,
        clock=clock,
        publishers=Publishers(marks, mirror.name),
        downloads=config.download_dir,
        linger=_LINGER,
        mailbox=None if beside else Mailbox(mirror, bus.submit_document, clock, bus.events),
    )


def _tell_of_the_gap(marks: Path) -> None:
    """Have a mirror that was set before, and may be again, be taken for a new one: it lacks what ends now."""
    from core.publishers import forget_place  # noqa: PLC0415

    with suppress(OSError):  # A start does not fail for that.
        forget_place(marks)
