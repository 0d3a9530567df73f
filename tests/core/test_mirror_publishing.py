"""How jobs ended can be read in the mirror, each as a whole, whatever dies in between."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from api.aafai_views import full_view
from cloud.folder_mirror import FolderMirror
from core.bus import Bus
from core.clock import SystemClock
from core.event_bus import EventBus, LocalTransport
from core.jobs import Job, JobError
from core.mailbox import Mailbox
from core.mirror import MirrorFailed
from core.publisher import Publisher
from core.publishers import Publishers
from core.submission import Submission

LINGER = 900.0


class Mirror(FolderMirror):
    """A folder that fails as it is told, and remembers in which order it was written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.written: list[str] = []
        self.fails: Callable[[str], bool] = lambda path: False

    def put(self, path: str, source: BinaryIO, *, size: int, content_type: str) -> None:
        if self.fails(path):
            raise MirrorFailed("The bucket is on fire.")
        super().put(path, source, size=size, content_type=content_type)
        self.written.append(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


@pytest.fixture
def mirror(folder: Path) -> Mirror:
    return Mirror(folder)


@pytest.fixture
def queues(tmp_path: Path) -> Path:
    queues = tmp_path / "queues"
    queues.mkdir()
    return queues


@pytest.fixture
def make(queues, mirror, engine, events, clock):  # type: ignore[no-untyped-def]
    """Make a publisher as a process of its own would, of the same jobs and the same mirror."""

    def make(*, place: str = "folder:/mirror", hears: EventBus = events) -> Publisher:
        publisher = Publisher(
            mirror=mirror,
            engine=engine,
            events=hears,
            clock=clock,
            publishers=Publishers(queues / "mirror", place),
            downloads=queues.parent / "downloads",
            linger=LINGER,
        )
        publisher.publishers.join()
        return publisher

    return make


@pytest.fixture
def publisher(make: Callable[..., Publisher]) -> Publisher:
    """One that has looked around before, as a minute after a start."""
    publisher = make()
    publisher.round()
    return publisher


def read(folder: Path, kind: str, job: Job) -> Any:
    return json.loads((folder / kind / f"{job.id}.json").read_text())


def statuses(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "statuses").glob("*.json")}


def test_a_result_is_what_the_bus_answers_a_poll_with(
    ended: Callable[..., Job], publisher: Publisher, folder: Path
) -> None:
    good, bad = ended(), ended(error=JobError(code="action_error", message="It broke."))

    publisher.round()

    assert read(folder, "results", good) == full_view(good)
    assert read(folder, "results", bad) == full_view(bad)
    assert read(folder, "results", good) == {"job_id": good.id, "status": "complete", "result": 42}
    assert publisher.pending() == ()


def test_a_status_tells_how_it_went_and_what_there_is_to_read(
    ended: Callable[..., Job], publisher: Publisher, folder: Path, tmp_path: Path
) -> None:
    job = ended(batch="monday")
    made = tmp_path / "downloads" / job.id / "pages"
    made.mkdir(parents=True)
    (made / "one.txt").write_text("one")

    publisher.round()

    status = read(folder, "statuses", job)
    (file,) = status["files"]
    assert (status["status"], status["state"], status["batch"]) == ("complete", "succeeded", "monday")
    assert "params" not in status
    assert "result" not in status
    assert file == {
        "name": "pages/one.txt",
        "size": 3,
        "content_type": "text/plain",
        "path": f"files/{job.id}/pages/one.txt",
    }
    assert (folder / file["path"]).read_text() == "one"
    assert json.loads((folder / status["result_path"]).read_text())["result"] == 42


def test_the_status_is_written_last(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, tmp_path: Path
) -> None:
    job = ended()
    (tmp_path / "downloads" / job.id).mkdir(parents=True)
    (tmp_path / "downloads" / job.id / "page.pdf").write_bytes(b"%PDF")

    publisher.round()

    assert [path.partition("/")[0] for path in mirror.written] == ["files", "results", "statuses"]


def test_links_and_pipes_among_the_files_of_a_job_are_left_out(
    ended: Callable[..., Job], publisher: Publisher, folder: Path, tmp_path: Path
) -> None:
    job = ended()
    made = tmp_path / "downloads" / job.id
    made.mkdir(parents=True)
    (made / "link").symlink_to("/etc/passwd")
    os.mkfifo(made / "pipe")

    publisher.round()

    assert read(folder, "statuses", job)["files"] == []
    assert not (folder / "files").exists()


