"""Clients that submit jobs to servers that come and go, and keep books of every answer."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.faults.crew import waited_for
from tests.faults.crew_dozing import Pace

#: Makes the fields of a submission that are the test's own business: action, seconds, when to run.
Mix = Callable[[random.Random], dict[str, Any]]

_TIMEOUT = 60.0  # seconds without an answer
_PAUSE = 0.02  # seconds before a submission is repeated


@dataclass
class Clients:
    """Several threads that submit, each job under an idempotency key of its own: its tag."""

    #: The servers, any of which is asked.
    urls: list[str]
    book: Path
    mix: Mix
    #: Seconds that each rests between two submissions, at most.
    rest: float = 0.06
    #: What was asked for, whatever became of it.
    tried: set[str] = field(default_factory=set)
    #: Tag to job id, once it was acknowledged.
    kept: dict[str, str] = field(default_factory=dict)
    #: How often what was answered: error codes, or `received`; `no_connection` and `cut_off` for no answer.
    answers: Counter[str] = field(default_factory=Counter)
    #: The ports of those that connected and were not answered.
    cut_off: list[int] = field(default_factory=list)
    #: The ports of those that asked too late to be answered by a server that stops.
    dozed: list[int] = field(default_factory=list)
    _dues: dict[str, tuple[float, float]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _tags: Iterator[int] = field(default_factory=itertools.count)

    @property
    def dues(self) -> dict[str, tuple[float, float]]:
        """Job id to CLOCK_MONOTONIC before it was submitted, and the Unix seconds at which it was due."""
        return {self.kept[tag]: due for tag, due in self._dues.items() if tag in self.kept}

    def submit_on(self, seed: int) -> None:
        """Submit jobs until told to stop."""
        chance = random.Random(seed)
        while not self._stopped.wait(chance.uniform(0, self.rest)):
            self.submit(**self.mix(chance))

    def submit(self, **fields: Any) -> str:
        """Submit one job, again and again until it is acknowledged; return its id, or nothing."""
        tag = f"job-{next(self._tags)}"
        while not self._stopped.is_set():
            if self.submit_once(tag, **fields) == "received":
                return self.kept[tag]
            self._stopped.wait(_PAUSE)
        return ""

    def submit_once(self, tag: str, *, action: str, seconds: float = 0.0, **fields: Any) -> str:
        """Submit one job under a tag that may have been used before; return how that was answered."""
        self.tried.add(tag)
        if isinstance(due := fields.get("run_after"), str):
            self._dues.setdefault(tag, (time.monotonic(), datetime.fromisoformat(due).timestamp()))
        params = {"book": str(self.book), "tag": tag, "seconds": seconds}
        answer = self._asked({"action": action, "params": params, "idempotency_key": tag, **fields})
        code = str(answer.get("code", answer["status"]))
        self.answers[code] += 1
        if code == "received":
            self.kept[tag] = answer["job_id"]
        return code

    def until_kept(self, number: int, *, seconds: float = 60.0) -> bool:
        """Wait until so many jobs have been acknowledged; return whether they have."""
        return waited_for(lambda: len(self.kept) >= number, seconds=seconds)

    def asked(self) -> int:
        """Return how many requests have come to an end, one way or another."""
        return self.answers.total()

    def refusals(self) -> int:
        """Return how many requests have not been acknowledged."""
        return self.asked() - self.answers["received"]

    def stop(self) -> None:
        """Submit nothing more, nor repeat what was not acknowledged."""
        self._stopped.set()

    def _asked(self, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer, or what stands for none."""
        address = urlsplit(random.choice(self.urls))
        with closing(http.client.HTTPConnection(str(address.hostname), address.port, _TIMEOUT)) as connection:
            try:
                connection.connect()
            except OSError:
                return {"status": "no_connection"}
            port, pace = connection.sock.getsockname()[1], Pace()
            try:
                return _answer(connection, body, pace)
            except (OSError, http.client.HTTPException):
                (self.dozed if pace.dozed else self.cut_off).append(port)
                return {"status": "cut_off"}


@contextmanager
def clients(*urls: str, book: Path, mix: Mix, number: int = 2, rest: float = 0.06) -> Iterator[Clients]:
    """Let so many clients submit as long as the block lasts."""
    ours = Clients(list(urls), book, mix, rest)
    threads = [threading.Thread(target=ours.submit_on, args=[seed]) for seed in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield ours
    finally:
        ours.stop()
        for thread in threads:
            thread.join()


def _answer(connection: http.client.HTTPConnection, body: dict[str, Any], pace: Pace) -> dict[str, Any]:
    connection.request("POST", "/inbound", json.dumps(body), {"Content-Type": "application/json"})
    pace.note_asked()
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer
