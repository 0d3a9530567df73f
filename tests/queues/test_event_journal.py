"""Events through files: heard by whoever reads, in order, across files, processes, crashes and full disks."""

from __future__ import annotations

import json
import os
import queue
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import InvalidRequest
from core.event_bus import EventBus
from core.event_message import LONGEST, EventMessage, decoded
from queues import event_files, event_outgoing, folder_watch
from queues.event_files import EventFile, EventWriter
from queues.event_files import event_files as files_in
from queues.event_journal import EventJournal
from queues.event_reader import EventReader
from queues.folder_watch import FolderWatch
from tests.fakes import FakeClock
from tests.house.sources import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "events"


@pytest.fixture
def journal(folder: Path) -> Iterator[EventJournal]:
    journal = EventJournal(str(folder))
    yield journal
    journal.close()


class Listener:
    """Somebody who reads, and what he heard."""

    def __init__(self, journal: EventJournal, *, since: str | None = None) -> None:
        self._heard: queue.Queue[EventMessage] = queue.Queue()
        journal.attach(self._heard.put, since=since)

    def hear(self, number: int = 1) -> list[EventMessage]:
        return [self._heard.get(timeout=60) for _ in range(number)]

    def types(self, number: int) -> list[str]:
        return [message.event_type for message in self.hear(number)]


def an_event(number: int = 0, **fields: object) -> EventMessage:
    return EventMessage(event_type=f"test.{number}", source_agent="tester", **fields)  # type: ignore[arg-type]


def text_of(folder: Path) -> str:
    return "".join((folder / file.name).read_text() for file in files_in(str(folder)))


def write(folder: Path, *numbers: int, clock: FakeClock | None = None, kept: int = 1 << 20) -> None:
    """Write events as a process of their own would."""
    writer = EventWriter(str(folder), clock or FakeClock(), kept=kept, days=7)
    for number in numbers:
        line = {"event_type": f"test.{number}", "source_agent": "tester"}
        writer.write([json.dumps(line).encode()])
    writer.close()


def read(folder: Path, *, since: str | None = None) -> list[str]:
    """Return the types of all that can be read, from the beginning unless a cursor is given."""
    oldest = next(iter(files_in(str(folder))), None)
    reader = EventReader(str(folder), since=since or (f"{oldest.name}:0" if oldest else None))
    found = []
    while messages := reader.read():
        found += messages
    reader.close()
    return [message.event_type for message in found]


def test_what_one_bus_tells_another_hears_whole_and_in_order(journal: EventJournal) -> None:
    listener, publisher = EventBus(journal), EventBus(journal)
    listener.subscribe("support-bot", "email.*")

    publisher.publish("email.processed", "email-agent", {"number": 1, "text": "ä\n\u2028"}, "support-bot")
    publisher.publish("other.thing", "email-agent")
    publisher.publish("email.processed", "email-agent", {"number": 2})

    first, second = listener.listen(60), listener.listen(60)
    assert first is not None
    assert second is not None
    assert (first.payload, first.target_agent) == ({"number": 1, "text": "ä\n\u2028"}, "support-bot")
    assert first.timestamp.endswith("+00:00")
    assert second.payload == {"number": 2}
    listener.close()


def test_a_listener_hears_nothing_of_what_was_before_him(folder: Path, journal: EventJournal) -> None:
    write(folder, 1, 2)

    listener = Listener(journal)
    journal.send(an_event(3))

    assert listener.types(1) == ["test.3"]


def test_a_cursor_goes_on_exactly_after_the_message_that_had_it(folder: Path) -> None:
    write(folder, *range(10), kept=800)
    reader = EventReader(str(folder), since=f"{files_in(str(folder))[0].name}:0")
    seen = [message for _ in range(3) for message in reader.read()][:3]
    reader.close()
    write(folder, 10, 11)

    rest = read(folder, since=seen[-1].cursor)

    assert [message.event_type for message in seen] + rest == read(folder)
    assert rest[-2:] == ["test.10", "test.11"]


