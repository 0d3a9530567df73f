"""`./bus` at a machine that is off, from start to power-off and back: real programs, and the fake Google."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from examples.running import GUNICORN, ROOT, free_port
from tests.boots import boot_anew
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_google import TOKEN, FakeGoogle

pytestmark = pytest.mark.alone

HASTY = {
    "AAFAI_POWER_SWITCH": "gcp",
    "AAFAI_IDLE_TIMEOUT": "3 seconds",
    "AAFAI_BOOT_GRACE": "3 seconds",
    "AAFAI_PAID_MINUTE": "off",
}
#: An action that goes on to the next page when somebody has seen that it is at this one.
CRAWL = '''
import threading
from pathlib import Path

from core import JobContext


def run(seen: str, *, job: JobContext) -> dict[str, int]:
    """Fetch three pages."""
    for page in (1, 2, 3):
        job.progress((page - 1) / 2, f"page {page} of 3")
        while not Path(seen, f"page-{page}").exists():
            threading.Event().wait(0.05)
    return {"pages": 3}
'''
_ADDRESSES = itertools.count(2)


class OffMachine:
    """A machine that is off. To start it is to exec a server, at an address that it has never had before."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.google = FakeGoogle(on_start=self._boot, on_stop=self._power_off)
        self.google.compute.instance()["status"] = "TERMINATED"
        self.is_off = threading.Event()
        self.addresses: list[str] = []
        self._folder = folder
        self._settings = settings
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.google.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.google.__exit__()
        if self._server is not None and self._server.poll() is None:
            self._server.kill()
            self._server.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a client."""
        return {
            **os.environ,
            "HOME": str(self._folder),
            "AAFAI_CLIENT_INSTANCE": f"{PROJECT}/{ZONE}/{INSTANCE}",
            "AAFAI_PORT": str(self._port),
            "AAFAI_GOOGLE_URL": self.google.url,
            "CLOUDSDK_AUTH_ACCESS_TOKEN": TOKEN,
            "COLUMNS": "100",
        }

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the command from another folder than its own."""
        return subprocess.run(
            [ROOT / "bus", *words],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )

    def starts(self) -> int:
        return self.google.calls().count("POST start")

    def _boot(self, _: str) -> None:
        number = next(_ADDRESSES)
        address = f"127.0.{number % 200}.{os.getpid() % 250 + 1}"
        self.is_off.clear()
        boot_anew(self._folder / "queues")
        self.google.compute.address_of = lambda _: address
        self.addresses.append(address)
        settings = {
            **os.environ,
            **self._settings,
            "AAFAI_LOG_LEVEL": "WARNING",
            "QUEUE_BASE_PATH": str(self._folder / "queues"),
            "DOWNLOAD_DIR": str(self._folder / "downloads"),
            "AAFAI_HOST": address,
            "AAFAI_PORT": str(self._port),
            "AAFAI_GOOGLE_URL": self.google.url,
        }
        self._server = subprocess.Popen(GUNICORN, cwd=ROOT, env=settings)

    def _power_off(self, _: str) -> None:
        assert self._server is not None
        self._server.terminate()
        self._server.wait(40)
        self.is_off.set()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OffMachine]:
    with OffMachine(tmp_path) as made:
        yield made


def test_a_job_starts_the_machine_ends_and_lets_it_go_and_the_next_one_starts_it_again(
    tmp_path: Path,
) -> None:
    with OffMachine(tmp_path, **HASTY) as machine:
        first = machine.call("submit", "fakejob", "delay_seconds=1", "--wait")
        assert machine.is_off.wait(60)
        machine.google.compute.settle()
        while_off = machine.call("list")
        power = machine.call("power")
        second = machine.call("submit", "fakejob", "delay_seconds=1", "--wait", "--json")
        jobs = {path.stem for path in tmp_path.glob("queues/outbound/*/*.json")}

    assert (first.returncode, json.loads(first.stdout)) == (0, {"waited": 1}), first.stderr
    assert (while_off.returncode, while_off.stdout) == (4, "")
    assert f"The machine in {ZONE} is off (TERMINATED)." in while_off.stderr
    assert (power.returncode, power.stdout.splitlines()[0]) == (
        0,
        f"The machine in {ZONE} is off (TERMINATED).",
    )
    assert (second.returncode, json.loads(second.stdout)["state"]) == (0, "succeeded"), second.stderr
    assert len(jobs) == 2
    assert machine.starts() == len(set(machine.addresses)) == 2
    assert [line.split("  ")[-1] for line in first.stderr.splitlines()][:2] == [
        f"Starting the machine in {ZONE}",
        f"Waiting for the bus at http://{machine.addresses[0]}:{machine.environment['AAFAI_PORT']}",
    ]
    print(first.stderr)


def test_google_is_asked_without_its_library_while_the_machine_is_on(machine: OffMachine) -> None:
    program = (
        "import os, sys; from client import find_target, opened; bus = opened(find_target(os.environ));"
        "{call}; print(bus.power()['state'], 'google.cloud.compute_v1' in sys.modules)"
    )

    def told(call: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program.format(call=call)],
            cwd=ROOT,
            env=machine.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=110,
        ).stdout

    assert told("bus.wake()") == "accepting True\n"
    assert told("bus.submit('fakejob', {'delay_seconds': 1})") == "accepting False\n"


def test_people_at_a_terminal_see_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "crawl.py").write_text(CRAWL)
    with OffMachine(tmp_path, AAFAI_ACTIONS_DIR=str(tmp_path / "actions")) as machine:
        status, recorded = recorded_at_a_terminal(machine, "submit", "crawl", f"seen={tmp_path}", "--wait")

    lines = [line.rpartition("\r\033[K")[2][9:] for line in recorded.rstrip().split("\r\n")]
    assert status == 0, recorded
    assert "running  ████████████░░░░░░░░░░░░  50%  page 2 of 3" in recorded
    assert lines[0] == f"Starting the machine in {ZONE}"
    assert lines[2].endswith("is accepted")
    assert (lines[3].split()[0], lines[4:]) == ("running", ["succeeded"])
    print(recorded)


def recorded_at_a_terminal(machine: OffMachine, *words: str) -> tuple[int, str]:
    """Call the command at a terminal; return its exit status, and all that it showed there.

    As soon as a page is seen there, a file says so, and the job goes on.
    """
    master, terminal = pty.openpty()
    shown = bytearray()

    def read() -> None:
        with suppress(OSError):  # which is how a terminal says that nobody writes any more
            while True:
                shown.extend(os.read(master, 65_536))
                for page in re.findall(rb"page (\d) of", shown):
                    Path(machine.environment["HOME"], f"page-{page.decode()}").touch()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    called = subprocess.run(
        [ROOT / "bus", *words],
        env=machine.environment,
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=False,
        timeout=110,
    )
    os.close(terminal)
    reader.join(20)
    os.close(master)
    return called.returncode, shown.decode()
