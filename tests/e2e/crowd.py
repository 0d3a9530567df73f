"""Clients that submit until the bus is killed under them, and know what was accepted."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from examples.running import RunningBus


class Crowd:
    """So many clients that submit one body until told to stop, and note what was accepted.

    `others` do something else meanwhile, each in a thread of its own, until `over` is set.
    """

    def __init__(
        self,
        bus: RunningBus,
        body: dict[str, Any],
        *,
        submitters: int = 1,
        pause: float = 0.0,
        others: Sequence[Callable[[threading.Event], object]] = (),
    ) -> None:
        self.accepted: list[str] = []
        #: Set when the first job was accepted.
        self.busy = threading.Event()
        self._url, self._body, self._pause = f"{bus.url}/inbound", body, pause
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(submitters)]
        self._threads += [threading.Thread(target=work, args=[self._over]) for work in others]

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Let them work as long as the block lasts."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def _submit(self) -> None:
        with requests.Session() as session:
            while not self._over.wait(self._pause):
                with contextlib.suppress(requests.RequestException):
                    answer = session.post(self._url, json=self._body, timeout=10)
                    if answer.ok:
                        self.accepted.append(answer.json()["job_id"])
                        self.busy.set()


def kill(bus: RunningBus) -> None:
    """End the worker and its master without a word, as the kernel does when memory runs out."""
    children = Path(f"/proc/{bus.process.pid}/task/{bus.process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    bus.process.kill()
    bus.process.wait(10)
