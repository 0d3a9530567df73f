"""Callers that ask a server one question after the other, while it may be stopping, and count the answers."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.faults.crew_dozing import Pace

_TIMEOUT = 60.0  # seconds without an answer
_PAUSE = 0.005  # seconds before somebody who was refused tries again


@dataclass
class Callers:
    """Some ask once over each connection, some for as long as they are let, one waits for each answer."""

    url: str
    #: HTTP statuses, and `no_connection`.
    answers: Counter[str] = field(default_factory=Counter)
    #: The ports of those that connected and were not answered.
    cut_off: list[int] = field(default_factory=list)
    #: The ports of those that asked too late to be answered by a server that stops.
    dozed: list[int] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def ask_on(self, path: str, *, keep: bool) -> None:
        """Ask until told to stop."""
        address = urlsplit(self.url)
        while not self._stopped.wait(_PAUSE):
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=_TIMEOUT)
            with closing(connection):
                try:
                    connection.connect()
                except OSError:
                    self.answers["no_connection"] += 1
                else:
                    self._converse(connection, path, keep=keep)

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped.set()

    def _converse(self, connection: http.client.HTTPConnection, path: str, *, keep: bool) -> None:
        port: int = connection.sock.getsockname()[1]
        pace = Pace()
        try:
            while not self._stopped.is_set():
                connection.request("GET", path)
                pace.note_asked()
                answer = connection.getresponse()
                answer.read()
                pace.note_answered()
                self.answers[str(answer.status)] += 1
                if answer.will_close or not keep:
                    return
        except (OSError, http.client.HTTPException):
            (self.dozed if pace.dozed else self.cut_off).append(port)


@contextmanager
def callers(url: str, *, job_id: str) -> Iterator[Callers]:
    """Let callers ask as long as the block lasts; one of them waits for the end of a job."""
    ours = Callers(url)
    asked = [
        ("/health", False),
        ("/health", False),
        ("/health", True),
        (f"/outbound?job_id={job_id}&wait=25", True),
    ]
    threads = [
        threading.Thread(target=ours.ask_on, args=[path], kwargs={"keep": keep}) for path, keep in asked
    ]
    for thread in threads:
        thread.start()
    try:
        yield ours
    finally:
        ours.stop()
        for thread in threads:
            thread.join()
