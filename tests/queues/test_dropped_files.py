"""Files dropped into inbound/: each becomes one job or lies in quarantine with a sentence; nothing hangs."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import BrokenAction, JobNotFound, QueueFull
from core.gate import Gate
from core.jobs import DEFAULT_QUEUE, Job, Query, State
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import MakeEngine, die
from tests.queues.disks import QuickDisk

OLD = 60.0


def drop(base: Path, name: str, content: bytes | str, *, age: float = OLD) -> Path:
    path = base / "inbound" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (NOW - age, NOW - age))
    return path


def quarantined(base: Path) -> dict[str, str]:
    """Return the reasons in quarantine by the end of the file's name."""
    reasons = (base / "quarantine").glob("*.reason.txt")
    return {
        path.name.removesuffix(".reason.txt").split("-", 2)[2]: path.read_text().strip() for path in reasons
    }


def jobs_in(engine: FileEngine) -> list[Job]:
    return [engine.get(job.id) for job in engine.find(Query(limit=1000)).jobs]


def test_a_dropped_file_becomes_one_job(engine: FileEngine, base: Path) -> None:
    path = drop(base, "mine.json", '{"action": "fakejob", "params": {"n": 1}, "priority": 9, "batch": "b"}')

    news = engine.upkeep(NOW)

    (job,) = jobs_in(engine)
    assert news
    assert (job.action, job.params, job.priority, job.batch) == ("fakejob", {"n": 1}, 9, "b")
    assert not path.exists()
    assert engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) is not None
    assert not engine.upkeep(NOW)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.json", b"", "empty"),
        ("half.json", b'{"action":"we', "not JSON"),
        ("array.json", b"[1, 2]", "must be an object"),
        ("nan.json", b'{"action":"web","params":{"a":NaN}}', "NaN is not JSON"),
        ("infinite.json", b'{"action":"web","params":{"a":1e999}}', "out of range"),
        ("twice.json", b'{"action":"web","action":"rm"}', "'action' stands twice"),
        ("deep.json", b"[" * 50_000, "nests deeper"),
        ("surrogate.json", b'{"action":"web","params":{"a":"\\ud800"}}', "surrogate"),
        ("latin1.json", '{"action":"café"}'.encode("latin-1"), "not UTF-8: byte 14"),
        ("utf16.json", '{"action":"web"}'.encode("utf-16"), "not UTF-8"),
        ("digits.json", b'{"action":"web","params":{"a":' + b"9" * 5000 + b"}}", "4,300 digits"),
        ("huge.json", b" " * (2 << 20), "1048576 is the limit"),
        ("no-action.json", b'{"params":{}}', "action"),
        ("traversal.json", b'{"action":"../../etc/passwd"}', "action"),
        ("params.json", b'{"action":"web","params":[1]}', "'params' must be an object"),
        ("priority.json", b'{"action":"web","priority":10}', "'priority' must be 0 to 9"),
        ("unknown.json", b'{"action":"web","colour":"blue"}', "colour: There is no such field"),
        ("<img src=x onerror=alert(1)>.json", b"{", "not JSON"),
        ("new\nline.json", b"{", "not JSON"),
        ("n" * 250 + ".json", b"{", "not JSON"),
        ("\U0001f68c" * 60 + ".json", b"{", "not JSON"),
        ("\udcff.json", b"{", "not JSON"),
    ],
)
def test_what_is_no_job_is_put_aside_with_the_reason(
    engine: FileEngine, base: Path, name: str, content: bytes, reason: str
) -> None:
    path = drop(base, name, content)

    engine.upkeep(NOW)

    (found,) = quarantined(base).values()
    assert reason in found
    assert not path.exists()
    assert jobs_in(engine) == []


@pytest.mark.parametrize("name", ["new\nline.json", "<img src=x onerror=alert(1)>.json", "n" * 250 + ".json"])
def test_strange_names_are_adopted_under_ids_of_our_own(engine: FileEngine, base: Path, name: str) -> None:
    drop(base, name, b'\xef\xbb\xbf{"action": "fakejob"}')

    engine.upkeep(NOW)

    assert len(jobs_in(engine)) == 1


