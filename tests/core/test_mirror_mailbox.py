"""Each job file in the mailbox becomes one job, or lies in refused/ with the reason in its receipt."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud.folder_mirror import FolderMirror
from core.bus import Bus
from core.errors import QueueFull
from core.event_bus import EventBus
from core.jobs import ALL, State
from core.mailbox import LARGEST, Mailbox
from core.mirror import MirrorFailed
from core.submission import Submission

DOUBLE = {"action": "double", "params": {"number": 21}}


@pytest.fixture
def heard(events: EventBus) -> list[Any]:
    """What was told of the mailbox so far, by type and name."""
    messages: list[Any] = []
    events.subscribe("test", "system.mail_*", messages.append)
    return messages


def receipt(folder: Path, name: str = "mine.json") -> Any:
    return json.loads((folder / "receipts" / name).read_text())


def waiting(bus: Bus) -> int:
    return bus.count(ALL)[State.QUEUED]


def test_a_file_becomes_a_job_and_its_receipt_names_it(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, mirror_folder: Path
) -> None:
    left = leave({**DOUBLE, "priority": 7, "batch": "monday"})

    mailbox.take_in()

    told = receipt(mirror_folder)
    job = bus.get(told["job_id"])
    assert (told["status"], told["name"]) == ("received", "mine.json")
    assert (job.params, job.priority, job.batch) == ({"number": 21}, 7, "monday")
    assert not left.exists()


def test_a_file_that_could_not_be_taken_away_is_one_job_all_the_same(
    mailbox: Mailbox,
    leave: Callable[..., Path],
    bus: Bus,
    mirror: FolderMirror,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(_: object) -> None:
        raise MirrorFailed("It died.")

    leave(DOUBLE)
    with monkeypatch.context() as patch:
        patch.setattr(mirror, "remove", crash)
        with pytest.raises(MirrorFailed):
            mailbox.take_in()

    mailbox.take_in()

    assert waiting(bus) == 1


def test_a_receipt_that_could_not_be_written_costs_no_second_job(
    mailbox: Mailbox,
    leave: Callable[..., Path],
    bus: Bus,
    mirror: FolderMirror,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise MirrorFailed("It died.")

    left = leave(DOUBLE)
    with monkeypatch.context() as patch:
        patch.setattr(mirror, "put", crash)
        with pytest.raises(MirrorFailed):
            mailbox.take_in()
    still_there = left.exists()

    mailbox.take_in()

    assert still_there
    assert waiting(bus) == 1


def test_the_same_content_under_another_name_is_another_job(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus
) -> None:
    leave(DOUBLE, "one.json")
    leave(DOUBLE, "two.json")

    mailbox.take_in()

    assert waiting(bus) == 2


def test_who_left_a_file_and_submits_after_all_has_one_job(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, mirror_folder: Path
) -> None:
    submission = Submission(action="double", params={"number": 21}, idempotency_key="row-17")
    leave({**DOUBLE, "idempotency_key": "row-17"})
    mailbox.take_in()

    job = bus.submit(submission)

    assert job.id == receipt(mirror_folder)["job_id"]
    assert waiting(bus) == 1


def test_no_file_can_take_a_key_of_the_bus_itself(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, mirror_folder: Path
) -> None:
    leave({**DOUBLE, "idempotency_key": "schedule/nightly/1700000000"})

    mailbox.take_in()

    assert bus.get(receipt(mirror_folder)["job_id"]).idempotency_key == "//schedule/nightly/1700000000"


@pytest.mark.parametrize(
    "case",
    [
        (b"", "it is empty"),
        (b'{"action": "dou', "The text is not JSON"),
        (b'{"action": "double"} trailing', "The text is not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"action": "double", "params": {"number": NaN}}', "NaN is not JSON"),
        (b'{"action": "double", "action": "slow"}', "stands twice"),
        (b"[" * 3000, "deeper than 100"),
        (b'["double"]', "must be a JSON object"),
        (b"{}", "action: is missing"),
        ({"action": "doubel"}, "There is no action named 'doubel'"),
        ({"action": "broken"}, "could not be loaded"),
        ({"action": "../../etc/passwd"}, "action: must match"),
        ({**DOUBLE, "colour": "red"}, "colour: is not a field"),
        ({"action": "double", "params": {"number": "many"}}, "number"),
        ({"action": "double", "params": {}}, "number"),
        ({**DOUBLE, "idempotency_key": 7}, "idempotency_key: must be"),
        ({**DOUBLE, "idempotency_key": "/" * 254}, "idempotency_key: must be"),
        ({**DOUBLE, "priority": 12}, "priority: must be from 0 to 9"),
        ({**DOUBLE, "run_after": "the 32nd"}, "run_after"),
        (b" " * (LARGEST + 1), f"{LARGEST:,} is the limit"),
    ],
    ids=range(20),
)
def test_what_is_no_job_is_put_aside_with_the_reason(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, heard: list[Any], case: tuple[object, str]
) -> None:
    content, said = case
    left = leave(content)
    mirror_folder, before = left.parents[1], left.read_bytes()

    mailbox.take_in()

    told = receipt(mirror_folder)
    assert (told["status"], told["name"]) == ("error", "mine.json")
    assert said in told["message"]
    assert told["code"]
    assert not left.exists()
    assert (mirror_folder / "refused" / "mine.json").read_bytes() == before
    assert [(message.event_type, message.payload["name"]) for message in heard] == [
        ("system.mail_refused", "mine.json")
    ]
    assert waiting(bus) == 0


def test_one_bad_file_keeps_no_good_one_from_becoming_a_job(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus
) -> None:
    leave(b"{", "a.json")
    leave(DOUBLE, "b.json")

    mailbox.take_in()

    assert waiting(bus) == 1


def a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize("make", [a_link, a_pipe, a_socket])
def test_what_is_no_file_is_put_aside_unopened(
    mailbox: Mailbox, mirror_folder: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mirror_folder / "inbox")  # The name of a socket must be short.
    make(Path("odd.json"))

    mailbox.take_in()

    assert "not a regular file" in receipt(mirror_folder, "odd.json")["message"]
    assert os.path.lexists(mirror_folder / "refused" / "odd.json")
    assert not os.path.lexists(mirror_folder / "inbox" / "odd.json")


@pytest.mark.parametrize("name", [".hidden.json", "note.txt", "mine.json.part", "mine.json~"])
def test_what_does_not_look_like_a_job_file_is_left_alone(
    mailbox: Mailbox, leave: Callable[..., Path], mirror_folder: Path, name: str
) -> None:
    left = leave(b"{", name)
    (mirror_folder / "inbox" / "folder.json").mkdir()

    mailbox.take_in()

    assert left.exists()
    assert not (mirror_folder / "receipts").exists()


@pytest.mark.parametrize(
    "name", ["<img onerror=alert(1)>.json", "two\nlines.json", "\x1b[2J.json", "é" * 100 + ".json"]
)
def test_odd_names_are_names(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, heard: list[Any], name: str
) -> None:
    left = leave(DOUBLE, name)

    mailbox.take_in()

    assert receipt(left.parents[1], name)["name"] == name
    assert heard[0].payload["name"].isprintable()
    assert waiting(bus) == 1


def test_a_name_that_is_no_text_is_a_name_too(mailbox: Mailbox, mirror_folder: Path, bus: Bus) -> None:
    name = os.fsdecode(b"caf\xe9.json")
    (mirror_folder / "inbox" / name).write_text(json.dumps(DOUBLE))

    mailbox.take_in()

    assert receipt(mirror_folder, name)["name"] == "caf�.json"
    assert waiting(bus) == 1


def test_a_file_that_is_being_copied_is_given_time(
    mailbox: Mailbox, leave: Callable[..., Path], mirror_folder: Path, bus: Bus, clock: Any
) -> None:
    left = leave(b'{"action": "dou', at=clock.now())
    mailbox.take_in()
    clock.advance(9)
    mailbox.take_in()
    still_there = left.exists()

    leave(DOUBLE, at=clock.now())
    mailbox.take_in()
    not_yet = waiting(bus)
    clock.advance(1)
    mailbox.take_in()

    assert still_there
    assert not_yet == 0
    assert waiting(bus) == 1


def test_a_file_that_is_never_finished_is_put_aside(
    mailbox: Mailbox, leave: Callable[..., Path], mirror_folder: Path, clock: Any
) -> None:
    leave(b'{"action": "dou', at=clock.now())

    clock.advance(10)
    mailbox.take_in()

    assert receipt(mirror_folder)["code"] == "bad_json"


@pytest.mark.parametrize("ahead", [-86_400 * 3650, 86_400])
def test_a_clock_that_is_wrong_keeps_no_file_waiting(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus, clock: Any, ahead: float
) -> None:
    leave(DOUBLE, at=clock.now() + ahead)

    mailbox.take_in()

    assert waiting(bus) == 1


def test_when_jobs_cannot_be_stored_the_files_stay(
    mailbox: Mailbox,
    leave: Callable[..., Path],
    mirror_folder: Path,
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: object) -> None:
        raise QueueFull("As many jobs wait as may wait.")

    left = leave(DOUBLE)
    with monkeypatch.context() as patch:
        patch.setattr(bus.engine, "add", full)
        mailbox.take_in()
    still_there = left.exists(), (mirror_folder / "receipts").exists()

    mailbox.take_in()

    assert still_there == (True, False)
    assert waiting(bus) == 1


def test_files_stay_while_the_machine_switches_off(
    mailbox: Mailbox, leave: Callable[..., Path], bus: Bus
) -> None:
    left = leave(DOUBLE)
    bus.gate.shut()

    mailbox.take_in()

    assert left.exists()
    assert waiting(bus) == 0


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    mailbox: Mailbox,
    leave: Callable[..., Path],
    bus: Bus,
    mirror: FolderMirror,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror_folder = leave(DOUBLE).parents[1]
    read = mirror.get

    def replaced(left: Any) -> bytes | None:
        content = read(left)
        leave({"action": "double", "params": {"number": 22}})
        return content

    with monkeypatch.context() as patch:
        patch.setattr(mirror, "get", replaced)
        mailbox.take_in()
    first = receipt(mirror_folder)["job_id"]

    mailbox.take_in()

    assert bus.get(first).params == {"number": 21}
    assert bus.get(receipt(mirror_folder)["job_id"]).params == {"number": 22}
    assert waiting(bus) == 2