def test_a_cursor_whose_file_is_no_longer_kept_goes_on_with_the_oldest(folder: Path) -> None:
    write(folder, 1, 2)

    assert read(folder, since="2001-01-01.jsonl:17") == ["test.1", "test.2"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "2026-11-22.jsonl", "2026-11-22.jsonl:-1", "../x.jsonl:3", "a:1"]
)
def test_what_is_no_cursor_is_refused(journal: EventJournal, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="is no cursor of the journal"):
        journal.attach(lambda message: None, since=cursor)


def test_each_day_has_its_file_and_yesterdays_is_closed(folder: Path) -> None:
    clock = FakeClock()
    write(folder, 1, clock=clock)
    clock.advance(86_400)

    write(folder, 2, 3, clock=clock)

    first, second = files_in(str(folder))
    assert (first.name, second.name) == ("2023-11-14.jsonl", "2023-11-15.jsonl")
    assert [stat.S_IMODE((folder / file.name).stat().st_mode) for file in (first, second)] == [0o440, 0o640]
    assert read(folder) == ["test.1", "test.2", "test.3"]


def test_a_clock_that_goes_back_does_not_lead_back_to_an_older_file(folder: Path) -> None:
    clock = FakeClock()
    write(folder, 1, clock=clock)
    clock.jump(-86_400)

    write(folder, 2, clock=clock)
    write(folder, 3, clock=clock, kept=800)  # The file is too full by that, so another one is begun.

    assert [file.name for file in files_in(str(folder))] == ["2023-11-14.jsonl", "2023-11-14.1.jsonl"]
    assert read(folder) == ["test.1", "test.2", "test.3"]


def test_a_full_file_is_followed_by_another_and_all_of_them_stay_within_bounds(folder: Path) -> None:
    kept = 8_000

    write(folder, *range(1_000), kept=kept)

    files = files_in(str(folder))
    assert sum((folder / file.name).stat().st_size for file in files) <= kept
    assert len(files) > 4
    types = read(folder)
    assert types == [f"test.{number}" for number in range(1_000 - len(types), 1_000)]
    assert [file.number for file in files] == list(range(files[0].number, files[-1].number + 1))


def test_files_older_than_the_days_that_are_kept_are_removed(folder: Path) -> None:
    clock = FakeClock()
    for day in range(10):
        write(folder, day, clock=clock)
        clock.advance(86_400)

    write(folder, 10, clock=clock)

    assert read(folder) == [f"test.{day}" for day in range(3, 11)]


def test_a_follower_goes_on_from_file_to_file_while_they_are_written(folder: Path) -> None:
    journal = EventJournal(str(folder), kept=200_000)
    listener = Listener(journal)

    types = []
    for begin in range(0, 1_500, 100):
        for number in range(begin, begin + 100):
            journal.send(an_event(number, payload={"text": "x" * 200}))
        types += listener.types(100)
    journal.close()

    assert types == [f"test.{number}" for number in range(1_500)]
    assert files_in(str(folder))[-1].number > 5


def test_a_reader_outlives_the_removal_of_the_file_that_he_reads(folder: Path) -> None:
    write(folder, 1, 2)
    reader = EventReader(str(folder), since=f"{files_in(str(folder))[0].name}:0")
    first = reader.read()
    for file in files_in(str(folder)):
        (folder / file.name).unlink()
    write(folder, 3, clock=_tomorrow())

    later = reader.read()
    reader.close()

    assert [message.event_type for message in (*first, *later)] == ["test.1", "test.2", "test.3"]


def test_a_reader_goes_on_with_the_file_that_takes_the_place_of_his_own(folder: Path) -> None:
    write(folder, 1, 2)
    (file,) = files_in(str(folder))
    reader = EventReader(str(folder), since=f"{file.name}:0")
    first = reader.read()
    shutil.rmtree(folder)
    write(folder, 3)

    later = reader.read()
    reader.close()

    assert [message.event_type for message in (*first, *later)] == ["test.1", "test.2", "test.3"]


def test_a_cursor_of_another_journal_goes_on_at_the_beginning_of_the_file(folder: Path) -> None:
    write(folder, 1, 2)
    (file,) = files_in(str(folder))

    assert read(folder, since=f"{file.name}:100000") == ["test.1", "test.2"]


