"""One cell of a measurement: a contender with its server, its workers and its clients, in a fresh folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import SLOTS, Contender
from benchmarks.peers import noop, peer
from benchmarks.proc import family
from benchmarks.servers import Server, a_server, flushing_later

ROOT = Path(__file__).parents[1]
#: The environment of the peers, made by `make bench`.
PEERS_BIN = ROOT / ".venv-peers" / "bin"

_PATIENCE = 20.0  # seconds for a process to stop
_LONGEST = 120.0  # seconds that a role may take
_LAST_WORDS = 300  # characters


@dataclass(frozen=True, slots=True)
class Cell:
    """A contender that is ready to be told what to do."""

    contender: Contender
    server: Server
    environment: Mapping[str, str]
    #: Where every job notes when it began.
    beginnings: Path

    def ask(self, role: str, *numbers: float, lax: bool = False) -> dict[str, Any]:
        """Let a process of its own play a role and return its answer."""
        with self.asking(role, *numbers, lax=lax) as (answer, _):
            return answer

    @contextmanager
    def asking(
        self, role: str, *numbers: float, lax: bool = False, eager: bool = False
    ) -> Iterator[tuple[dict[str, Any], subprocess.Popen[bytes]]]:
        """Let a process play a role, and keep it until the block ends. Raises RuntimeError when it fails."""
        python = str(PEERS_BIN / "python") if self.contender.distribution else sys.executable
        command = [python, "-m", "benchmarks.peers.roles", self.contender.module, role, *map(str, numbers)]
        further = {peer.LAX: str(int(lax)), **self._hastened(eager)}
        with self._running(command, further, answers=True) as process:
            too_long = threading.Timer(_LONGEST, process.kill)
            too_long.start()
            answer = process.stdout.readline()  # type: ignore[union-attr]
            too_long.cancel()
            if not answer:
                raise RuntimeError(f"{role} failed or took {_LONGEST:.0f} seconds: {self.last_words()}")
            yield json.loads(answer), process
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(_PATIENCE)

    def fill(self, number: int) -> None:
        """Lay in so many jobs that are on the disk when this returns; how fast is nobody's concern."""
        with flushing_later(self.contender.server, self.server):
            self.ask("fill", number, lax=True)
        subprocess.run(["sync", "--file-system", self.environment[peer.FOLDER]], check=True)

    @contextmanager
    def working(self, *, eager: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """Run the workers for as long as the block lasts."""
        if not self.contender.worker:
            with self.asking("work", SLOTS) as (_, process):
                yield process
            return
        program, *rest = (*self.contender.worker, *(self.contender.eager if eager else ()))
        places = {"server": self.server.address, "folder": self.environment[peer.FOLDER]}
        command = [str(PEERS_BIN / program), *(word.format(**places) for word in rest)]
        with self._running(command, self._hastened(eager)) as process:
            yield process

    def last_words(self) -> str:
        """Return the end of what clients and workers have complained of."""
        return self._complaints.read_text(errors="replace")[-_LAST_WORDS:].strip()

    def pids(self, *processes: subprocess.Popen[bytes]) -> list[int]:
        """Return all processes of the stack: the server's and those of the given workers."""
        roots = [process.pid for process in processes] + ([self.server.pid] if self.server.pid else [])
        return [member for root in roots for member in family(root)]

    def wait_for_beginnings(self, number: int, *, seconds: float) -> bool:
        """Wait until so many jobs have begun; return whether they did in time."""
        late = time.monotonic() + seconds
        while self._begun() < number:
            if time.monotonic() > late:
                return False
            time.sleep(0.002)
        return True

    @property
    def _complaints(self) -> Path:
        return self.beginnings.with_name("complaints")

    def _hastened(self, eager: bool) -> dict[str, str]:
        return dict(word.split("=", 1) for word in self.contender.eager_variables) if eager else {}

    def _begun(self) -> int:
        return self.beginnings.stat().st_size // 8

    @contextmanager
    def _running(
        self, command: list[str], further: Mapping[str, str], *, answers: bool = False
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process with all its descendants in a session of their own, and end them all."""
        with (
            self._complaints.open("ab") as complaints,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **self.environment, **further},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else complaints,
                stderr=complaints,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                _end(process)


@contextmanager
def a_cell(
    contender: Contender, folder: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[Cell]:
    """Prepare a contender in a folder, which is made if it is not there; stop all of it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = Path(tempfile.mkdtemp(prefix="aafai-bench-", dir=_memory()))
    beginnings = notes / "beginnings"
    beginnings.touch()
    extra = dict(environment or {})
    try:
        with a_server(contender.server, folder / "server", extra) as server:
            own = {
                **extra,
                "PYTHONPATH": str(ROOT),
                "PYTHONWARNINGS": "ignore",
                peer.FOLDER: str(folder),
                peer.SERVER: server.address,
                peer.STORE: contender.store,
                noop.BEGINNINGS: str(beginnings),
            }
            yield Cell(contender, server, own, beginnings)
    finally:
        shutil.rmtree(notes)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a session to end, then make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # What it left behind.
    except ProcessLookupError:
        return


def _memory() -> str | None:
    """Return a folder in memory, where noting costs the measured disk nothing."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
