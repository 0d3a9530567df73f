"""Stores of schedules: what each must do, and what files survive: crashes, faults, neighbours, people."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import DiskFull, EngineUnavailable
from core.schedule_store import MemorySchedules
from core.scheduler_models import CatchUp, Schedule, advanced, registered
from queues.file.disk import Disk
from queues.schedules import FileSchedules
from tests.core.agenda import a_task
from tests.factories import NOW
from tests.fakes import FakeClock
from tests.house.sources import ROOT
from tests.queues.disks import FaultyDisk, QuickDisk

ID = "tester:double"


def a_schedule(**fields: object) -> Schedule:
    return registered(None, a_task(**fields), now=NOW)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "schedules"


@pytest.fixture(params=["memory", "file"])
def store(request, folder):
    return MemorySchedules() if request.param == "memory" else FileSchedules(str(folder), QuickDisk())


def test_what_is_stored_is_found(store):
    stored = store.change(ID, lambda old: a_schedule())

    assert stored == a_schedule()
    assert store.get(ID) == stored
    assert store.all().schedules == (stored,)


def test_every_field_is_kept(store):
    schedule = replace(
        a_schedule(
            task_type="cron",
            schedule="0 9 * * 1-5",
            description="grüß 🚌\n",
            enabled=False,
            function_path="app.x:y",
            args=(1, None, [True, {"a": 0.5}]),
            kwargs={"b": "c"},
            action="",
            params={},
            timezone="Europe/Berlin",
            catch_up=CatchUp.ALL,
            catch_up_window=7_200.0,
            priority=9,
            timeout=60.0,
            max_attempts=2,
            owner="alice",
            source="/etc/tasks.yaml",
        ),
        dealt_with=NOW + 5,
        last_due=int(NOW),
        last_job="01935b7e-6c00-7aaa-8bbb-0123456789ab",
    )

    store.change(ID, lambda old: schedule)

    assert store.get(ID) == schedule


def test_a_change_is_made_of_what_is_stored(store):
    store.change(ID, lambda old: a_schedule())

    seen = []
    store.change(ID, lambda old: seen.append(old) or advanced(old, until=int(NOW) + 300, last=(5, "job")))

    assert seen == [a_schedule()]
    assert (store.get(ID).dealt_with, store.get(ID).last_job) == (NOW + 300, "job")


def test_what_is_not_there_is_none(store):
    assert store.get(ID) is None
    assert store.get("no such id") is None
    assert store.get("../../etc/passwd:x") is None
    assert store.change(ID, lambda old: old) is None
    assert store.all().schedules == ()


def test_a_removed_schedule_is_gone(store):
    store.change(ID, lambda old: a_schedule())

    store.change(ID, lambda old: None)

    assert store.get(ID) is None
    assert store.all().schedules == ()


def test_schedules_are_listed_by_id(store):
    for name in ("c", "a", "b"):
        store.change(f"tester:{name}", lambda old, name=name: a_schedule(task_name=name))

    assert [schedule.task.task_name for schedule in store.all().schedules] == ["a", "b", "c"]


def test_the_same_schedules_are_the_same_objects(store):
    store.change(ID, lambda old: a_schedule())

    first, second = store.all(), store.all()

    assert first.schedules[0] is second.schedules[0]


def test_a_step_that_raises_changes_nothing_and_holds_nobody_up(store):
    store.change(ID, lambda old: a_schedule())

    with pytest.raises(ZeroDivisionError):
        store.change(ID, lambda old: 1 / 0)

    assert store.change(ID, lambda old: replace(old, enabled=False)).enabled is False


def test_threads_lose_no_change(store):
    store.change(ID, lambda old: replace(a_schedule(), dealt_with=0.0))

    def count():
        for _ in range(25):
            store.change(ID, lambda old: replace(old, dealt_with=old.dealt_with + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.get(ID).dealt_with == 100.0


def test_ls_and_cat_show_the_schedules(folder):
    FileSchedules(str(folder)).change(ID, lambda old: a_schedule())

    assert [path.name for path in folder.iterdir()] == ["tester:double.json"]
    document = json.loads((folder / "tester:double.json").read_text())
    assert document["task"]["schedule"] == "5 minutes"
    assert (document["id"], document["enabled"], document["dealt_with"]) == (ID, True, NOW)


def test_two_stores_of_one_folder_see_each_other_at_once(folder):
    ours, theirs = (FileSchedules(str(folder)) for _ in range(2))

    for number in range(20):
        ours.change(ID, lambda old, number=number: replace(a_schedule(), dealt_with=float(number)))
        assert theirs.all().schedules[0].dealt_with == number
        assert theirs.get(ID).dealt_with == number


def test_a_folder_that_has_not_changed_is_not_read_again(folder):
    disk, clock = Watched(), FakeClock()
    store = FileSchedules(str(folder), disk, clock)
    store.change(ID, lambda old: a_schedule())
    changed = folder.stat().st_mtime
    clock.wall = changed + 10
    store.all()
    disk.calls.clear()

    store.all()

    assert disk.calls == []


def test_of_many_schedules_only_those_that_changed_are_read_again(folder):
    disk, clock = Watched(), FakeClock()
    store = FileSchedules(str(folder), disk, clock)
    for number in range(5):
        store.change(f"tester:{number}", lambda old, number=number: a_schedule(task_name=str(number)))
    clock.wall = folder.stat().st_mtime + 10
    before = store.all().schedules
    FileSchedules(str(folder)).change("tester:3", lambda old: replace(old, dealt_with=NOW + 1))
    clock.wall = folder.stat().st_mtime + 10
    disk.calls.clear()

    after = store.all().schedules

    assert disk.calls == ["read_file"]
    assert after[3].dealt_with == NOW + 1
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, True, True, False, True]


def test_two_changes_within_one_tick_of_the_file_system_are_both_seen(folder):
    clock = FakeClock()
    store = FileSchedules(str(folder), QuickDisk(), clock)
    store.change(ID, lambda old: replace(a_schedule(), dealt_with=NOW + 1))
    path = folder / f"{ID}.json"
    status = path.stat()
    clock.wall = status.st_mtime
    store.all()

    path.write_text(path.read_text().replace(f"{NOW + 1}", f"{NOW + 2}"))
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))

    assert store.all().schedules[0].dealt_with == NOW + 2


def test_a_change_is_durable_before_it_has_its_name_and_its_name_before_it_is_answered(folder):
    disk = Watched()
    store = FileSchedules(str(folder), disk)

    store.change(ID, lambda old: a_schedule())
    written, disk.calls[:] = list(disk.calls), []
    store.change(ID, lambda old: None)

    assert [call for call in written if call != "read_file"] == ["write_new", "rename", "sync_folder"]
    assert [call for call in disk.calls if call != "read_file"] == ["unlink", "sync_folder"]


def test_what_is_equal_is_not_written_again(folder):
    disk = Watched()
    store = FileSchedules(str(folder), disk)
    store.change(ID, lambda old: a_schedule())
    disk.calls.clear()

    store.change(ID, lambda old: a_schedule())

    assert disk.calls == ["read_file"]


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_is_told_of_and_leaves_the_old_or_the_new(folder, number, error):
    FileSchedules(str(folder), QuickDisk()).change(ID, lambda old: a_schedule())
    disk = FaultyDisk(1_000, error=error, for_ever=False)
    store = FileSchedules(str(folder), disk)
    disk.number = disk.seen + number

    told = None
    try:
        store.change(ID, lambda old: replace(old, dealt_with=NOW + 1))
    except EngineUnavailable as problem:
        told = type(problem)

    expected = DiskFull if error == errno.ENOSPC else EngineUnavailable
    assert told == (expected if disk.failed else None)
    after = FileSchedules(str(folder), QuickDisk())
    assert after.get(ID).dealt_with in {NOW, NOW + 1}
    assert after.change(ID, lambda old: replace(old, dealt_with=NOW + 2)).dealt_with == NOW + 2
    assert [path.name for path in folder.iterdir()] == ["tester:double.json"]


DYING = """
import os, sys
from dataclasses import replace
from queues.file.disk import Disk
from queues.schedules import FileSchedules

