"""The patient: a queue's folder, seen through the engine's own readers, and the settings that go with it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from config import Config
from core.clock import Clock
from core.functions import Functions, built_in
from core.registry import Registry
from doctor.living import buses_on, user_of
from doctor.looking import Looking
from doctor.surroundings import Surroundings
from queues.file.folders import Folders
from queues.file.journal import SUFFIX
from queues.file.layout import Layout
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.site import Site
from queues.file.tombstones import Tombstones
from queues.file.whereabouts import Whereabouts


@dataclass(kw_only=True)
class Patient:
    """What is examined. Nothing can be changed through it."""

    folder: str
    surroundings: Surroundings
    clock: Clock
    #: The processes that have the folder open.
    buses: tuple[int, ...]
    #: Told the number of files read so far, now and then.
    progress: Callable[[int], None] = lambda number: None
    #: How the command line is called, for remedies.
    program: str = "./bus"
    disk: Looking = field(default_factory=Looking)
    #: Files read so far.
    seen: int = 0

    @property
    def config(self) -> Config:
        """The settings."""
        return self.surroundings.config

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.clock.now()

    @cached_property
    def layout(self) -> Layout:
        """Where everything lies."""
        return Layout(self.folder, str(self.config.runtime_dir / "live"))

    @cached_property
    def site(self) -> Site:
        """What the engine's readers stand on."""
        quarantine = Quarantine(self.disk, self.layout, lambda name, reason: None)
        return Site(self.disk, self.layout, Folders(self.disk, self.folder, quarantine), tmp="")

    @cached_property
    def records(self) -> Records:
        """Reads records."""
        return Records(self.site)

    @cached_property
    def tombstones(self) -> Tombstones:
        """Knows what was purged."""
        return Tombstones(self.site)

    @cached_property
    def whereabouts(self) -> Whereabouts:
        """Finds records."""
        quarantine = Quarantine(self.disk, self.layout, lambda name, reason: None)
        return Whereabouts(self.site, self.records, quarantine, self.tombstones)

    @cached_property
    def registry(self) -> Registry:
        """The actions. Raises OSError when their folder cannot be read."""
        registry = Registry(self.config.actions_dir, built_in=built_in(Functions(self.config.task_packages)))
        registry.load()
        return registry

    @cached_property
    def actions(self) -> frozenset[str] | None:
        """The names of the actions that can be run; None when their folder cannot be read."""
        try:
            return frozenset(self.registry.actions)
        except OSError:
            return None

    @property
    def owner(self) -> int:
        """Whose the folder is: the user of the bus that has it open, else the owner of the folder."""
        users = (user_of(pid) for pid in self.buses)
        return next((user for user in users if user is not None), os.stat(self.folder).st_uid)

    def dead_journals(self) -> list[str]:
        """Return the journals whose writers are gone."""
        names = sorted(name for name in self.disk.names(self.path("journal")) if name.endswith(SUFFIX))
        paths = [self.path("journal", name) for name in names]
        return [path for path in paths if not self.disk.is_held(path) and self.disk.opens(path)]

    def path(self, *names: str) -> str:
        """Return a path below the folder."""
        return "/".join((self.folder, *names))

    def worded(self, remedy: str) -> str:
        """Return a remedy with this queue's own names in it."""
        names: dict[str, Callable[[], str]] = {
            "{folder}": lambda: self.folder,
            "{owner}": lambda: name_of(self.owner),
            "{address}": lambda: self.config.bind,
            "{bus}": lambda: self.program,
        }
        for name, value in names.items():
            if name in remedy:
                remedy = remedy.replace(name, value())
        return remedy

    def short(self, path: str) -> str:
        """Return a path as people are shown it: below the folder, if that is where it lies."""
        return path.removeprefix(f"{self.folder}/")

    def inodes(self, *paths: str) -> tuple[int, ...] | None:
        """Return the inodes of files that are there all at once; None when a job was only on its way."""
        looks: list[tuple[int, ...]] = []
        for _ in range(2):
            try:
                looks.append(tuple(self.disk.status(path).st_ino for path in paths))
            except FileNotFoundError:
                return None
        return looks[0] if looks[0] == looks[1] else None

    def may_read(self, path: str) -> bool:
        """Return whether this user may read what bears that name: if not, nothing can be said of it."""
        return not self.disk.is_file(path) or os.access(path, os.R_OK, effective_ids=True)

    def step(self) -> None:
        """Count a file that was read."""
        self.seen += 1
        if self.seen % 500 == 0:
            self.progress(self.seen)


def admit(
    folder: str,
    surroundings: Surroundings,
    clock: Clock,
    *,
    program: str = "./bus",
    progress: Callable[[int], None] = lambda number: None,
) -> Patient:
    """Return the patient whose folder lies there, an absolute path."""
    return Patient(
        folder=os.path.normpath(folder),
        surroundings=surroundings,
        clock=clock,
        buses=buses_on(folder),
        program=program,
        progress=progress,
    )


def name_of(user: int) -> str:
    """Return what a user is called."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