def _tomorrow() -> FakeClock:
    clock = FakeClock()
    clock.advance(86_400)
    return clock


@pytest.mark.parametrize("torn", ['{"event_type": "half', "\x00" * 5_000, "x" * 300_000])
def test_a_torn_line_costs_itself_and_no_other(folder: Path, torn: str) -> None:
    write(folder, 1)
    (file,) = files_in(str(folder))
    with (folder / file.name).open("a") as text:
        text.write(torn)

    write(folder, 2, kept=8 << 20)

    assert read(folder) == ["test.1", "test.2"]


def test_half_a_line_is_waited_for(folder: Path) -> None:
    write(folder, 1)
    (file,) = files_in(str(folder))
    reader = EventReader(str(folder), since=f"{file.name}:0")
    assert len(reader.read()) == 1
    line = b'{"event_type":"by.hand","source_agent":"somebody"}\n'
    with (folder / file.name).open("ab", buffering=0) as text:
        text.write(line[:20])
        assert reader.read() == []
        text.write(line[20:])

    (message,) = reader.read()
    reader.close()

    assert message.event_type == "by.hand"


@pytest.mark.parametrize(
    "line",
    [
        *("", "7", "[]", '"text"', "{}", "nonsense", "[" * 100_000),
        *('{"event_type": 1, "source_agent": "x"}', '{"event_type": "a.b", "source_agent": null}'),
        '{"event_type": "a.b", "source_agent": "x", "payload": []}',
        '{"event_type": "a.b", "source_agent": "x", "target_agent": 3}',
        '{"event_type": "a.b", "source_agent": "x", "payload": {"number": NaN}}',
    ],
)
def test_a_line_that_is_no_event_is_passed_over(line: str) -> None:
    assert decoded(line.encode()) is None


@pytest.mark.parametrize("payload", [{"x": object()}, {"x": float("nan")}, {"x": "y" * LONGEST}])
def test_a_payload_that_cannot_be_carried_is_refused_to_who_publishes_it(
    journal: EventJournal, payload: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest, match="payload"):
        EventBus(journal).publish("test.bad", "tester", payload)


def test_a_full_disk_stops_no_publisher_and_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_outgoing, "_RETRY", 0.01)
    said: queue.Queue[str] = queue.Queue()
    journal = EventJournal(str(folder), complain=said.put)
    full, refused = [True], []
    really_write = os.write

    def fill(fd: int, text: bytes) -> int:
        if full[0] and b"test." in text:
            refused.append(text)
            return really_write(fd, text[:10])  # As the kernel does: what still fits, then the error.
        return really_write(fd, text)

    monkeypatch.setattr(event_files.os, "write", fill)
    listener = Listener(journal)

    for number in range(100):
        journal.send(an_event(number))
    first = said.get(timeout=60)
    while len(refused) < 4:
        journal.send(an_event(101))
        threading.Event().wait(0.001)  # What is sent meanwhile has to be written afterwards.
    full[0] = False
    journal.send(an_event(500))
    second = said.get(timeout=60)

    assert "No space left on device" in first
    assert "told to others again" in second
    while listener.types(1) != ["test.500"]:
        pass
    journal.close()
    assert said.empty()


def test_several_processes_append_and_no_line_is_lost_or_mixed(folder: Path) -> None:
    program = (
        "import sys\n"
        "from queues.event_journal import EventJournal\n"
        "from core.event_message import EventMessage\n"
        "journal = EventJournal(sys.argv[1], kept=400_000)\n"
        "for n in range(400):\n"
        "    journal.send(EventMessage(event_type=f'{sys.argv[2]}.{n}', source_agent='x' * 100))\n"
        "journal.close()"
    )

    started = [
        subprocess.Popen([sys.executable, "-c", program, str(folder), name], cwd=ROOT) for name in "abc"
    ]

    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    types = read(folder)
    assert len(text_of(folder).splitlines()) == len(types) == 1_200
    for name in "abc":
        own = [event_type for event_type in types if event_type.startswith(name)]
        assert own == [f"{name}.{number}" for number in range(400)]