folder, number = sys.argv[1], int(sys.argv[2])

class Dying(Disk):
    left = 10**6

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not callable(found) or name.startswith("_"):
            return found

        def call(*args, **options):
            Dying.left -= 1
            if Dying.left < 0:
                os.kill(os.getpid(), 9)
            return found(*args, **options)

        return call

store = FileSchedules(folder, Dying())
Dying.left = number
store.change("tester:double", lambda old: replace(old, dealt_with=old.dealt_with + 1))
"""


def test_a_process_that_is_killed_between_any_two_calls_leaves_the_old_or_the_new_and_no_lock(folder):
    FileSchedules(str(folder)).change(ID, lambda old: replace(a_schedule(), dealt_with=0.0))
    before, number, died = 0.0, 0, True

    while died:
        program = [sys.executable, "-c", DYING, str(folder), str(number)]
        died = subprocess.run(program, cwd=ROOT, check=False).returncode == -9
        schedule = FileSchedules(str(folder)).get(ID)
        assert schedule.dealt_with in {before, before + 1}
        before, number = schedule.dealt_with, number + 1

    assert number > 5
    assert before >= 1.0


BESIDE = """
import sys
from dataclasses import replace
from queues.schedules import FileSchedules

store = FileSchedules(sys.argv[1])
for _ in range(30):
    store.change("tester:double", lambda old: replace(old, dealt_with=old.dealt_with + 1))
