"""Real servers on a folder, all of whose processes can be found, killed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from examples.running import GUNICORN, ROOT, free_port, wait_until_accepting
from tests.faults.crew import waited_for
from tests.faults.crew_processes import children, descendants, is_python, send, started_for
from tests.faults.shift_server import ACCEPTED

#: What the servers of these tests have in common; a second one on the same folder has them too.
SETTINGS = {
    "AAFAI_ACTIONS_DIR": str(Path(__file__).parent / "shift_actions"),
    "AAFAI_SLOTS": "default=4",
    "AAFAI_BACKOFF_BASE": "0.05 seconds",
    "AAFAI_LOG_LEVEL": "WARNING",
    "AAFAI_MIN_FREE": "1 MiB",
}


@dataclass
class Server:
    """One server process, the master of gunicorn, and where it listens."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    #: How it was started.
    command: Sequence[str]

    @property
    def master(self) -> int:
        """The process of gunicorn that starts the others; it may run under another program."""
        return next(pid for pid in (self.process.pid, *descendants(self.process.pid)) if is_python(pid))

    def workers(self) -> list[int]:
        """Return the processes that hold a kernel of the bus each."""
        return children(self.master)

    def busy_wardens(self) -> list[int]:
        """Return the processes that watch over an attempt each."""
        return [pid for pid in self._wardens() if children(pid)]

    def attempts(self) -> list[int]:
        """Return the processes in which actions run: the children of wardens."""
        return [pid for warden in self._wardens() for pid in children(warden)]

    def own(self) -> set[int]:
        """Return the processes that are there although nothing runs: down to wardens without an attempt."""
        if self.process.poll() is not None:
            return set()
        own = {self.master, *self.workers(), *self._forkservers(), *self._wardens()}
        return set(filter(is_python, own))

    def all(self) -> list[int]:
        """Return every process of the server, down to what the actions have started."""
        return [self.master, *descendants(self.master)]

    def accepted(self) -> set[int]:
        """Return the ports of all clients that it accepted."""
        return set(map(int, self.log.with_suffix(".accepted").read_text().split()))

    def until_accepting(self) -> None:
        """Wait until the server says that it accepts jobs. Raises RuntimeError when it ends before that."""
        try:
            wait_until_accepting(self.url, self.process)
        except RuntimeError as error:
            raise RuntimeError(self.log.read_text()) from error

    def stop(self, *, timeout: float = 60.0) -> int:
        """Tell the server to stop as systemd does (SIGTERM) and return its exit status."""
        os.kill(self.master, signal.SIGTERM)
        return self.process.wait(timeout)

    def _forkservers(self) -> list[int]:
        return [pid for worker in self.workers() for pid in children(worker)]

    def _wardens(self) -> list[int]:
        return [pid for forkserver in self._forkservers() for pid in children(forkserver)]


@dataclass
class Site:
    """A folder with queues, and the servers that were started on it."""

    folder: Path
    #: Where attempts have their temporary files. Its path is short: sockets lie below it.
    scratch: Path
    settings: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    #: How often the test has killed a process, and all that these deaths took with them.
    kills: int = 0
    dead: set[int] = field(default_factory=set)

    @property
    def queues(self) -> Path:
        """Where the jobs are kept."""
        return self.folder / "queues"

    @property
    def book(self) -> Path:
        """What the actions write into."""
        return self.folder / "book"

    def serve(
        self, *, command: Sequence[str] = GUNICORN, prefix: Sequence[str] = (), **settings: str
    ) -> Server:
        """Start a server on the folder and return it once it accepts jobs."""
        port, log = free_port(), self.folder / f"log-{len(self.servers)}"
        environment = {**os.environ, **SETTINGS, **self._places(port, log), **self.settings, **settings}
        with log.open("wb") as output:
            process = subprocess.Popen([*prefix, *command], cwd=ROOT, env=environment, stderr=output)
        server = Server(process, f"http://127.0.0.1:{port}", log, command)
        self.servers.append(server)
        server.until_accepting()
        return server

    def kill(self, *pids: int) -> None:
        """Kill some of the processes."""
        self.end(*pids)
        self.kills += len(pids)
        send(signal.SIGKILL, pids)

    def end(self, *pids: int) -> None:
        """Note that these processes, and those that they have started, are about to end."""
        for pid in pids:
            self.dead |= {pid, *descendants(pid)}

    def processes(self) -> list[int]:
        """Return all that runs because of this folder: servers, attempts, and what those have started."""
        return started_for(self.scratch)

    def strays(self) -> list[int]:
        """Return what runs because of this folder and is no server's own."""
        owned = set().union(*(server.own() for server in self.servers))
        return [pid for pid in self.processes() if pid not in owned]

    def runs(self, job_ids: Sequence[str]) -> bool:
        """Return whether all of these jobs run at the moment."""
        return all((self.queues / "running" / f"{job_id}.json").exists() for job_id in job_ids)

    def has_none_in(self, *tops: str) -> bool:
        """Return whether no record, and no dropped file, lies anywhere in these folders of the queue."""
        return not any(path for top in tops for path in (self.queues / top).rglob("*.json"))

    def let_all_work_end(self) -> None:
        """Let every action end at its next look around, however long it was to take."""
        (self.folder / "enough").touch()

    def was_switched_off(self) -> int:
        """Return whether a server meant to switch the machine off."""
        return int((self.folder / "off").exists())

    def until_power_was_judged(self) -> None:
        """Wait until a server has asked itself twice whether the machine may be switched off."""
        heartbeat = self.queues / "run" / "heartbeat"
        for _ in range(3):  # the first beat may be of a look that is under way
            waited_for(partial(_has_changed, heartbeat, heartbeat.stat().st_mtime_ns), seconds=10)

    def _places(self, port: int, log: Path) -> dict[str, str]:
        return {
            "QUEUE_BASE_PATH": str(self.queues),
            "DOWNLOAD_DIR": str(self.folder / "downloads"),
            "TMPDIR": str(self.scratch),
            "AAFAI_PORT": str(port),
            "AAFAI_POWER_SWITCH": f"command:touch {self.folder / 'off'}",
            ACCEPTED: str(log.with_suffix(".accepted")),
        }


@contextmanager
def a_site(folder: Path, **settings: str) -> Iterator[Site]:
    """Yield a folder for servers; kill whatever still runs because of it at the end."""
    with tempfile.TemporaryDirectory(prefix="aafai-", ignore_cleanup_errors=True) as scratch:
        site = Site(folder, Path(scratch), settings)
        try:
            yield site
        finally:
            while left := site.processes():
                send(signal.SIGKILL, left)
                for server in site.servers:
                    server.process.wait()


def with_mutant(mutant: str) -> tuple[str, ...]:
    """Return the command of a server of which one part is broken, or none where the name is empty."""
    return (sys.executable, "-m", "tests.faults.shift_server", mutant, "-c", "gunicorn.conf.py")


def with_clocks_ahead(seconds: int) -> tuple[str, ...]:
    """Return what to put before a command so that its monotonic and boot-time clocks are that far ahead."""
    offsets = (f"--monotonic={seconds}", f"--boottime={seconds}")
    return ("unshare", "--time", *offsets, "--fork", "--kill-child=KILL")


def _has_changed(path: Path, since_ns: int) -> bool:
    return path.stat().st_mtime_ns != since_ns
