"""Real servers that are about to switch their machine off, and what may be going on around them just then."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from core.clock import SystemClock
from core.ids import JobIds
from core.jobs import DEFAULT_QUEUE
from examples.running import GUNICORN, RunningBus, a_bus
from queues.file.engine import FileEngine
from tests.boots import boot_anew
from tests.conftest import Effort, Evidence
from tests.factories import a_job
from tests.faults.crew import waited_for
from tests.faults.crew_processes import children, send
from tests.faults.crew_server import a_site, with_mutant
from tests.faults.mutants import ROOM
from tests.faults.shift_clock import LeadingClock
from tests.faults.shift_server import CLOCK
from tests.faults.test_idle_stops import SETTINGS
from tests.queues.conftest import die

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

DAY = 86_400.0
BODY = json.dumps({"action": "fakejob", "params": {"delay_seconds": 0}}).encode()
HEAD = (
    b"POST /inbound HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
) % len(BODY)
WHOLE = HEAD + BODY
JSON = {"Content-Type": "application/json"}


#: What a run of the switch leaves: a line, one for each job that has not ended, and a full stop.
SWITCH = """#!/bin/sh
exec >> {off}
echo off
cd {queues} && find inbound scheduled running -name '*.json'
echo .
"""


class Switched:
    """A switch that leaves the machine on and writes down, at each run, which jobs had not ended."""

    def __init__(self, folder: Path) -> None:
        self._off = folder / "off"
        program = folder / "switch"
        program.write_text(SWITCH.format(queues=folder / "queues", off=self._off))
        program.chmod(0o755)
        self.settings = {**SETTINGS, "AAFAI_POWER_SWITCH": f"command:{program}"}

    def runs(self) -> list[list[str]]:
        """Return, for each run of the switch, the jobs that had not ended."""
        text = self._off.read_text() if self._off.exists() else ""
        return [run.split()[1:] for run in text.split("\n.\n") if run]

    def was_run(self) -> bool:
        """Wait for the first run; return whether there was one."""
        return waited_for(lambda: self._off.exists() and self._off.read_text().endswith("\n.\n"))


def answered(folder: Path, sent: int, *, command: Sequence[str] = GUNICORN) -> tuple[str, int]:
    """Send so much of a submission, the rest when the switch was run; return the head of the answer, and
    how many jobs were stored.
    """
    switched = Switched(folder)
    with a_bus(folder, command=command, **switched.settings) as bus:
        with a_connection(bus) as connection:
            connection.sendall(WHOLE[:sent])
            assert switched.was_run(), "the machine is kept on"
            connection.sendall(WHOLE[sent:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        bus.stop()
        stored = {path.stem for top in ("inbound", "outbound") for path in (bus.queues / top).rglob("*.json")}
    return answer.partition(b"\r\n\r\n")[0].decode(), len(stored)


@pytest.mark.parametrize("sent", [20, len(HEAD) - 1, len(HEAD), len(HEAD) + 10, len(WHOLE) - 1])
def test_a_request_that_is_half_read_when_the_switch_is_run_is_refused_and_not_lost(
    sent: int, tmp_path: Path, evidence: Evidence
) -> None:
    head, stored = answered(tmp_path, sent)

    accepted = int(" 200 " in head)
    evidence("P15", "requests half read when the switch was run", trials=1, lost=accepted, early=stored)
    assert " 503 " in head.splitlines()[0]
    assert "Retry-After:" in head
    assert stored == 0


def test_a_server_whose_gate_stays_open_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    careless = (*GUNICORN, "tests.faults.careless_power:open_handed()")

    head, stored = answered(tmp_path, len(HEAD) + 10, command=careless)

    caught = " 200 " in head and stored == 1
    evidence("P15", "a half-read request, the gate stays open", trials=1, mutants=1, caught=int(caught))
    assert caught


def submitted_after_a_kill(folder: Path, command: Sequence[str] = GUNICORN) -> requests.Response:
    """Submit to a bus that was killed after it had run the switch, and was started again by gunicorn."""
    switched = Switched(folder)
    with a_bus(folder, command=command, **switched.settings) as bus:
        assert switched.was_run(), "the machine is kept on"
        before = boot_of(bus)
        send(signal.SIGKILL, children(bus.process.pid))
        assert waited_for(lambda: boot_of(bus) not in {before, ""})
        answer = requests.post(f"{bus.url}/inbound", data=BODY, headers=JSON, timeout=30)
        bus.stop()
    return answer


def boot_of(bus: RunningBus) -> str:
    """Return by what name a bus is known from those before it; nothing while it starts."""
    with suppress(requests.RequestException):
        return str(requests.get(f"{bus.url}/health", timeout=30).json()["boot_id"])
    return ""


def test_a_bus_that_is_killed_after_the_switch_was_run_comes_up_with_its_gate_closed(
    tmp_path: Path, evidence: Evidence
) -> None:
    answer = submitted_after_a_kill(tmp_path)

    taken = int(answer.ok)
    evidence("P15", "a bus killed after the switch was run, and started again", trials=1, early=taken)
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_bus_that_forgets_the_stop_when_it_is_killed_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    answer = submitted_after_a_kill(tmp_path, (*GUNICORN, "tests.faults.careless_power:forgetful()"))

    caught = answer.ok
    evidence("P15", "a killed bus that forgets the stop", trials=1, mutants=1, caught=int(caught))
    assert caught


@contextmanager
def a_connection(bus: RunningBus) -> Iterator[socket.socket]:
    host, _, port = bus.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=90) as connection:
        yield connection


def test_what_an_earlier_run_left_in_running_neither_keeps_the_machine_on_nor_is_lost(
    tmp_path: Path, evidence: Evidence
) -> None:
    switched = Switched(tmp_path)
    queues = tmp_path / "queues"
    engine = FileEngine(str(queues), ROOM)
    ids = JobIds(SystemClock())
    orphan = engine.add(a_job(id=ids(), params={"delay_seconds": 1}))
    claimed = engine.claim("w", now=SystemClock().now(), lease=30, queues=[DEFAULT_QUEUE])
    assert claimed is not None
    die(engine)
    (queues / "running" / "notes.json").write_text("{}")
    (queues / "running" / f"{ids()}.json").write_text('{"half": ')
    (queues / "run").mkdir(exist_ok=True)
    (queues / "run" / "heartbeat").write_text("99999999.0\n")
    (queues / "clean-stop.json").write_text('{"state": "running", "boot": "another", "pid": 1')

    with a_bus(tmp_path, **switched.settings) as bus:
        gone_off = switched.was_run()
        bus.stop()

    (left,) = switched.runs()
    ended = list((queues / "outbound").glob(f"*/{orphan.id}.json"))
    evidence(
        "P15",
        "leftovers in running/, and a damaged record of the last stop",
        trials=1,
        lost=int(not ended),
        stuck=int(not gone_off),
        early=sum(orphan.id in name for name in left),
    )
    assert gone_off
    assert len(ended) == 1
    assert not [name for name in left if orphan.id in name]


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_wall_clock_that_is_put_right_at_boot_neither_hastens_nor_hinders_the_stop(
    jump: float, tmp_path: Path, evidence: Evidence
) -> None:
    switched = Switched(tmp_path)
    clock = LeadingClock(tmp_path / "clock")
    clock.jump_to(jump)
    settings = {**switched.settings, "AAFAI_BOOT_GRACE": "3 seconds", CLOCK: str(clock.path)}

    with a_bus(tmp_path, command=with_mutant(""), **settings) as bus:
        began = os.times().elapsed
        clock.jump_to(0.0)
        job = requests.post(f"{bus.url}/inbound", data=BODY, headers=JSON, timeout=10)
        gone_off = switched.was_run()
        lasted = os.times().elapsed - began
        bus.stop()

    evidence(
        "P8",
        "a real server whose wall clock is put right by a day at its start",
        trials=1,
        stopped_early=int(lasted < 1.0),
        stuck=int(not gone_off),
    )
    assert job.ok
    assert switched.runs() == [[]]
    assert lasted > 1.0


class Customer(threading.Thread):
    """Submits to one server now and then until the machine is off; remembers what was accepted."""

    def __init__(self, url: str, chance: random.Random, off: Path) -> None:
        super().__init__()
        self._url = url
        self._chance = chance
        self._off = off
        self.accepted: list[str] = []
        self.refused = 0

    def run(self) -> None:
        with requests.Session() as session, suppress(requests.RequestException):
            while not self._off.exists():
                answer = session.post(f"{self._url}/inbound", data=BODY, headers=JSON, timeout=30)
                if answer.ok:
                    self.accepted.append(answer.json()["job_id"])
                self.refused += answer.status_code == 503
                threading.Event().wait(self._chance.uniform(0, 0.5))


def shared(folder: Path, *, cycles: int) -> Counter[str]:
    """Return the books of two servers on one folder, of which one switched their machine off so often."""
    off, accepted, books = folder / "off", [], Counter(cycles=cycles)
    switch = {**SETTINGS, "AAFAI_POWER_SWITCH": f"command:touch {off}", "AAFAI_BOOT_GRACE": "4 seconds"}
    with a_site(folder, AAFAI_ACTIONS_DIR="actions") as site:
        for number in range(cycles):
            off.unlink(missing_ok=True)
            servers = [site.serve(**switch), site.serve(**switch)]
            customers = [
                Customer(server.url, random.Random(2 * number + turn), off)
                for turn, server in enumerate(servers)
            ]
            for customer in customers:
                customer.start()
            assert waited_for(off.exists, glance=0.005)
            site.kill(*site.processes())
            boot_anew(site.queues)
            for customer in customers:
                customer.join()
                accepted += customer.accepted
                books["refused"] += customer.refused
            waiting = {
                path.stem for top in ("inbound", "running") for path in (site.queues / top).rglob("*.json")
            }
            books["left_for_the_next_start"] += len(waiting)
        site.serve(AAFAI_POWER_SWITCH="none")
        waited_for(lambda: site.has_none_in("inbound", "scheduled", "running"))
        ended = {path.stem for path in (site.queues / "outbound").glob("*/*.json")}
    books.update(accepted=len(accepted), lost=len(set(accepted) - ended))
    return books


def test_two_servers_on_one_folder_lose_nothing_when_one_of_them_switches_off(
    tmp_path: Path, effort: Effort, evidence: Evidence
) -> None:
    books = shared(tmp_path, cycles=effort(2, 20))

    evidence(
        "P15", "power-offs of a machine with two servers on one folder", trials=books.pop("cycles"), **books
    )
    assert books["accepted"] > 0
    assert books["lost"] == 0
