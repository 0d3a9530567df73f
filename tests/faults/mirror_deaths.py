"""A process that publishes and takes in mail, and dies before or after any one of its calls to the mirror."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud.folder_mirror import FolderMirror
from core import lifecycle
from core.admission import Admission
from core.bus import Bus
from core.event_bus import KERNEL, EventBus, LocalTransport, job_payload
from core.gate import Gate
from core.jobs import ENDED, Job, Query, State
from core.mailbox import Mailbox
from core.publisher import Publisher
from core.publishers import Publishers
from core.registry import Registry
from queues.file.engine import FileEngine
from tests.fakes import FakeClock
from tests.faults.mutants import ROOM
from tests.queues.conftest import die
from tests.queues.disks import QuickDisk

ACTION = '''
from core import action

@action(isolation="thread")
def run(number: int) -> int:
    """Double a number."""
    return 2 * number
'''
#: What is called of a mirror and of the marks: a death before or after each is a moment of its own.
_MIRROR = ("put", "names", "left", "get", "remove", "put_aside")
_MARKS = ("left_behind", "is_new", "forget")


class Died(BaseException):
    """The process is no more."""


@dataclass
class Fate:
    """At which moment a process dies, counted from 1; 0 for never."""

    number: int
    passed: int = field(default=0)

    def moment(self) -> None:
        self.passed += 1
        if self.number and self.passed >= self.number:
            raise Died

    def rules(self, thing: object, names: tuple[str, ...]) -> None:
        """Let methods of an object be followed and preceded by a moment."""
        for name in names:
            setattr(thing, name, self._mortal(getattr(thing, name)))

    def _mortal(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*arguments: Any, **options: Any) -> Any:
            self.moment()
            outcome = method(*arguments, **options)
            self.moment()
            return outcome

        return mortal


class Life:
    """A process from its start to its end, on the store and the mirror below a folder."""

    def __init__(self, base: Path, fate: Fate) -> None:
        self.clock = FakeClock()
        self.engine = FileEngine(str(base / "queues"), ROOM, disk=QuickDisk())
        events = EventBus(LocalTransport())
        admission = Admission(self.engine, _registry(base), self.clock, default_timeout=60)
        self.bus = Bus(self.engine, admission, events, self.clock, Gate())
        mirror, marks = FolderMirror(base / "mirror"), Publishers(base / "queues" / "mirror", "here")
        self._fate = fate
        fate.rules(mirror, _MIRROR)
        fate.rules(marks, _MARKS)
        self._downloads = base / "downloads"
        self.publisher = Publisher(
            mirror=mirror,
            engine=self.engine,
            events=events,
            clock=self.clock,
            publishers=marks,
            downloads=self._downloads,
            linger=60,
            mailbox=Mailbox(mirror, self.bus.submit_document, self.clock, events),
        )
        marks.join()

    def work(self, rounds: int = 3) -> None:
        """Take in mail, run what it asks for, publish how it went. Raises Died."""
        for _ in range(rounds):
            self.publisher.round()
            for job in self.engine.find(Query(states=frozenset({State.QUEUED}))).jobs:
                self.end(job)
            self.clock.advance(60)

    def end(self, job: Job) -> None:
        """Run a job, which makes a file, and tell of its end. Raises Died, with nothing told."""
        claimed = self.engine.claim_one(job.id, "worker-1", now=self.clock.now(), lease=60)
        assert claimed is not None
        (self._downloads / job.id).mkdir(parents=True)
        (self._downloads / job.id / "page.txt").write_text("page")
        after = lifecycle.succeeded(claimed, result=42, now=self.clock.now())
        self.engine.swap(claimed, after)
        self._fate.moment()
        self.publisher.events.publish("task.completed", KERNEL, job_payload(after))

    def over(self) -> None:
        """Let go of everything as a dead process does."""
        self.publisher.publishers.leave(done=False)
        die(self.engine)

    @property
    def ended(self) -> list[Job]:
        return list(self.engine.find(Query(states=ENDED, limit=1000)).jobs)


def leave(base: Path, name: str, document: object) -> None:
    """Leave a file in the mailbox, long ago."""
    path = base / "mirror" / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    os.utime(path, (0, 0))


def half_published(mirror: Path) -> list[str]:
    """Return the statuses to which something is missing that they name."""
    torn = []
    for path in (mirror / "statuses").glob("*.json"):
        status = json.loads(path.read_text())
        named = [status["result_path"], *(file["path"] for file in status["files"])]
        torn += [path.name for one in named if not (mirror / one).is_file()]
    return torn


def _registry(base: Path) -> Registry:
    folder = base / "actions"
    folder.mkdir(exist_ok=True)
    (folder / "double.py").write_text(ACTION)
    registry = Registry(folder)
    registry.load()
    return registry
