"""The bus that programs mean who name none: the one that runs in their process, or one opened beside it."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

from core.errors import ConfigError

if TYPE_CHECKING:
    from core.event_bus import EventBus
    from core.kernel import Kernel
    from core.schedules import Schedules

_lock = threading.RLock()
_noted: list[Kernel] = []


def note(kernel: Kernel) -> None:
    """Let this kernel be the one of its process."""
    with _lock:
        _noted[:] = [kernel]


def forget(kernel: Kernel) -> None:
    """Let this kernel be the one of its process no longer."""
    with _lock:
        _noted[:] = [known for known in _noted if known is not kernel]


def kernel_at_hand() -> Kernel:
    """Return the kernel of this process; without one, open the bus that the environment's settings name.

    A bus opened so takes in jobs and tells of them, and runs none. Raises ConfigError or EngineUnavailable.
    """
    with _lock:
        if not _noted:
            from core.worker import opened_beside  # noqa: PLC0415  The one door from here to the wiring.

            _noted.append(_looked_after(opened_beside()))
        return _noted[0]


def schedules_at_hand() -> tuple[Schedules, EventBus]:
    """Return the schedules of that bus, and where what befalls them is told. Raises as `kernel_at_hand`."""
    kernel = kernel_at_hand()
    if kernel.schedules is None:
        raise ConfigError("This bus keeps no schedules.")
    return kernel.schedules, kernel.bus.events


def _looked_after(kernel: Kernel) -> Kernel:
    kernel.janitor.start()
    atexit.register(_let_go, kernel)
    return kernel


def _let_go(kernel: Kernel) -> None:
    kernel.janitor.stop()
    kernel.bus.engine.close()
    if kernel.outward is not None:
        kernel.outward.close()
