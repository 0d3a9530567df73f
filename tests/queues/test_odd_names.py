"""Odd things under names like the bus's own: each costs at most itself, and sound jobs go on as ever."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import EngineUnavailable, RecordDamaged
from core.jobs import ALL, DEFAULT_QUEUE, Job, LogEntry, State
from queues.file.disk import OpenFolder
from queues.file.engine import FileEngine
from queues.file.layout import Layout
from tests.factories import NOW, a_job
from tests.queues.conftest import MakeEngine
from tests.queues.disks import QuickDisk
from tests.queues.odd_things import BUCKET, KINDS, ODD, OTHER, PLACES, put
from tests.queues.test_dropped_files import quarantined

QUEUES = [DEFAULT_QUEUE, "x"]


def run(engine: FileEngine, job: Job, *, now: float = NOW) -> Job:
    """Take a job, whatever goes first beside it, through its whole life."""
    engine.log(job.id, [LogEntry(at=now, level="info", message="begun")])
    running = engine.claim_one(job.id, "w", now=now, lease=30)
    assert running is not None
    engine.swap(running, lifecycle.renewed(running, now=now, lease=30))
    ended = lifecycle.succeeded(engine.get(job.id), result="x" * 70_000, now=now)
    engine.swap(engine.get(job.id), ended)
    return ended


def all_claimed(engine: FileEngine, *, now: float = NOW) -> Iterator[Job]:
    while job := engine.claim("w", now=now, lease=30, queues=QUEUES):
        yield job


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_sound_jobs_live_beside_an_odd_thing(
    make_engine: MakeEngine, base: Path, kind: str, place: str
) -> None:
    engine = make_engine(reserve_bytes=4096)
    before = engine.add(a_job())
    if not os.path.lexists(base / place):
        put(base, kind, place)
    before_upkeep = engine.add(a_job())

    engine.upkeep(NOW)
    keyed = engine.add(a_job(idempotency_key="k"))
    batch = engine.add_many([a_job(), a_job(queue="x", idempotency_key="b")])
    deferred = engine.add(a_job(run_after=NOW + 60))
    waiting = {before.id, before_upkeep.id, keyed.id, *(job.id for job in batch)}
    sound = waiting | {deferred.id}

    assert {job.id for job in engine.find(ALL).jobs} >= sound
    assert 0 <= engine.count()[State.QUEUED] - len(sound) <= 1
    assert engine.add(a_job(idempotency_key="k")).id == keyed.id
    assert run(engine, batch[0]).result
    assert {job.id for job in all_claimed(engine)} == waiting - {batch[0].id}
    assert engine.count()[State.QUEUED] == 1
    assert {job.id for job in all_claimed(engine, now=NOW + 61)} == {deferred.id}
    engine.upkeep(NOW + 61)
    engine.close()

    heir = make_engine(reserve_bytes=4096)
    assert {job.id for job in heir.abandoned(NOW)} == sound - {batch[0].id}
    assert heir.abandoned(NOW) == heir.abandoned(NOW)
    assert heir.get(batch[0].id).result == "x" * 70_000
    assert heir.purge(NOW + 1e6) == 1
    assert heir.count()[State.SUCCEEDED] == 0
    assert heir.count()[State.RUNNING] == len(sound) - 1
    assert isinstance(heir.check(), list)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"nonsense"}))
@pytest.mark.parametrize(
    "path_of", [Layout.running, Layout.final, Layout.live_file, Layout.log, Layout.result, Layout.failed]
)
def test_an_odd_thing_under_the_very_name_that_a_job_needs_makes_way(
    engine: FileEngine, base: Path, kind: str, path_of: Callable[[Layout, str], str]
) -> None:
    job = engine.add(a_job())
    place = path_of(Layout(str(base), str(base / "live")), job.id)
    put(base, kind, place)

    ended = run(engine, job)

    assert engine.get(job.id) == ended
    assert len(engine.logs(job.id)) <= 1
    assert engine.abandoned(NOW) == []
    assert engine.purge(NOW + 1) == 1
    assert all("bus needs" in reason for reason in quarantined(base).values())


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"nonsense"}))
def test_a_key_whose_name_is_taken_by_an_odd_thing_still_makes_one_job(
    engine: FileEngine, base: Path, kind: str
) -> None:
    put(base, kind, Layout(str(base), "").key("k"))

    jobs = [engine.add(a_job(idempotency_key="k")) for _ in range(2)]

    assert jobs[0] == jobs[1]
    assert engine.count()[State.QUEUED] == 1


@pytest.mark.parametrize(
    ("kind", "place"),
    [("loop", f"scheduled/{BUCKET}/{ODD}.json"), ("folder", f"inbound/p5/{BUCKET}/{ODD}.json")],
)
def test_what_lies_where_a_record_was_expected_is_put_aside_with_a_sentence(
    engine: FileEngine, base: Path, kind: str, place: str
) -> None:
    put(base, kind, place)

    engine.upkeep(NOW + 1e9)
    claimed = list(all_claimed(engine, now=NOW + 1e9))

    assert claimed == []
    assert list(quarantined(base)) == [f"{ODD}.json"]
    with pytest.raises(RecordDamaged, match=r"symbolic link|regular file"):
        engine.get(ODD)


def test_records_in_the_bucket_of_another_time_are_left_alone(engine: FileEngine, base: Path) -> None:
    put(base, "folder of records", f"inbound/p5/{BUCKET}")
    sound = engine.add(a_job())

    claimed = [job.id for job in all_claimed(engine)]

    assert claimed == [sound.id]
    assert (base / "inbound" / "p5" / BUCKET / f"{OTHER}.json").exists()


@pytest.mark.parametrize("folder", ["scheduled", "inbound/p5"])
def test_a_record_whose_queue_no_folder_can_bear_costs_itself(
    engine: FileEngine, base: Path, folder: str
) -> None:
    sound = engine.add(a_job())
    bucket = base / folder / BUCKET
    bucket.mkdir(exist_ok=True)
    (bucket / f"{ODD}.json").write_text(json.dumps({"id": ODD, "action": "fakejob", "queue": "../x"}))

    engine.upkeep(NOW + 1e9)

    assert [job.id for job in all_claimed(engine, now=NOW + 1e9)] == [sound.id]
    assert "'queue' must be" in quarantined(base)[f"{ODD}.json"]


def test_without_a_quarantine_a_claim_says_so_instead_of_trying_for_ever(
    engine: FileEngine, base: Path
) -> None:
    damaged = engine.add(a_job())
    (base / "inbound" / "p5" / BUCKET / f"{damaged.id}.json").write_bytes(b"{")
    (base / "quarantine").rmdir()

    with pytest.raises(EngineUnavailable, match="quarantine is missing"):
        list(all_claimed(engine))


def test_without_the_folder_of_running_jobs_a_claim_says_so_instead_of_trying_for_ever(
    engine: FileEngine, base: Path
) -> None:
    engine.add(a_job())
    (base / "running").rmdir()

    with pytest.raises(EngineUnavailable, match="running is missing"):
        list(all_claimed(engine))


def test_a_link_that_leads_out_of_the_folder_is_never_written_through(
    engine: FileEngine, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (base / "inbound" / "p5").symlink_to(tmp_path / "elsewhere")

    job = engine.add(a_job())

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (base / "inbound" / "p5" / BUCKET / f"{job.id}.json").is_file()


def test_a_dropped_file_named_like_a_queue_is_a_job_and_what_is_ignored_is_told(
    engine: FileEngine, base: Path
) -> None:
    dropped = base / "inbound" / "q-1.json"
    dropped.write_text('{"action": "fakejob"}')
    os.utime(dropped, (NOW - 60, NOW - 60))
    for place in ("inbound/p5", "scheduled/mine", "outbound/zzz"):
        put(base, "nonsense", place)

    assert [warning.split(" is ")[0] for warning in engine.check()] == [
        "inbound/'p5'",
        "scheduled/'mine'",
        "outbound/'zzz'",
    ]
    assert engine.upkeep(NOW)
    assert engine.count()[State.QUEUED] == 1


class LateDisk(QuickDisk):
    """Let somebody else be quicker, just before something is put aside."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = [meanwhile]

    def open_folder(self, path: str) -> OpenFolder:
        if path.endswith("/quarantine") and self.meanwhile:
            self.meanwhile.pop()()
        return super().open_folder(path)


def test_a_folder_that_another_process_has_made_meanwhile_is_not_put_aside(
    make_engine: MakeEngine, base: Path
) -> None:
    quick = make_engine()
    slow = make_engine(disk=LateDisk(lambda: quick.add(a_job())))
    put(base, "loop", "inbound/p5")

    slow.add(a_job())

    assert quick.count()[State.QUEUED] == 2
    assert list(quarantined(base)) == ["p5"]


def test_a_claim_that_another_process_has_made_meanwhile_is_not_put_aside(
    make_engine: MakeEngine, base: Path
) -> None:
    quick = make_engine()
    job = quick.add(a_job())
    slow = make_engine(disk=LateDisk(lambda: quick.claim_one(job.id, "w", now=NOW, lease=30)))
    put(base, "loop", f"running/{job.id}.json")

    abandoned = slow.abandoned(NOW)

    assert abandoned == []
    assert slow.get(job.id).state is State.RUNNING
