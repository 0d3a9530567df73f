"""Many descriptors read by one thread, which others can wake."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from typing import Protocol, cast

from core.doorbell import Doorbell

Feed = Callable[[bytes], None]

_CHUNK = 65_536


class End(Protocol):
    """A pipe or socket that can be read and closed."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Switchboard:
    """Hand whatever arrives at an end to whoever listens to it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell = Doorbell()
        self._selector.register(self._bell, selectors.EVENT_READ)

    def attach(self, end: End, feed: Feed) -> None:
        """Read from that end from now on, until it has ended; it is closed then."""
        os.set_blocking(end.fileno(), False)
        self._selector.register(end, selectors.EVENT_READ, feed)

    def release(self, end: End) -> None:
        """Read no more from that end, which stays open."""
        self._selector.unregister(end)

    def detach(self, end: End) -> None:
        """Read no more from that end, and close it."""
        self.release(end)
        end.close()

    def hears(self, end: End) -> bool:
        """Return whether more may come from that end."""
        return end in [key.fileobj for key in self._selector.get_map().values()]

    def look(self, timeout: float | None) -> bool:
        """Wait `timeout` seconds at most, or for `ring`; hand over what came and return whether any did."""
        came = False
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._bell:
                self._bell.answer()
            else:
                came = True
                self._read(key)
        return came

    def ring(self) -> None:
        """End the wait of whoever looks. Any thread may ring, after the end too."""
        self._bell.ring()

    def close(self) -> None:
        """Close all ends that are still attached."""
        for key in list(self._selector.get_map().values()):
            cast("End", key.fileobj).close()
        self._selector.close()

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            chunk = os.read(key.fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # A connection that was reset has ended, too.
            chunk = b""
        if chunk:
            key.data(chunk)
        else:
            self.detach(cast("End", key.fileobj))
