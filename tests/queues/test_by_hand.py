"""What people do with the files: the folder shows the truth, and damage to one file costs one job."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from core import lifecycle
from core.errors import ConfigError, EngineUnavailable, InvalidRequest, JobNotFound, RecordDamaged
from core.jobs import ALL, DEFAULT_QUEUE, Job, JobError, State
from queues.file.engine import FileEngine
from queues.file.ground import file_system_of
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import MakeEngine, die

#: An integer that no float can hold.
BIG = 10**400


def claimed(engine: FileEngine) -> Job | None:
    return engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])


def an_ended_job(engine: FileEngine, **fields: object) -> Job:
    engine.add(a_job(**fields))
    job = claimed(engine)
    assert job is not None
    ended = lifecycle.succeeded(job, result={"n": 1}, now=NOW)
    engine.swap(job, ended)
    return ended


def files_below(base: Path, top: str) -> list[str]:
    return sorted(str(path.relative_to(base)) for path in (base / top).rglob("*.json"))


def test_the_folder_shows_where_every_job_stands(engine: FileEngine, base: Path) -> None:
    done = an_ended_job(engine)
    running = engine.add(a_job(priority=9))
    claimed(engine)
    waiting = engine.add(a_job(priority=3))
    other = engine.add(a_job(queue="browser"))
    deferred = engine.add(a_job(run_after=NOW + 60))

    assert files_below(base, "inbound") == [
        f"inbound/p3/{waiting.id[:8]}/{waiting.id}.json",
        f"inbound/q-browser/p5/{other.id[:8]}/{other.id}.json",
    ]
    assert files_below(base, "scheduled") == [f"scheduled/{deferred.id[:8]}/{deferred.id}.json"]
    assert files_below(base, "running") == [f"running/{running.id}.json"]
    assert files_below(base, "outbound") == [f"outbound/{done.id[:8]}/{done.id}.json"]


def test_a_record_is_plain_json_with_a_line_for_each_field(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job(params={"url": "https://example.org/ä"}))

    text = (base / "inbound" / "p5" / job.id[:8] / f"{job.id}.json").read_text()

    assert text == (
        "{\n"
        f' "id": "{job.id}",\n'
        ' "action": "fakejob",\n'
        ' "queue": "default",\n'
        ' "params": {"url": "https://example.org/ä"},\n'
        ' "priority": 5,\n'
        ' "version": 1,\n'
        ' "attempt": 0,\n'
        ' "max_attempts": 3,\n'
        f' "submitted_at": {NOW}\n'
        "}\n"
    )


def test_only_a_final_record_says_its_state(engine: FileEngine, base: Path) -> None:
    job = an_ended_job(engine)

    document = json.loads((base / "outbound" / job.id[:8] / f"{job.id}.json").read_text())

    assert document["state"] == "succeeded"
    assert document["result"] == {"n": 1}


def test_files_and_folders_are_closed_to_others_and_a_running_job_shows_as_executable(
    engine: FileEngine, base: Path
) -> None:
    waiting = engine.add(a_job(priority=1))
    running = engine.add(a_job(priority=9))
    claimed(engine)

    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in base.rglob("*.json")
        if path.name in {f"{waiting.id}.json", f"{running.id}.json"}
    }

    assert modes == {f"{waiting.id}.json": 0o640, f"{running.id}.json": 0o740}
    assert (base / "inbound").stat().st_mode & 0o777 == 0o750


def test_a_failed_job_is_also_shown_in_failed(engine: FileEngine, base: Path) -> None:
    engine.add(a_job(max_attempts=1))
    job = claimed(engine)
    assert job is not None
    engine.swap(job, lifecycle.failed(job, error=JobError(code="x", message="x"), now=NOW))
    view = base / "failed" / f"{job.id}.json"

    assert json.loads(view.read_text())["state"] == "failed"
    view.unlink()
    assert engine.get(job.id).state is State.FAILED


def test_a_large_result_lies_beside_the_record(engine: FileEngine, base: Path) -> None:
    engine.add(a_job())
    job = claimed(engine)
    assert job is not None
    engine.swap(job, lifecycle.succeeded(job, result="x" * 70_000, now=NOW))

    bucket = base / "outbound" / job.id[:8]

    assert json.loads((bucket / f"{job.id}.json").read_text())["result_file"] == f"{job.id}.result.json"
    assert (bucket / f"{job.id}.result.json").stat().st_size > 70_000
    assert engine.count()[State.SUCCEEDED] == 1
    assert "result_file" not in engine.get(job.id).extra


def test_removing_a_waiting_file_cancels_the_job_without_a_trace(engine: FileEngine, base: Path) -> None:
    gone, kept = engine.add(a_job()), engine.add(a_job())
    (base / "inbound" / "p5" / gone.id[:8] / f"{gone.id}.json").unlink()

    job = claimed(engine)

    assert job is not None
    assert job.id == kept.id
    with pytest.raises(JobNotFound):
        engine.get(gone.id)


def test_moving_a_waiting_file_changes_its_priority(engine: FileEngine, base: Path) -> None:
    engine.add(a_job(priority=5))
    moved = engine.add(a_job(priority=5))
    urgent = base / "inbound" / "p9" / moved.id[:8]
    urgent.mkdir(parents=True)
    (base / "inbound" / "p5" / moved.id[:8] / f"{moved.id}.json").rename(urgent / f"{moved.id}.json")

    engine.upkeep(NOW)

    job = claimed(engine)
    assert job is not None
    assert job.id == moved.id


def test_a_waiting_file_edited_by_hand_runs_as_edited(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job(params={"n": 1}))
    path = base / "inbound" / "p5" / job.id[:8] / f"{job.id}.json"
    path.write_text(path.read_text().replace('{"n": 1}', '{"n": 2, "note": "mended"}'))

    running = claimed(engine)

    assert running is not None
    assert running.params == {"n": 2, "note": "mended"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        lambda path: path.write_bytes(b"\0" * 200),
        lambda path: path.write_bytes(path.read_bytes().replace(b"fakejob", b"fake\xffob")),
        lambda path: path.write_text(path.read_text().replace('"attempt": 0', '"attempt": "none"')),
        lambda path: path.write_text(path.read_text().replace(path.stem, an_id())),
        lambda path: path.write_text(
            path.read_text().replace('"priority"', '"run_after": 1e300, "priority"')
        ),
        lambda path: path.write_text(
            path.read_text().replace('"priority"', f'"run_after": {BIG}, "priority"')
        ),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_damaged_waiting_file_costs_one_job(engine: FileEngine, base: Path, damage: object) -> None:
    damaged, sound = engine.add(a_job()), engine.add(a_job())
    damage(base / "inbound" / "p5" / damaged.id[:8] / f"{damaged.id}.json")  # type: ignore[operator]

    job = claimed(engine)

    assert job is not None
    assert job.id == sound.id
    assert claimed(engine) is None
    assert len(list((base / "quarantine").glob(f"*-{damaged.id}.json"))) == 1
    with pytest.raises(RecordDamaged):
        engine.get(damaged.id)


def test_a_damaged_deferred_file_costs_one_job(engine: FileEngine, base: Path) -> None:
    damaged, sound = (engine.add(a_job(run_after=NOW + 5)) for _ in range(2))
    (base / "scheduled" / damaged.id[:8] / f"{damaged.id}.json").write_bytes(b"{")

    job = engine.claim("w", now=NOW + 5, lease=30, queues=[DEFAULT_QUEUE])

    assert job is not None
    assert job.id == sound.id
    assert engine.next_due() is None


def test_a_damaged_final_record_is_told_for_its_id_only(engine: FileEngine, base: Path) -> None:
    damaged, sound = an_ended_job(engine), an_ended_job(engine)
    (base / "outbound" / damaged.id[:8] / f"{damaged.id}.json").write_bytes(b'{"id": ')

    for _ in range(2):
        with pytest.raises(RecordDamaged, match="not JSON"):
            engine.get(damaged.id)

    assert engine.get(sound.id) == sound
    assert engine.count()[State.SUCCEEDED] == 1
    assert claimed(engine) is None


def test_a_final_record_that_lost_its_state_does_not_wait(engine: FileEngine, base: Path) -> None:
    damaged = an_ended_job(engine)
    path = base / "outbound" / damaged.id[:8] / f"{damaged.id}.json"
    path.write_text(path.read_text().replace('"state": "succeeded"', '"state": "succEeded"'))

    assert engine.count()[State.QUEUED] == 0


def test_a_damaged_running_record_is_put_aside_when_its_worker_is_gone(
    make_engine: MakeEngine, base: Path
) -> None:
    worker = make_engine()
    job = worker.add(a_job())
    claimed(worker)
    worker.upkeep(NOW)  # from now on the file is all that there is of the job
    (base / "running" / f"{job.id}.json").write_bytes(b"\0\0\0")
    die(worker)
    heir = make_engine()

    assert heir.abandoned(NOW) == []

    with pytest.raises(RecordDamaged):
        heir.get(job.id)
    assert heir.count()[State.RUNNING] == 0


def test_an_attempt_whose_running_file_was_removed_still_writes_its_result(
    engine: FileEngine, base: Path
) -> None:
    engine.add(a_job())
    job = claimed(engine)
    assert job is not None
    (base / "running" / f"{job.id}.json").unlink()

    engine.swap(job, lifecycle.succeeded(job, result="kept", now=NOW))

    assert engine.get(job.id).result == "kept"


def test_a_running_file_moved_back_by_hand_does_not_run_twice(engine: FileEngine, base: Path) -> None:
    engine.add(a_job())
    job = claimed(engine)
    assert job is not None
    bucket = base / "inbound" / "p5" / job.id[:8]
    (base / "running" / f"{job.id}.json").rename(bucket / f"{job.id}.json")
    engine.upkeep(NOW)

    while_it_runs = claimed(engine)
    engine.swap(job, lifecycle.succeeded(job, result=1, now=NOW))
    engine.upkeep(NOW)

    assert while_it_runs is None
    assert claimed(engine) is None
    assert engine.get(job.id).state is State.SUCCEEDED


def test_a_deferred_file_touched_to_be_due_still_keeps_the_time_that_it_says(
    engine: FileEngine, base: Path
) -> None:
    job = engine.add(a_job(run_after=NOW + 60))
    os.utime(base / "scheduled" / job.id[:8] / f"{job.id}.json", (NOW - 60, NOW - 60))
    engine.upkeep(NOW)

    assert claimed(engine) is None
    assert engine.next_due() == NOW + 60


def test_a_deferred_job_moved_to_the_waiting_ones_too_early_goes_back(engine: FileEngine, base: Path) -> None:
    job = engine.add(a_job(run_after=NOW + 60))
    bucket = base / "inbound" / "p5" / job.id[:8]
    bucket.mkdir(parents=True)
    (base / "scheduled" / job.id[:8] / f"{job.id}.json").rename(bucket / f"{job.id}.json")
    engine.upkeep(NOW)

    assert claimed(engine) is None
    assert engine.next_due() == NOW + 60


def test_a_folder_of_another_format_is_refused_by_its_path(make_engine: MakeEngine, base: Path) -> None:
    make_engine().close()
    (base / "FORMAT.json").write_text('{"format": 2}')

    with pytest.raises(ConfigError, match=r"FORMAT\.json says format 2"):
        make_engine()


def test_a_damaged_format_is_refused(make_engine: MakeEngine, base: Path) -> None:
    make_engine().close()
    (base / "FORMAT.json").write_text("{")

    with pytest.raises(ConfigError, match="damaged"):
        make_engine()


def test_a_folder_that_is_gone_is_never_made_again(engine: FileEngine, base: Path) -> None:
    shutil.rmtree(base)

    for step in (lambda: engine.add(a_job()), lambda: engine.upkeep(NOW), engine.check):
        with pytest.raises(EngineUnavailable, match="missing"):
            step()
    assert not base.exists()


@pytest.mark.parametrize("name", ["inbound", "running", "outbound", "quarantine"])
def test_a_folder_inside_that_is_gone_is_named_and_never_made_again(
    engine: FileEngine, base: Path, name: str
) -> None:
    shutil.rmtree(base / name)

    for step in (lambda: engine.upkeep(NOW), engine.check):
        with pytest.raises(EngineUnavailable, match=f"{name} is missing"):
            step()
    assert not (base / name).exists()


def test_folders_of_somebody_elses_making_hold_nothing_up(
    engine: FileEngine, base: Path, make_engine: MakeEngine
) -> None:
    for name in ("inbound/q-my jobs", "inbound/q-", "tmp/mine/deeper", "outbound/mine", "scheduled/mine"):
        (base / name).mkdir(parents=True)
    job = engine.add(a_job())

    engine.upkeep(NOW)

    for each in (engine, make_engine()):
        assert each.count()[State.QUEUED] == 1
        assert [found.id for found in each.find(ALL).jobs] == [job.id]


def test_a_folder_that_was_replaced_is_noticed(
    engine: FileEngine, base: Path, make_engine: MakeEngine
) -> None:
    base.rename(base.with_name("elsewhere"))
    make_engine()

    with pytest.raises(EngineUnavailable, match="replaced"):
        engine.check()
    with pytest.raises(EngineUnavailable):
        engine.add(a_job())


def test_a_folder_that_everybody_may_write_to_is_warned_of(engine: FileEngine, base: Path) -> None:
    base.chmod(0o777)

    assert any(f"chmod o-w {base}" in warning for warning in engine.check())


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.gcsfuse", "9p"])
def test_a_remote_file_system_is_refused_unless_allowed(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("queues.file.ground.file_system_of", lambda path: kind)

    with pytest.raises(ConfigError, match="neither locks nor syncs"):
        make_engine()

    assert make_engine(allow_any_filesystem=True).add(a_job())


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_a_file_system_that_forgets_is_warned_of(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("queues.file.ground.file_system_of", lambda path: kind)

    assert any("lost with" in warning or "is lost when" in warning for warning in make_engine().check())


def test_the_file_system_of_a_path_is_that_of_the_nearest_folder() -> None:
    assert file_system_of("/proc/self/nothing/there") == "proc"


@pytest.mark.parametrize("queue", ["../../etc", "", "a/b", ".hidden", "x" * 65, "new\nline"])
def test_a_queue_name_that_cannot_be_a_folder_is_refused(engine: FileEngine, base: Path, queue: str) -> None:
    for submit in (
        lambda: engine.add(a_job(queue=queue)),
        lambda: engine.add(a_job(queue=queue, idempotency_key="k")),
        lambda: engine.add_many([a_job(), a_job(queue=queue)]),
    ):
        with pytest.raises(InvalidRequest):
            submit()

    assert [path for path in base.rglob("*.json") if path.name != "FORMAT.json"] == []
