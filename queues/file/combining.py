"""Flat combining: of the threads that want the same thing at the same time, one does it for all.

Every system call gives the interpreter's lock away, so threads that each make their own calls take turns
instead of working side by side; and one sync of the disk serves any number of them.
Hendler, Incze, Shavit, Tzafrir: Flat Combining and the Synchronization-Parallelism Tradeoff, SPAA 2010.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Caller(Generic[T]):
    item: T
    served: bool = False
    #: What cut the work short, such as Ctrl-C: whether the item was served is not known then.
    error: BaseException | None = None
    #: Locked while the caller has to wait: for its item to be served, or for its turn to serve.
    gate: threading.Lock = field(default_factory=threading.Lock)


class Combiner(Generic[T]):
    """Serve the items of all threads that wait, one list at a time, in the thread that came first."""

    def __init__(self, serve: Callable[[list[T]], None]) -> None:
        """Make a combiner around a function that raises nothing."""
        self._serve = serve
        self._lock = threading.Lock()
        self._waiting: list[_Caller[T]] = []
        self._busy = False

    def do(self, item: T) -> None:
        """Return when the item has been served, together with those that waited beside it."""
        caller = _Caller(item)
        with self._lock:
            self._waiting.append(caller)
            leads, self._busy = not self._busy, True
            if not leads:
                caller.gate.acquire()
        if not leads:
            _wait(caller)
        if not caller.served:
            self._lead(caller)
        if caller.error is not None:
            raise caller.error

    def _lead(self, leader: _Caller[T]) -> None:
        """Serve all who wait by now and pass the lead to the first of those who came meanwhile."""
        with self._lock:
            callers, self._waiting = self._waiting, []
        try:
            self._serve([caller.item for caller in callers])
        except BaseException as error:  # noqa: BLE001  It is raised again, for every caller.
            for caller in callers:
                caller.error = error
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._busy = heir is not None
            if heir is not None:
                heir.gate.release()
            for caller in callers:
                caller.served = True
                if caller is not leader:
                    caller.gate.release()


def _wait(caller: _Caller[T]) -> None:
    """Wait at the gate, whatever happens: a caller that left might be the one who is to lead."""
    while True:
        try:
            caller.gate.acquire()
        except BaseException as error:  # noqa: BLE001  It is raised as soon as nobody relies on this thread.
            caller.error = error
        else:
            return