def test_a_file_that_is_too_large_is_named_and_not_published(
    ended: Callable[..., Job],
    publisher: Publisher,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.mirror_views.LARGEST_FILE", 3)
    job = ended()
    (tmp_path / "downloads" / job.id).mkdir(parents=True)
    (tmp_path / "downloads" / job.id / "film.mp4").write_bytes(b"long")

    publisher.round()

    (file,) = read(folder, "statuses", job)["files"]
    assert (file["name"], file["size"], file["path"]) == ("film.mp4", 4, None)


@pytest.mark.parametrize("name", ["a\rb.txt", f"{'n' * 200}/{'ä' * 120}/{'n' * 100}.txt"])
def test_a_file_whose_name_not_every_mirror_takes_is_named_and_not_published(
    ended: Callable[..., Job], publisher: Publisher, folder: Path, tmp_path: Path, name: str
) -> None:
    job = ended()
    path = tmp_path / "downloads" / job.id / name
    path.parent.mkdir(parents=True)
    path.write_text("one")

    publisher.round()

    (file,) = read(folder, "statuses", job)["files"]
    assert (file["name"], file["path"]) == (name, None)
    assert not (folder / "files").exists()


def test_a_cancelled_job_is_published_too(bus: Bus, publisher: Publisher, folder: Path) -> None:
    job = bus.cancel(bus.submit(Submission(action="double", params={"number": 1})).id)

    publisher.round()

    assert read(folder, "results", job)["status"] == "cancelled"


def test_what_cannot_be_written_waits_keeps_the_machine_on_for_a_while_and_is_told_once(
    ended: Callable[..., Job],
    publisher: Publisher,
    mirror: Mirror,
    clock: Any,
    events: EventBus,
) -> None:
    told: list[Any] = []
    events.subscribe("test", "system.mirror_failed", told.append)
    mirror.fails = lambda path: True
    job = ended()

    for _ in range(5):
        clock.advance(publisher.round())

    assert publisher.pending() == (pytest.approx(1_000.0 + LINGER, abs=1),)
    assert [message.payload["message"] for message in told] == ["The bucket is on fire."]
    mirror.fails = lambda path: False
    clock.advance(60)
    publisher.round()
    assert statuses(mirror._folder) == {job.id}
    assert publisher.pending() == ()


def test_a_mirror_that_fails_is_left_alone_longer_and_longer(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, clock: Any
) -> None:
    mirror.fails = lambda path: True
    ended()
    rests = []

    for _ in range(8):
        rests.append(publisher.round())
        clock.advance(rests[-1])

    assert rests == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_mirror_that_rests_is_not_asked_for_what_ends_meanwhile(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, folder: Path, clock: Any
) -> None:
    mirror.fails = lambda path: True
    ended()
    rest = publisher.round()
    mirror.fails = lambda path: False
    ended()
    clock.advance(rest - 0.5)

    left = publisher.round()

    assert left == pytest.approx(0.5)
    assert statuses(folder) == set()


def test_a_job_that_cannot_be_published_holds_up_no_other(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, folder: Path, clock: Any
) -> None:
    bad, good = ended(), ended()
    mirror.fails = lambda path: bad.id in path

    for _ in range(3):
        clock.advance(publisher.round())

    assert statuses(folder) == {good.id}


def test_many_jobs_that_cannot_be_published_hold_up_no_later_one(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, folder: Path, clock: Any
) -> None:
    bad = {ended().id for _ in range(10)}
    mirror.fails = lambda path: any(job_id in path for job_id in bad)
    for _ in bad:
        clock.advance(publisher.round())
    good = ended()

    clock.advance(publisher.round())

    assert statuses(folder) == {good.id}
    bad.clear()
    publisher.round()
    assert publisher.pending() == ()


def test_a_job_that_cannot_be_published_keeps_no_mail_from_being_taken_in(
    ended: Callable[..., Job], publisher: Publisher, mirror: Mirror, bus: Bus, clock: Any
) -> None:
    publisher.mailbox = Mailbox(mirror, bus.submit_document, clock, publisher.events)
    publisher._next_mail = clock.monotonic()
    left = mirror._folder / "inbox" / "mine.json"
    left.parent.mkdir()
    left.write_text('{"action": "double", "params": {"number": 1}}')
    mirror.fails = lambda path: path.startswith("results/")
    ended()

    publisher.round()

    assert not left.exists()


def test_between_many_files_of_mail_what_has_ended_is_published(
    ended: Callable[..., Job], publisher: Publisher, folder: Path
) -> None:
    published: list[set[str]] = []

    class Mail:
        def take_in(self) -> bool:
            published.append(statuses(folder))
            ended()
            return len(published) < 3

    publisher.mailbox = Mail()  # type: ignore[assignment]
    publisher._next_mail = 0.0

    rests = [publisher.round() for _ in range(3)]

    assert [len(names) for names in published] == [0, 1, 2]
    assert rests == [0, 0, publisher.mirror.interval]


def test_a_job_that_was_purged_meanwhile_is_nothing_to_publish(
    ended: Callable[..., Job], publisher: Publisher, engine: Any, clock: Any
) -> None:
    ended()
    engine.purge(clock.now() + 1)

    publisher.round()

    assert publisher.pending() == ()


def test_what_a_process_that_died_has_not_published_the_next_one_does(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, folder: Path
) -> None:
    first = make(hears=EventBus(LocalTransport()))
    first.round()
    job = ended(tell=False)
    _die(first)

    make().round()

    assert statuses(folder) == {job.id}


def test_what_died_between_result_and_status_is_published_again(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, folder: Path
) -> None:
    first = make()
    mirror.fails = lambda path: path.startswith("statuses/")
    job = ended()
    first.round()
    _die(first)
    mirror.fails = lambda path: False

    make().round()

    assert read(folder, "statuses", job)["status"] == "complete"


def test_a_running_process_finds_within_a_minute_what_one_beside_it_has_left(
    ended: Callable[..., Job], make: Callable[..., Publisher], publisher: Publisher, folder: Path, clock: Any
) -> None:
    beside = make(hears=EventBus(LocalTransport()))
    job = ended(tell=False)
    publisher.round()
    assert statuses(folder) == set()
    _die(beside)

    clock.advance(60)
    publisher.round()

    assert statuses(folder) == {job.id}


def test_after_a_clean_stop_nothing_is_looked_through(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, engine: Any, queues: Path
) -> None:
    first = make()
    ended()
    first.round()
    first.stop()
    left = [path.name for path in (queues / "mirror").iterdir()]
    asked: list[str] = []

    def names(folder: str) -> list[str]:
        asked.append(folder)
        return []

    mirror.names = names  # type: ignore[method-assign]

    make().round()

    assert left == ["place"]
    assert asked == []


def test_a_stop_with_something_left_is_like_a_death(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, folder: Path
) -> None:
    first = make()
    mirror.fails = lambda path: True
    job = ended()
    first.round()
    first.stop()
    mirror.fails = lambda path: False

    make().round()

    assert statuses(folder) == {job.id}


def test_a_new_mirror_is_given_all_that_there_is(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, tmp_path: Path
) -> None:
    first = make()
    job = ended()
    first.round()
    first.stop()
    other = tmp_path / "other"
    other.mkdir()
    mirror._folder = other

    make(place="folder:/other").round()

    assert statuses(other) == {job.id}


def test_a_program_that_does_not_publish_leaves_its_cancellation_to_one_that_does(
    bus: Bus, make: Callable[..., Publisher], folder: Path, queues: Path
) -> None:
    server = make(hears=EventBus(LocalTransport()))
    server.round()
    server.stop()
    beside = make()
    beside.publishers.leave(done=True)
    job = bus.cancel(bus.submit(Submission(action="double", params={"number": 1})).id)
    marked = len(beside.publishers.left_behind()), len(list((queues / "mirror").glob("*-*")))
    _die(beside)

    make(hears=EventBus(LocalTransport())).round()

    assert marked == (0, 1), "it lives, and is known"
    assert statuses(folder) == {job.id}


def test_a_missing_folder_is_not_made_and_named_with_the_remedy(
    ended: Callable[..., Job], publisher: Publisher, folder: Path, events: EventBus, mirror: Mirror
) -> None:
    told: list[Any] = []
    events.subscribe("test", "system.mirror_failed", told.append)
    folder.rename(folder.with_name("elsewhere"))
    ended()

    publisher.round()

    assert not folder.exists()
    assert "there is no such folder" in told[0].payload["message"]
    assert "mount" in (mirror.check() or "")


def test_a_worker_slot_never_waits_for_the_mirror(
    ended: Callable[..., Job], make: Callable[..., Publisher], mirror: Mirror, folder: Path
) -> None:
    publisher = make()
    publisher.clock = SystemClock()
    held, goes_on = threading.Event(), threading.Event()

    def hang(path: str) -> bool:
        held.set()
        return not goes_on.wait(30)

    mirror.fails = hang
    publisher.start()
    job = ended()
    assert held.wait(30)

    ended()  # In the thread of this test, as in that of a slot.

    goes_on.set()
    publisher.stop()
    publisher._thread.join(60)
    assert job.id in statuses(folder)


def _die(publisher: Publisher) -> None:
    """Let go of the mark without taking it away, as the kernel does at a kill -9."""
    publisher.publishers.leave(done=False)
