"""A machine that is off until somebody starts it, with a real bus on it that switches it off by a program."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from examples.running import GUNICORN, ROOT, free_port
from tests.boots import boot_anew
from tests.faults.crew_processes import send, started_for
from tests.faults.crew_server import SETTINGS, Site
from tests.faults.power_programs import ALARM, BUTTON, HESITATIONS, HOWS, POWER, SLOW, SWITCH, TOO_LATE

_GLANCE = 0.005  # seconds


@dataclass
class Machine(Site):
    """A site whose server is started on demand, on one port, and dies of its own switch."""

    mutant: str = ""
    chance: random.Random = field(default_factory=random.Random)
    port: int = field(default_factory=free_port)
    #: What happened how often, and what was wrong when the machine went off.
    counts: Counter[str] = field(default_factory=Counter)
    _bus: subprocess.Popen[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _left: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where the bus listens when the machine is on."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_off(self) -> bool:
        """Whether the machine is off."""
        return self._bus is None

    @property
    def armed(self) -> float | None:
        """When the machine is to be started, in Unix seconds."""
        with suppress(OSError, ValueError):
            return float((self.folder / "armed").read_text())
        return None

    def last_words(self) -> list[str]:
        """Return the end of the log of the bus."""
        return (self.folder / "log").read_text(errors="replace").splitlines()[-40:]

    def furnish(self) -> None:
        """Put the programs for switch and alarm in place."""
        for name, program in (("switch", SWITCH), ("alarm", ALARM)):
            path = self.folder / name
            path.write_text(program.format(folder=self.folder))
            path.chmod(0o755)
        self.book.touch()

    def start(self) -> None:
        """Switch the machine on, unless it is on."""
        with self._lock:
            if self._bus is None:
                self._boot()

    def kill_bus(self) -> None:
        """Kill every process of the bus, as `kill -9` and the service manager do."""
        with self._lock:
            if self._bus is not None:
                self.kills += 1
                self._clear_away()
                self._after_death()

    def watch(self) -> None:
        """See to it that a bus that died is started again while the machine is on, and the alarm heard."""
        while not self._left.wait(_GLANCE):
            with self._lock:
                self._press()
                if self._bus is None:
                    self._listen()
                elif self._bus.poll() is not None:
                    self.counts["crashes"] += not self._is_going_off()
                    self._clear_away()
                    self._after_death()

    def reap(self) -> None:
        """Wait for the end of the bus."""
        if self._bus is not None:
            self._bus.wait()

    def leave(self) -> None:
        """Watch no longer."""
        self._left.set()

    def _boot(self) -> None:
        """Start the bus: on a machine that was off, or in the place of one that died."""
        hesitation, how = SLOW if self.mutant else self._chosen()
        (self.folder / "how").write_text(how)
        places = self._places(self.port, self.folder / "log")
        programs = {
            "AAFAI_POWER_SWITCH": f"command:{self.folder / 'switch'}",
            "AAFAI_WAKE_ALARM": f"command:{self.folder / 'alarm'}",
        }
        environment = {**os.environ, **SETTINGS, **places, **POWER, **programs, **self.settings}
        command = (*GUNICORN, f"tests.faults.power_app:application{self.mutant, hesitation}")
        with (self.folder / "log").open("ab") as log:
            self._bus = subprocess.Popen(
                command, cwd=ROOT, env=environment, stderr=log, start_new_session=True
            )
        (self.folder / "group").write_text(str(self._bus.pid))
        self.counts["boots"] += 1

    def _chosen(self) -> tuple[float, str]:
        return self.chance.choice(HESITATIONS), self.chance.choices(list(HOWS), list(HOWS.values()))[0]

    def _listen(self) -> None:
        """Start the machine when its alarm rings."""
        if self.armed is not None and self.armed <= time.time():
            (self.folder / "armed").unlink()
            self.counts["alarms"] += 1
            self._boot()

    def _press(self) -> None:
        """Switch off what was asked to go off a moment ago, as a cloud does that presses the power button."""
        asked = self.folder / "asked"
        with suppress(FileNotFoundError):
            age = time.time() - asked.stat().st_mtime
            if age >= BUTTON:
                asked.unlink()
            if BUTTON <= age < TOO_LATE:
                (self.folder / "off").touch()
                self._clear_away()

    def _is_going_off(self) -> bool:
        return (self.folder / "off").exists()

    def _clear_away(self) -> None:
        """End what is left of the bus and of what it has started, the switch too."""
        while pids := self.processes():
            self.end(*pids)
            send(signal.SIGKILL, pids)
            self.reap()
        self.reap()

    def _after_death(self) -> None:
        self._bus = None
        if not self._is_going_off():
            self._boot()
            return
        (self.folder / "off").unlink()
        boot_anew(self.queues)
        self.counts["cycles"] += 1
        self._look_around()

    def _look_around(self) -> None:
        """Count what a machine that has just gone off should not have left."""
        now = time.time()
        waiting = [path for top in ("inbound", "running") for path in (self.queues / top).rglob("*.json")]
        dues = [path.stat().st_mtime for path in (self.queues / "scheduled").rglob("*.json")]
        self.counts["stranded"] += len(waiting) + sum(due <= now for due in dues)
        self.counts["slept"] += bool(dues)
        if waiting:
            print("left when the machine went off:", *waiting, *self.last_words(), sep="\n")
        self.counts["unalarmed"] += bool(dues) and (self.armed is None or self.armed > min(dues))


@contextmanager
def a_machine(folder: Path, scratch: Path, *, mutant: str = "", seed: int = 0) -> Iterator[Machine]:
    """Yield a machine that is off; at the end it goes off for good, whatever it does."""
    machine = Machine(folder, scratch, mutant=mutant, chance=random.Random(seed))
    machine.furnish()
    watchman = threading.Thread(target=machine.watch)
    watchman.start()
    try:
        yield machine
    finally:
        machine.leave()
        watchman.join()
        while pids := started_for(scratch):
            send(signal.SIGKILL, pids)
            machine.reap()
