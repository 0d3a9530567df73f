"""The seven steps: rows of a Google Sheet, a machine that is off, real pages in a real browser, off again."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from core.token_file import change_tokens
from core.tokens import minted
from examples.running import ROOT, RunningBus, a_bus
from tests.apps_script.internet import Internet, by_port
from tests.apps_script.script import Script
from tests.apps_script.test_generator import TEN_LINES
from tests.boots import boot_anew
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_google import FakeGoogle

pytestmark = pytest.mark.alone

ROWS = 20
HASTY = {
    "AAFAI_IDLE_TIMEOUT": "2 seconds",
    "AAFAI_BOOT_GRACE": "15 seconds",
    "AAFAI_PAID_MINUTE": "off",
    "AAFAI_SLOTS": "default=2,browser=2",
    "AAFAI_POWER_SWITCH": "gcp",
    "AAFAI_ALLOW_PRIVATE_ADDRESSES": "1",
    "AAFAI_ALLOWED_HOSTS": "*",
}


class Pages(BaseHTTPRequestHandler):
    """Pages whose text is known."""

    def do_GET(self) -> None:
        body = f"<!doctype html><title>t</title><p>This is page {self.path[1:]}.</p>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Machine:
    """A machine of the fake Google's: started, it runs the real bus on another port; stopped, it ends it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.google = FakeGoogle(on_start=self._boot, on_stop=self._power_off)
        self.internet = Internet()
        self.is_off = threading.Event()
        self.boots = 0
        self.times: list[tuple[float, str]] = []
        self._folder = folder
        self._settings = {**HASTY, **settings}
        self._running = ExitStack()
        self.bus: RunningBus
        tokens = folder / "queues" / "tokens.json"
        tokens.parent.mkdir(parents=True)
        made, self.token = minted(name="sheet", scopes=("submit", "read"), now=time.time(), signing=True)
        change_tokens(tokens, lambda known: {**known, made.id: made})

    def __enter__(self) -> Self:
        self.google.__enter__()
        self.google.compute.instance()["status"] = "TERMINATED"
        self.internet.places["compute.googleapis.com"] = by_port(urlsplit(self.google.url).port or 0)
        self.internet.on_time = self._lead
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self.google.__exit__()

    def note(self, what: str) -> None:
        """Write down when something happened."""
        self.times.append((time.monotonic(), what))

    def _boot(self, _: str) -> None:
        self.note("Google starts the machine")
        self.is_off.clear()
        boot_anew(self._folder / "queues")
        settings = {"AAFAI_GOOGLE_URL": self.google.url, **self._settings}
        self.bus = self._running.enter_context(a_bus(self._folder, **settings))
        self.boots += 1
        self.note("the bus accepts jobs")

    def _power_off(self, _: str) -> None:
        self.note("the bus has Google switch its machine off")
        self.bus.stop(timeout=40)
        self.note("the machine is off")
        self.is_off.set()

    def _lead(self, _: float) -> None:
        """Lead to the bus where Google says that its machine is, and nowhere else."""
        instance = self.google.compute.instance()
        self.internet.places = {
            place: server for place, server in self.internet.places.items() if "google" in place
        }
        if instance["status"] == "RUNNING":
            address = instance["networkInterfaces"][0]["accessConfigs"][0]["natIP"]
            self.internet.places[f"{address}:8000"] = by_port(urlsplit(self.bus.url).port or 0)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as made:
        yield made


@pytest.fixture
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def settings_of(machine: Machine) -> dict[str, str]:
    return {
        "AAFAI_PROJECT": PROJECT,
        "AAFAI_ZONE": ZONE,
        "AAFAI_INSTANCE": INSTANCE,
        "AAFAI_SIGNING_TOKEN": machine.token,
        "AAFAI_ACTION": "download_website",
    }


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("browser")
def test_rows_of_a_sheet_get_their_results_from_a_machine_that_nobody_touches(
    machine: Machine, pages: str
) -> None:
    rows: list[list[Any]] = [["url"], *([f"{pages}/{n}"] for n in range(ROWS))]
    polls: list[Any] = []
    with Script(machine.internet, rows, settings_of(machine)) as script:
        script.select((2, ROWS + 1))
        machine.note("somebody runs 20 rows")
        sent = script.run("runSelectedRows")
        machine.note(f"the rows are sent, {spent([sent])}")
        # Google would fire it each minute; here it is a matter of seconds.
        while script.triggers():
            time.sleep(1.0)
            polls.append(script.fire())
            done = sum(status == "complete" for status in script.column("status"))
            machine.note(f"the trigger polls, {spent(polls[-1:])}: {done} complete")
        results = script.column("result")
    assert machine.is_off.wait(60)
    machine.google.compute.settle()

    print(timeline(machine.times))
    print(f"{len(polls)} polls by the trigger: {spent(polls)}")
    assert {run["error"] for run in [sent, *polls]} == {""}
    assert results == [f"This is page {n}." for n in range(ROWS)]
    assert max(run["fetches"] for run in polls) == 1
    assert machine.boots == 1
    assert machine.google.compute.instance()["status"] == "TERMINATED"


def test_the_function_made_of_an_action_of_ten_lines_returns_its_result(tmp_path: Path) -> None:
    with Machine(tmp_path, AAFAI_ACTIONS_DIR=str(actions_with(TEN_LINES, tmp_path))) as machine:
        machine.google.compute.change("start")
        machine.google.compute.settle()
        made = tmp_path / "Code.gs"
        client = {
            "AAFAI_CLIENT_URL": machine.bus.url,
            "AAFAI_TOKEN": machine.token,
            "AAFAI_CLIENT_SIGNS": "1",
        }
        command = [ROOT / "bus", "apps-script"]
        time.sleep(1.0)  # Signatures tell whole seconds, and one from before the bus's start does not count.
        printed = subprocess.run(command, env={**os.environ, **client}, capture_output=True, check=False)
        assert printed.returncode == 0, printed.stderr
        made.write_bytes(printed.stdout)

        with Script(machine.internet, [["text"]], settings_of(machine), files=[made]) as script:
            run = script.run("call_count_words", {"text": "to be or not to be", "least": 3})

    assert (run["error"], run["value"]) == ("", {"not": 1})


def actions_with(action: str, folder: Path) -> Path:
    """Return a folder with one action."""
    actions = folder / "actions"
    actions.mkdir()
    (actions / "count_words.py").write_text(action)
    return actions


def timeline(times: list[tuple[float, str]]) -> str:
    """Return a line for each thing that happened, with the seconds since the first."""
    began = times[0][0]
    return "\n".join(f"{at - began:7.2f} s  {what}" for at, what in times)


def spent(runs: list[Any]) -> str:
    """Say what runs have cost."""
    return f"{sum(run['fetches'] for run in runs)} requests, {sum(run['seconds'] for run in runs):.2f} s"
