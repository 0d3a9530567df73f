"""The ledger when its files are damaged, in the way, or on a disk that is full: it goes on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.core.machine_of_time import BOOT, MachineOfTime

DAY = 86_400.0


@pytest.fixture
def machine(tmp_path: Path) -> MachineOfTime:
    return MachineOfTime(tmp_path)


def test_a_line_that_was_written_twice_counts_once(machine: MachineOfTime) -> None:
    machine.start()
    machine.pass_time(600)
    kept = (machine.folder / "session.json").read_text()
    machine.start(after=100)
    (machine.folder / "session.json").write_text(kept)  # as a crash right after the line was added leaves it
    machine.start(after=100)

    assert len(machine.lines()) == 2
    assert [one.name for one in machine.ledger.sessions()] == ["boot-1/1", "boot-3/1"]


def test_a_part_that_was_closed_right_before_a_crash_is_not_counted_beside_itself(
    machine: MachineOfTime,
) -> None:
    machine.start()
    machine.pass_time(DAY - BOOT - 60, beat=3_600)
    kept = (machine.folder / "session.json").read_text()
    machine.pass_time(60)
    (machine.folder / "session.json").write_text(kept)

    machine.start_service()

    assert sum(one.seconds for one in machine.ledger.sessions()) == DAY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".*", ""),
        (".*", "{"),
        (".*", "[]"),
        (".*", '{"boot_id": "boot-1"}'),
        (".*", '{"seconds": 1e999}'),
        ('"seconds": 20.0', f'"seconds": {10**400}'),
        ('"slept": 0.0', f'"slept": {10**400}'),
        ("2023-11", "9999-12"),
        ("2023-11", "0001-01"),
    ],
)
def test_a_damaged_session_is_told_of_and_the_next_one_is_kept(
    machine: MachineOfTime, old: str, new: str
) -> None:
    machine.start()
    file = machine.folder / "session.json"
    file.write_text(re.sub(old, new, file.read_text(), flags=re.DOTALL))

    machine.start(after=100)

    assert [one.name for one in machine.ledger.sessions()] == ["boot-2/1"]
    assert "is damaged, so a session is missing from the ledger" in machine.told[0]


def test_damaged_lines_are_told_of_once_and_left_out(machine: MachineOfTime) -> None:
    machine.start()
    machine.start(after=100)
    with (machine.folder / "sessions.jsonl").open("a") as file:
        file.write('{"boot_id": \n{"boot_id": "x"}\n17\n')
        file.write(json.dumps(machine.lines()[0] | {"seconds": 10**400}) + "\n")

    names = [[one.name for one in machine.ledger.sessions()] for _ in range(2)]

    assert names == [["boot-1/1", "boot-2/1"]] * 2
    assert [sentence.partition(" is damaged")[0] for sentence in machine.told] == [
        f"{machine.folder}/sessions.jsonl:{number}" for number in (2, 3, 4, 5)
    ]


def test_a_file_that_cannot_be_written_is_told_of_once_and_tried_again(machine: MachineOfTime) -> None:
    machine.start()
    kept = machine.folder.rename(machine.folder.with_name("elsewhere"))
    machine.folder.write_text("in the way")
    machine.say_stop()
    machine.events.publish("system.reopened", "aafai-bus", {"message": "still on"})
    machine.folder.unlink()
    kept.rename(machine.folder)
    machine.pass_time(60)

    assert len(machine.told) == 1
    assert machine.told[0].startswith("The ledger cannot be kept: ")
    assert str(machine.folder) in machine.told[0]
    assert machine.ledger.sessions()[0].seconds == BOOT + 60


def test_a_session_whose_line_cannot_be_added_at_the_start_is_kept_until_it_can(
    machine: MachineOfTime,
) -> None:
    machine.start()
    machine.pass_time(600)
    lines = machine.folder / "sessions.jsonl"
    lines.mkdir()  # in the way, as a full disk is

    with pytest.raises(OSError, match=r"sessions\.jsonl"):
        machine.start(after=100)
    with pytest.raises(OSError, match=r"sessions\.jsonl"):
        machine.pass_time(300, beat=300)
    kept = json.loads((machine.folder / "session.json").read_text())
    lines.rmdir()
    told = [(one.name, one.clean) for one in machine.ledger.sessions()]
    machine.pass_time(60)

    assert kept["boot_id"] == "boot-1"
    assert told == [("boot-1/1", False), ("boot-2/1", None)]
    assert [(line["boot_id"], line["seconds"]) for line in machine.lines()] == [("boot-1", BOOT + 600)]
    assert machine.ledger.sessions()[1].seconds == BOOT + 360


def test_a_session_that_cannot_be_read_keeps_no_later_one_from_being_kept(machine: MachineOfTime) -> None:
    machine.start()
    (machine.folder / "session.json").unlink()
    (machine.folder / "session.json").mkdir()

    with pytest.raises(OSError, match=r"session\.json"):
        machine.start(after=100)
    (machine.folder / "session.json").rmdir()
    machine.pass_time(60)

    assert "so a session is missing from the ledger" in machine.told[0]
    assert json.loads((machine.folder / "session.json").read_text())["boot_id"] == "boot-2"