def test_a_program_that_just_says_event_bus_is_heard_though_it_ends_at_once(tmp_path: Path) -> None:
    program = "from core import EventBus; EventBus().publish('mail.done', 'mail-agent', {'batch_size': 10})"
    environment = {**os.environ, "QUEUE_BASE_PATH": str(tmp_path / "queues")}

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=60)

    assert read(tmp_path / "queues" / "events") == ["mail.done"]


def test_a_forked_child_tells_its_own_events_and_not_its_parents(folder: Path) -> None:
    program = (
        "import os, sys\n"
        "from queues.event_journal import EventJournal\n"
        "from core.event_message import EventMessage\n"
        "journal = EventJournal(sys.argv[1])\n"
        "for n in range(2_000): journal.send(EventMessage(event_type='of.parent', source_agent='x'))\n"
        "if os.fork() == 0:\n"
        "    journal.send(EventMessage(event_type='of.child', source_agent='x'))\n"
        "    journal.close()\n"
        "    os._exit(0)\n"
        "os.wait(); journal.close()"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, str(folder)]

    subprocess.run(command, cwd=ROOT, check=True, timeout=60)

    assert sorted(read(folder)) == ["of.child"] + 2_000 * ["of.parent"]


def test_a_journal_that_was_closed_begins_anew(folder: Path) -> None:
    journal = EventJournal(str(folder))
    journal.send(an_event(1))
    journal.close()

    journal.send(an_event(2))
    journal.close()

    assert read(folder) == ["test.1", "test.2"]


def test_who_detaches_hears_no_more_and_others_do(journal: EventJournal) -> None:
    leaving: queue.Queue[EventMessage] = queue.Queue()
    journal.attach(leaving.put)
    staying = Listener(journal)
    journal.detach(leaving.put)

    journal.send(an_event(1))

    assert staying.types(1) == ["test.1"]
    assert leaving.empty()


def test_more_events_than_can_wait_are_lost_counted_and_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_outgoing, "_MOST", 10)
    said: list[str] = []
    outgoing = event_outgoing.Outgoing(lambda lines: None, name="test", complain=said.append)
    monkeypatch.setattr(outgoing, "_awake", True)  # As if its thread were busy.

    for _ in range(25):
        outgoing.send(b"{}")
    told = list(said)
    outgoing._write_all(outgoing._lines)
    told_in_between = list(said)
    outgoing.send(b"{}")
    outgoing._write_all(outgoing._lines)

    assert outgoing.lost == 15
    assert told == ["Events cannot be told to others, jobs can be run: more than 10 wait to be written."]
    assert told_in_between == told
    assert said[1:] == ["Events are told to others again; 15 were lost meanwhile."]


def test_a_watch_ends_when_something_is_written_or_it_is_rung(tmp_path: Path) -> None:
    watch = FolderWatch(str(tmp_path))
    (tmp_path / "file").touch()
    watch.wait(60)
    watch.ring()
    watch.wait(60)

    watch.close()
    watch.ring()  # Who comes too late does no harm.


def test_a_watch_does_not_sleep_through_what_came_before_it_could_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "later"
    watch = FolderWatch(str(folder))
    folder.mkdir()
    (folder / "file").touch()
    slept: list[float] = []
    monkeypatch.setattr(watch, "_poll", SimpleNamespace(poll=slept.append))

    watch.wait(30)
    watch.close()

    assert not slept


def test_without_inotify_the_folder_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoMore:
        def inotify_init1(self, flags: int) -> int:
            return -1

    monkeypatch.setattr(folder_watch, "_libc", NoMore())
    journal = EventJournal(str(folder))
    listener = Listener(journal)

    journal.send(an_event(1))

    assert listener.types(1) == ["test.1"]
    journal.close()


def test_names_sort_in_the_order_in_which_files_are_written() -> None:
    files = [
        EventFile("2026-11-22", 10),
        EventFile("2026-11-23"),
        EventFile("2026-11-22"),
        EventFile("2026-11-22", 2),
    ]

    assert [file.name for file in sorted(files)] == [
        "2026-11-22.jsonl",
        "2026-11-22.2.jsonl",
        "2026-11-22.10.jsonl",
        "2026-11-23.jsonl",
    ]