def test_what_is_no_regular_file_is_put_aside_unread(
    engine: FileEngine, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbound = base / "inbound"
    secret = tmp_path / "secret.json"
    secret.write_text('{"action": "fakejob"}')
    (inbound / "link.json").symlink_to(secret)
    os.mkfifo(inbound / "pipe.json")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(inbound)  # the path of a socket must be short
        listener.bind("socket.json")

        engine.upkeep(NOW)

    assert set(quarantined(base)) == {"link.json", "pipe.json", "socket.json"}
    assert jobs_in(engine) == []
    assert secret.exists()


def test_what_was_not_meant_for_us_is_left_alone_and_mentioned(engine: FileEngine, base: Path) -> None:
    (base / "inbound" / "folder.json").mkdir()
    for name in ("x.txt", ".hidden.json", "copy.json.part", "x.json~", ".x.json.swp"):
        drop(base, name, '{"action": "fakejob"}')

    engine.upkeep(NOW)

    assert jobs_in(engine) == []
    assert quarantined(base) == {}
    assert any("x.txt" in warning for warning in engine.check())


def test_a_file_that_is_being_copied_is_waited_for(engine: FileEngine, base: Path) -> None:
    drop(base, "growing.json", '{"acti', age=5)
    engine.upkeep(NOW)
    drop(base, "growing.json", '{"action": "fakejob"}', age=0.5)
    engine.upkeep(NOW)
    too_fresh = len(jobs_in(engine))

    engine.upkeep(NOW + 1)

    assert too_fresh == 0
    assert len(jobs_in(engine)) == 1
    assert quarantined(base) == {}


def test_a_file_dated_in_the_future_is_adopted_too(engine: FileEngine, base: Path) -> None:
    drop(base, "future.json", '{"action": "fakejob"}', age=-3600)

    engine.upkeep(NOW)

    assert len(jobs_in(engine)) == 1


def test_the_same_name_dropped_twice_makes_two_jobs(engine: FileEngine, base: Path) -> None:
    for n in range(2):
        drop(base, "same.json", json.dumps({"action": "fakejob", "params": {"n": n}}), age=OLD - n)
        engine.upkeep(NOW)

    assert sorted(job.params["n"] for job in jobs_in(engine)) == [0, 1]


class CrashesBeforeRemoval(QuickDisk):
    crashing = True

    def unlink(self, path: str) -> None:
        if self.crashing and path.endswith("dropped.json"):
            raise KeyboardInterrupt
        super().unlink(path)


def test_a_crash_between_adopting_and_removing_makes_one_job(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine(disk=CrashesBeforeRemoval())
    path = drop(base, "dropped.json", '{"action": "fakejob"}')
    with pytest.raises(KeyboardInterrupt):
        engine.upkeep(NOW)
    die(engine)

    heir = make_engine()
    heir.upkeep(NOW)

    assert len(jobs_in(heir)) == 1
    assert not path.exists()


def test_two_processes_adopt_a_file_once(make_engine: MakeEngine, base: Path) -> None:
    engines = [make_engine(), make_engine()]
    drop(base, "x.json", '{"action": "fakejob"}')

    for engine in engines:
        engine.upkeep(NOW)

    assert len(jobs_in(engines[0])) == 1


def test_the_action_is_asked_whether_it_accepts(make_engine: MakeEngine, base: Path) -> None:
    def accept(asked: dict[str, object]) -> Job:
        raise BrokenAction(str(asked["action"]), "it does not import.")

    engine = make_engine(accept=accept)
    drop(base, "x.json", '{"action": "fakejob", "params": {}}')

    engine.upkeep(NOW)

    assert "it does not import" in quarantined(base)["x.json"]


def test_a_file_becomes_a_job_inside_the_gate_and_stays_when_that_is_closed(
    make_engine: MakeEngine, base: Path
) -> None:
    gate = Gate()
    left: list[bool] = []

    def accept(asked: dict[str, object]) -> Job:
        left.append(gate.close(patience=0.0))
        return a_job(action=str(asked["action"]))

    engine = make_engine(accept=accept, entered=gate.entered)
    first, second = (drop(base, name, '{"action": "fakejob"}') for name in ("x.json", "y.json"))

    engine.upkeep(NOW)
    after = gate.is_left(0.0)

    assert (left, after) == ([False], True)
    assert len(jobs_in(engine)) == 1
    assert first.exists() != second.exists()


def test_a_file_stays_when_the_queue_is_full(make_engine: MakeEngine, base: Path) -> None:
    engine = make_engine(max_pending=1)
    engine.add(a_job())
    path = drop(base, "x.json", '{"action": "fakejob"}')

    engine.upkeep(NOW)
    stayed = path.exists()
    engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    engine.upkeep(NOW)

    assert stayed
    assert not path.exists()
    with pytest.raises(QueueFull):
        engine.add(a_job())


def test_a_final_record_moved_back_runs_again_as_a_new_job(engine: FileEngine, base: Path) -> None:
    engine.add(a_job(params={"n": 1}, priority=7))
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW - OLD))
    final = base / "outbound" / job.id[:8] / f"{job.id}.json"
    copy = base / "inbound" / final.name
    copy.write_bytes(final.read_bytes())
    os.utime(copy, (NOW - OLD, NOW - OLD))

    engine.upkeep(NOW)

    again = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert again is not None
    assert again.id != job.id
    assert (again.retried_from, again.params, again.priority, again.attempt) == (job.id, {"n": 1}, 7, 1)
    assert engine.get(job.id).state is State.SUCCEEDED