"""


def test_three_processes_lose_no_change(folder):
    FileSchedules(str(folder)).change(ID, lambda old: replace(a_schedule(), dealt_with=0.0))

    programs = [subprocess.Popen([sys.executable, "-c", BESIDE, str(folder)], cwd=ROOT) for _ in range(3)]

    assert [program.wait(60) for program in programs] == [0, 0, 0]
    assert FileSchedules(str(folder)).get(ID).dealt_with == 90.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("{", "not JSON"),
        ("[]", "must be"),
        ('{"task": {}}', "agent_name: is missing"),
        ('{"task": 5}', "must be an object"),
        ("{}", "'task' is missing"),
    ],
)
def test_a_file_that_is_no_schedule_is_told_of_and_left_alone(folder, text, said):
    store = FileSchedules(str(folder))
    store.change("tester:good", lambda old: a_schedule(task_name="good"))
    (folder / "tester:bad.json").write_text(text)

    stored = store.all()

    assert [schedule.id for schedule in stored.schedules] == ["tester:good"]
    assert list(stored.damaged) == ["tester:bad.json"]
    assert said in stored.damaged["tester:bad.json"]
    assert store.get("tester:bad") is None
    assert (folder / "tester:bad.json").read_text() == text


def test_a_file_under_a_name_that_is_not_its_own_is_told_of(folder):
    store = FileSchedules(str(folder))
    store.change(ID, lambda old: a_schedule())

    (folder / "tester:double.json").rename(folder / "tester:other.json")

    assert store.all().damaged == {
        "tester:other.json": "It is the schedule 'tester:double': the file must bear that name."
    }


def test_links_drafts_and_other_files_are_no_schedules(folder, tmp_path):
    store = FileSchedules(str(folder))
    (tmp_path / "elsewhere.json").write_text(json.dumps(a_schedule().to_json()))
    (folder / "tester:double.json").symlink_to(tmp_path / "elsewhere.json")
    (folder / ".draft").write_text("{")
    (folder / "README").write_text("mine")

    stored = store.all()

    assert stored.schedules == ()
    assert list(stored.damaged) == ["tester:double.json"]
    assert "symbolic link" in stored.damaged["tester:double.json"]


def test_a_schedule_that_is_taken_away_by_hand_is_gone(folder):
    store = FileSchedules(str(folder))
    store.change(ID, lambda old: a_schedule())
    store.all()

    (folder / "tester:double.json").unlink()

    assert store.all().schedules == ()


def test_a_missing_folder_is_told_of_and_not_made_anew(folder):
    store = FileSchedules(str(folder))
    folder.rmdir()

    with pytest.raises(EngineUnavailable, match="a folder of the queue is missing"):
        store.all()
    with pytest.raises(EngineUnavailable, match="a folder of the queue is missing"):
        store.change(ID, lambda old: a_schedule())
    assert not folder.exists()


def test_a_neighbour_that_keeps_the_lock_is_waited_for_and_then_told_of(folder):
    clock = FakeClock()
    store = FileSchedules(str(folder), clock=clock)
    disk = Disk()
    held = disk.open_folder(str(folder))
    assert disk.lock(held.fd)

    with pytest.raises(EngineUnavailable, match=r"has kept .* locked for 10 seconds"):
        store.change(ID, lambda old: a_schedule())
    held.let_go()

    assert clock.steady >= 1_010.0
    assert store.change(ID, lambda old: a_schedule()) == a_schedule()


class Watched(QuickDisk):
    """Note the calls that read, change, or make durable."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def write_new(self, path: str, data: bytes, *, sync: bool = True, mtime: float | None = None) -> None:
        assert sync
        super().write_new(path, data, mtime=mtime)
        self.calls.append("write_new")

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        self.calls.append("rename")

    def unlink(self, path: str) -> None:
        super().unlink(path)
        if not Path(path).name.startswith("."):
            self.calls.append("unlink")

    def sync_folder(self, folder: object) -> None:
        self.calls.append("sync_folder")

    def read_file(self, path: str, *, limit: int | None = None) -> bytes:
        self.calls.append("read_file")
        return super().read_file(path, limit=limit)
