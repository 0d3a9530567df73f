"""Files that cannot be settled hold up no other, and neither do very many files hold up what is published."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud.folder_mirror import FolderMirror
from core.bus import Bus
from core.errors import QueueFull
from core.jobs import ALL, State
from core.mailbox import AT_ONCE, Mailbox
from core.mirror import Left, MirrorFailed

DOUBLE = {"action": "double", "params": {"number": 21}}

Leave = Callable[..., Path]


def waiting(bus: Bus) -> int:
    return bus.count(ALL)[State.QUEUED]


@pytest.fixture
def stuck(mirror: FolderMirror, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of files that cannot be taken away."""
    names: set[str] = set()
    remove = mirror.remove

    def removed(left: Left) -> None:
        if left.name in names:
            raise MirrorFailed("It may not be removed.")
        remove(left)

    monkeypatch.setattr(mirror, "remove", removed)
    return names


def test_a_file_that_cannot_be_taken_away_comes_after_all_others_and_stays_one_job(
    mailbox: Mailbox, leave: Leave, bus: Bus, stuck: set[str]
) -> None:
    stuck.add("a.json")
    for name in ("a.json", "b.json", "c.json"):
        leave(DOUBLE, name)

    for _ in range(3):
        with pytest.raises(MirrorFailed):
            mailbox.take_in()

    assert waiting(bus) == 3


def test_a_file_that_failed_with_all_others_is_taken_in_when_one_goes_on_failing(
    mailbox: Mailbox, leave: Leave, bus: Bus, stuck: set[str]
) -> None:
    stuck.update(("a.json", "b.json"))
    left = [leave(DOUBLE, name) for name in ("a.json", "b.json")]
    for _ in range(2):
        with pytest.raises(MirrorFailed):
            mailbox.take_in()
    stuck.remove("b.json")

    for _ in range(2):
        with pytest.raises(MirrorFailed):
            mailbox.take_in()

    assert [path.exists() for path in left] == [True, False]
    assert waiting(bus) == 2


def test_a_fault_of_the_bus_at_one_file_holds_up_no_other(
    mirror: FolderMirror, bus: Bus, clock: Any, events: Any, leave: Leave
) -> None:
    def submit(document: Any) -> Any:
        if document["params"]["number"] == 0:
            raise RecursionError("a mistake of ours")
        return bus.submit_document(document)

    leave({"action": "double", "params": {"number": 0}}, "a.json")
    leave(DOUBLE, "b.json")
    mailbox = Mailbox(mirror, submit, clock, events)

    for _ in range(2):
        with pytest.raises(RecursionError):
            mailbox.take_in()

    assert waiting(bus) == 1


def test_a_file_that_can_be_taken_away_again_is_one_as_all_others(
    mailbox: Mailbox, leave: Leave, stuck: set[str]
) -> None:
    stuck.add("a.json")
    left = leave(DOUBLE, "a.json")
    with pytest.raises(MirrorFailed):
        mailbox.take_in()
    stuck.clear()

    mailbox.take_in()
    mailbox.take_in()

    assert not left.exists()
    assert not mailbox._failed


def test_a_file_that_the_bus_may_not_read_is_put_aside_with_the_remedy(
    mailbox: Mailbox, leave: Leave, bus: Bus, mirror_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, other = leave(DOUBLE, "a.json"), leave(DOUBLE, "b.json")
    opened = os.open

    def closed(path: Any, *more: Any, **kind: Any) -> int:
        if path == left:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *more, **kind)

    monkeypatch.setattr(os, "open", closed)

    mailbox.take_in()

    told = json.loads((mirror_folder / "receipts" / "a.json").read_text())
    assert (told["code"], told["message"]) == ("not_readable", "file: may not be read.")
    assert "chmod" in told["hint"]
    assert (mirror_folder / "refused" / "a.json").exists()
    assert not other.exists()
    assert waiting(bus) == 1


def test_files_that_came_when_the_queue_was_full_are_taken_in_before_later_ones(
    mirror: FolderMirror, bus: Bus, clock: Any, events: Any, leave: Leave
) -> None:
    room = 0
    taken: list[int] = []

    def submit(document: Any) -> Any:
        if len(taken) == room:
            raise QueueFull("As many jobs wait as may wait.")
        taken.append(document["params"]["number"])
        return bus.submit_document(document)

    mailbox = Mailbox(mirror, submit, clock, events)
    for number in range(2):
        leave({"action": "double", "params": {"number": number}}, f"{number}.json")
        mailbox.take_in()
    leave({"action": "double", "params": {"number": 2}}, "2.json")
    room = 3

    mailbox.take_in()

    assert taken == [0, 1, 2]


def test_many_files_are_taken_in_so_many_at_a_time(mailbox: Mailbox, leave: Leave, bus: Bus) -> None:
    for number in range(2 * AT_ONCE + 1):
        leave(DOUBLE, f"{number:03}.json")

    rounds = [(mailbox.take_in(), waiting(bus)) for _ in range(3)]

    assert rounds == [(True, AT_ONCE), (True, 2 * AT_ONCE), (False, 2 * AT_ONCE + 1)]


def test_files_that_are_still_being_copied_are_no_reason_to_look_again_at_once(
    mailbox: Mailbox, leave: Leave, clock: Any
) -> None:
    for number in range(AT_ONCE + 1):
        leave(b'{"action": "dou', f"{number:03}.json", at=clock.now() - 5)

    assert mailbox.take_in() is False
