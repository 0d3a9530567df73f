"""The record of a clean stop tells the next start how this run ended, and if the machine is going off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.last_stop import LastStop, StopRecord
from core.machine import PowerState
from tests.core.power_bench import ASwitch, Machine
from tests.fakes import FakeClock

GONE = 2**22 + 1  # No process has an id above the kernel's limit.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clean-stop.json"


def record(file: Path, boot: str = "this boot") -> StopRecord:
    return StopRecord(file, boot, FakeClock(), warn=lambda _: None)


def running(file: Path, **fields: object) -> None:
    file.write_text(json.dumps({"state": "running", "since": 1, "boot": "this boot", "pid": GONE} | fields))


def test_a_clean_stop_leaves_a_record_for_the_next_start(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ASwitch())

    machine.step_after(300)

    assert json.loads((tmp_path / "last-stop.json").read_text()) == {
        "state": "stopped",
        "stopped_at": machine.clock.now(),
        "message": "Stopping: nothing is left to do.",
        "next_due": None,
        "switch": "fake",
        "boot": "this boot",
        "boottime": machine.clock.boottime(),
    }


def test_the_next_start_tells_of_a_clean_stop(tmp_path: Path) -> None:
    Machine(tmp_path, ASwitch()).step_after(300)
    machine = Machine(tmp_path)

    machine.power.start()
    machine.power.stop()

    told = "the last stop was clean: Stopping: nothing is left to do."
    assert machine.heard("system.last_stop") == [told]
    assert machine.power.status().last_stop == machine.power.last_stop
    assert machine.power.last_stop is not None
    assert machine.power.last_stop.clean


def test_a_service_that_is_told_to_end_has_stopped_cleanly(tmp_path: Path) -> None:
    first, second = Machine(tmp_path), Machine(tmp_path)
    first.power.start()
    first.power.prepare_to_end(preempted=True)
    first.power.stop()

    second.power.start()
    second.power.stop()

    assert second.heard("system.last_stop") == [
        "the last stop was clean: Stopping: the cloud takes the machine away."
    ]


def test_the_first_start_of_all_tells_of_no_stop(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    machine.power.start()
    machine.power.stop()

    assert machine.power.last_stop is None
    assert machine.heard("system.last_stop") == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, LastStop(False, "The service died without a word.")),
        ({"boot": "another"}, LastStop(False, "The machine went off, or the service died, without a word.")),
        (
            {"boot": "another", "pid": 1},
            LastStop(False, "The machine went off, or the service died, without a word."),
        ),
        ({"pid": 1}, None),
        ({"pid": os.getpid()}, LastStop(False, "The service died without a word.")),
    ],
    ids=[
        "killed",
        "power cut",
        "power cut, its number taken again",
        "it runs beside us",
        "its number is ours",
    ],
)
def test_a_record_of_a_run_tells_that_nobody_ended_it(
    file: Path, fields: dict[str, object], found: LastStop | None
) -> None:
    running(file, **fields)

    assert record(file).read() == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00" * 64,
        '{"state": "stopped"}',
        '{"state": "running"}',
        '{"state": "running", "boot": "this boot", "pid": "x"}',
        '{"state": "running", "boot": "this boot", "pid": 1e300}',
        '{"state": "running", "boot": "this boot", "pid": -1}',
    ],
)
def test_a_damaged_record_is_no_clean_stop(file: Path, text: str) -> None:
    file.write_text(text)

    found = record(file).read()

    assert found == LastStop(False, "Its record is damaged.")


def test_a_record_that_cannot_be_read_is_no_clean_stop(file: Path) -> None:
    file.mkdir()

    assert record(file).read() == LastStop(False, "Its record cannot be read: Is a directory.")


def test_a_start_takes_the_record_of_the_last_stop_away(file: Path) -> None:
    record(file).note_stop("Done.", None)

    record(file).note_start()

    assert json.loads(file.read_text())["state"] == "running"
    assert json.loads(file.read_text())["pid"] == os.getpid()


def test_a_start_that_cannot_be_written_takes_the_record_away_too(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    record(file).note_stop("Done.", None)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.last_stop.write_whole", full)
    StopRecord(file, "this boot", FakeClock(), warn=said.append).note_start()

    assert not file.exists()
    assert "the record of the clean stop cannot be written" in said[0]


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_stop_that_did_not_end_the_machine_is_no_clean_stop(tmp_path: Path, sleeps: bool) -> None:
    machine = Machine(tmp_path, ASwitch())
    machine.step_after(300)

    machine.clock.boot += 86_400 if sleeps else 0
    state = machine.step_after(60)

    assert state is PowerState.ACCEPTING
    assert json.loads((tmp_path / "last-stop.json").read_text())["state"] == "running"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"state": "stopped", "switch": "gcp"}',
        '{"state": "stopped", "switch": "gcp", "boot": "this boot", "boottime": "x", "stopped_at": 1}',
        '{"state":"stopped","switch":"a","boot":"this boot","boottime":9e9,"stopped_at":1,"message":""}',
    ],
)
def test_a_damaged_record_closes_no_gate(file: Path, text: str) -> None:
    file.write_text(text)

    assert record(file).under_way(60) is None