def test_a_final_record_that_was_moved_and_not_copied_runs_again_as_a_new_job_too(
    engine: FileEngine, base: Path
) -> None:
    engine.add(a_job(params={"n": 1}))
    job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert job is not None
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW - OLD))
    moved = base / "inbound" / f"{job.id}.json"
    (base / "outbound" / job.id[:8] / moved.name).rename(moved)
    os.utime(moved, (NOW - OLD, NOW - OLD))

    engine.upkeep(NOW)

    again = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
    assert again is not None
    assert again.id != job.id
    assert again.retried_from == job.id


def test_who_opened_the_engine_is_told_of_adopted_files_and_of_those_put_aside(base: Path) -> None:
    adopted: list[str] = []
    put_aside: list[tuple[str, str]] = []
    options = FileOptions(
        adopted=lambda job: adopted.append(job.action),
        put_aside=lambda name, reason: put_aside.append((name, reason)),
        reserve_bytes=0,
    )
    engine = FileEngine(str(base), options)
    drop(base, "good.json", b'{"action": "fakejob"}')
    drop(base, "bad.json", b"[]")

    engine.upkeep(NOW)
    engine.close()

    assert adopted == ["fakejob"]
    assert put_aside == [("bad.json", 'job: It must be an object: {"action": "name", "params": {…}}.')]


def test_a_mended_record_comes_back_under_its_own_id(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job(params={"n": 1}))
    waiting = base / "inbound" / "p5" / job.id[:8] / f"{job.id}.json"
    content = waiting.read_bytes()
    waiting.write_bytes(content[:-20])
    assert engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE]) is None
    (put_aside,) = (base / "quarantine").glob(f"*-{job.id}.json")
    put_aside.unlink()

    drop(base, put_aside.name, content)
    engine.upkeep(NOW)

    assert engine.get(job.id).params == {"n": 1}


def test_a_dropped_file_may_have_a_key_of_its_own(engine: FileEngine, base: Path) -> None:
    for name in ("a.json", "b.json"):
        drop(base, name, '{"action": "fakejob", "idempotency_key": "k"}')

    engine.upkeep(NOW)

    assert len(jobs_in(engine)) == 1


def test_an_id_nobody_knows_stays_unknown(engine: FileEngine) -> None:
    with pytest.raises(JobNotFound):
        engine.get(an_id())
