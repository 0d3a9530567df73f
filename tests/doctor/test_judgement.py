"""What the doctor leaves alone, and what it only tells of."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from config import Config
from core.errors import Unsupported
from core.jobs import DEFAULT_QUEUE, State
from doctor import Mark, Patient
from doctor.looking import Looking
from queues.file.disk import Disk
from tests.doctor.conftest import Ward, tree
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import die

#: The methods of a disk that change nothing.
READING = {
    "open_folder",
    "is_removed",
    "open",
    "close",
    "lock",
    "read",
    "read_file",
    "status",
    "status_of",
    "exists",
    "opens",
    "is_file",
    "is_folder",
    "names",
    "folders",
    "entries",
    "room",
}


def waiting_again(ward: Ward, job_id: str) -> Path:
    """Put a record of an ended job back to where it waited."""
    document = json.loads(next((ward.base / "outbound").rglob(f"{job_id}.json")).read_text())
    del document["state"]
    path = ward.base / "inbound" / "p5" / job_id[:8] / f"{job_id}.json"
    path.write_text(json.dumps(document))
    return path


def test_what_examines_can_change_nothing() -> None:
    methods = {name for name, _ in inspect.getmembers(Disk, inspect.isfunction) if not name.startswith("_")}

    for name in methods - READING:
        with pytest.raises(Unsupported):
            getattr(Looking(), name)("anything")


def test_a_job_that_ended_and_waits_is_kept_where_it_waits_if_its_final_record_is_damaged(ward: Ward) -> None:
    job = ward.succeeded[0]
    again = waiting_again(ward, job.id)
    (ward.base / "outbound" / job.id[:8] / f"{job.id}.json").write_text("{")

    found, _ = ward.mend()

    assert found["final_damaged"].mended == 1
    assert "waiting_over" not in found
    assert again.exists()


def test_an_orphan_whose_final_record_is_damaged_runs_again(ward: Ward) -> None:
    job = ward.succeeded[0]
    waiting_again(ward, job.id).rename(ward.base / "running" / f"{job.id}.json")
    (ward.base / "outbound" / job.id[:8] / f"{job.id}.json").write_text("{")

    ward.mend()

    with closing(ward.open()) as engine:
        assert engine.get(job.id).state is State.QUEUED


def test_a_copy_in_the_wrong_place_is_never_moved_over_the_record(ward: Ward) -> None:
    record = ward.record(ward.waiting[0])
    elsewhere = ward.base / "inbound" / "p5" / "deadbeef"
    elsewhere.mkdir()
    (elsewhere / record.name).write_text(record.read_text().replace("fakejob", "other"))
    before = record.read_bytes()

    found, _ = ward.mend()

    assert record.read_bytes() == before
    assert found["foreign"].examples[0].where == f"inbound/p5/deadbeef/{record.name}"


def test_a_copy_of_a_job_under_way_is_put_aside_and_the_attempt_goes_on(ward: Ward) -> None:
    with closing(ward.open()) as engine:
        engine.upkeep(NOW)
        job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        assert job is not None
        running = ward.base / "running" / f"{job.id}.json"
        copy = ward.base / "inbound" / "p5" / job.id[:8] / running.name
        shutil.copy(running, copy)

        found, _ = ward.mend()

        assert found["two_names"].mended == 1
        assert not copy.exists()
        assert len(list((ward.base / "quarantine").glob(f"*-{job.id}.json"))) == 1
        assert engine.get(job.id).state is State.RUNNING


def test_a_second_name_of_a_job_under_way_is_removed_and_the_attempt_goes_on(ward: Ward) -> None:
    with closing(ward.open()) as engine:
        job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        assert job is not None
        second = ward.base / "inbound" / "p5" / job.id[:8] / f"{job.id}.json"
        os.link(ward.base / "running" / f"{job.id}.json", second)

        ward.mend()

        assert not second.exists()
        assert engine.get(job.id).state is State.RUNNING


def test_jobs_of_a_running_bus_are_not_rescued(ward: Ward) -> None:
    with closing(ward.open()):
        found, _ = ward.mend()

    assert found["orphan"].mended == 0
    assert found["orphan"].mark is Mark.NOTE


def test_the_record_of_a_job_under_way_is_told_as_damaged_and_left(ward: Ward) -> None:
    with closing(ward.open()) as engine:
        job = engine.claim("w", now=NOW, lease=30, queues=[DEFAULT_QUEUE])
        assert job is not None
        (ward.base / "running" / f"{job.id}.json").write_text("")

        found, _ = ward.mend()

        assert found["running_damaged_live"].mended == 0
        assert (ward.base / "running" / f"{job.id}.json").exists()


def test_what_the_journal_will_restore_is_not_told_as_damaged(ward: Ward) -> None:
    engine = ward.open()
    job = engine.add(a_job(idempotency_key="last", body_hash="b"))
    die(engine)
    ward.record(job).write_bytes(b"")

    looked_at = ward.examine()
    found, _ = ward.mend()

    assert looked_at.keys() == {"orphan", "journal_left"}
    assert found["journal_left"].mended == 1
    with closing(ward.open()) as heir:
        assert heir.get(job.id).idempotency_key == "last"


def test_a_deferred_job_that_is_due_is_a_note_while_no_bus_runs_and_a_problem_beside_one(ward: Ward) -> None:
    ward.clock.wall = NOW + 3600 + 120

    alone = ward.examine()
    with closing(ward.open()):
        beside_a_bus = ward.examine()

    assert alone["due"].count == 2
    assert beside_a_bus["overdue"].kind.mark is Mark.PROBLEM


def test_jobs_for_an_action_that_is_gone_or_a_queue_without_slots_are_told(
    ward: Ward, settings: dict[str, str]
) -> None:
    with closing(ward.open()) as engine:
        engine.add(a_job(action="gone"))
        engine.add(a_job(queue="gpu"))
        engine.upkeep(NOW)

    found = ward.examine()

    assert [example.detail for example in found["action_unknown"].examples] == ["gone"]
    assert [example.where for example in found["queue_unserved"].examples] == ["gpu"]
    Path(settings["AAFAI_ACTIONS_DIR"], "gone.py").write_text("import nothing_of_that_name\n")
    assert "nothing_of_that_name" in ward.examine()["action_broken"].examples[0].detail


def test_a_folder_of_actions_that_is_gone_is_a_problem(ward: Ward, settings: dict[str, str]) -> None:
    shutil.rmtree(settings["AAFAI_ACTIONS_DIR"])

    assert ward.examine()["actions_missing"].kind.mark is Mark.PROBLEM


def test_a_key_whose_job_was_removed_by_hand_is_a_note_after_a_while(ward: Ward) -> None:
    ward.record(ward.keyed[0]).unlink()
    fresh = ward.examine()
    ward.clock.wall = time.time() + 120

    assert "key_alone" not in fresh
    assert ward.examine()["key_alone"].count == 1


def test_what_is_somebody_elses_is_told_and_left(ward: Ward) -> None:
    for place in ("inbound/read me.txt", "inbound/p5/x", "outbound/x", "tmp/x", "running/x.json", "keys/x"):
        (ward.base / place).write_text("x")
    (ward.base / "inbound" / "dropped.json").write_text('{"action": "fakejob"}')

    found, _ = ward.mend()

    assert found["foreign"].count == 6
    assert (ward.base / "inbound" / "dropped.json").exists()
    assert (ward.base / "running" / "x.json").exists()


def test_a_dropped_file_that_a_running_bus_does_not_take_is_told(ward: Ward) -> None:
    (ward.base / "inbound" / "dropped.json").write_text('{"action": "fakejob"}')
    ward.clock.wall = time.time() + 60

    alone = ward.examine()
    with closing(ward.open()):
        beside_a_bus = ward.examine()

    assert "dropped_not_taken" not in alone
    assert beside_a_bus["dropped_not_taken"].kind.mark is Mark.WARNING


def test_what_was_put_aside_is_told_with_its_reason(ward: Ward) -> None:
    (ward.base / "quarantine" / "1-a-b.json").write_text("{")
    (ward.base / "quarantine" / "1-a-b.json.reason.txt").write_text("It is half a file.\n")

    (example,) = ward.examine()["quarantined"].examples

    assert (example.where, example.detail) == ("quarantine/1-a-b.json", "It is half a file.")


def test_only_the_first_few_of_many_are_shown(ward: Ward) -> None:
    for _ in range(20):
        (ward.base / "quarantine" / f"1-a-{an_id()}.json").write_text("{")

    found = ward.examine()["quarantined"]

    assert found.count == 20
    assert len(found.examples) == 5
    assert found.what == "20 files lie in quarantine"


@pytest.mark.parametrize(
    ("place", "text", "code"),
    [
        ("FORMAT.json", '{"format": 2}', "format_unknown"),
        ("FORMAT.json", "{", "format_unknown"),
    ],
)
def test_a_folder_of_another_format_is_not_touched(ward: Ward, place: str, text: str, code: str) -> None:
    (ward.base / place).write_text(text)
    (ward.base / "tmp" / "99-0123abcd").mkdir()
    before = tree(ward.base)

    found, told = ward.mend()

    assert found[code].kind.mark is Mark.PROBLEM
    assert told == []
    assert tree(ward.base) == before


def test_a_folder_that_is_no_queue_is_not_made_one(ward: Ward, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    stranger = replace(ward, base=empty)

    found, _ = stranger.mend()

    assert "folder_not_a_queue" in found
    assert list(empty.iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(ward: Ward, tmp_path: Path) -> None:
    found, _ = replace(ward, base=tmp_path / "nowhere").mend()

    assert "folder_missing" in found
    assert not (tmp_path / "nowhere").exists()


def test_a_disk_without_room_is_a_problem(ward: Ward, settings: dict[str, str]) -> None:
    ward.config = Config.load(settings | {"AAFAI_MIN_FREE": "900000 TiB"})

    found = ward.examine()

    assert found["room_short"].kind.mark is Mark.PROBLEM


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        ({"rw", "nobarrier"}, "ext4", "mount_option"),
        ({"rw", "barrier=0"}, "ext4", "mount_option"),
        ({"rw", "data=writeback"}, "ext4", "mount_option"),
        ({"ro"}, "xfs", "mount_option"),
        ({"rw"}, "nfs4", "file_system_remote"),
        ({"rw"}, "tmpfs", "file_system_doubtful"),
    ],
)
def test_a_file_system_that_may_lose_jobs_is_told(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, options: set[str], kind: str, code: str
) -> None:
    from queues.file.ground import Mount

    mount = Mount("/srv", kind, frozenset(options))
    monkeypatch.setattr("doctor.folder.mount_of", lambda path: mount)

    assert ward.examine()[code].kind.mark >= Mark.WARNING


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_record_of_another_user_is_a_problem_and_given_back(ward: Ward) -> None:
    record = ward.record(ward.waiting[0])
    os.chown(record, 65534, 65534)

    found, _ = ward.mend()

    assert found["owner_foreign"].mended == 1
    assert record.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_among_the_records_leads_root_nowhere(ward: Ward, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    os.chown(secret, 65534, 65534)
    secret.chmod(0o604)
    record = ward.record(ward.waiting[0])
    record.unlink()
    record.symlink_to(secret)

    ward.mend()

    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (65534, 0o604)


def test_a_link_that_takes_the_place_of_a_record_meanwhile_is_not_followed(tmp_path: Path) -> None:
    from doctor.owners import _itself

    (tmp_path / "record").symlink_to("/etc/passwd")
    folder = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(OSError, match="become a link"), _itself((folder, "record")):
        pass

    os.close(folder)


def test_the_queue_is_not_opened_while_a_running_record_may_not_be_read(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ward.base / "logs").rmdir()
    monkeypatch.setattr(Patient, "may_read", lambda patient, path: False)

    found, _ = ward.mend()

    assert "Mend owners and modes first" in found["top_folder_missing"].failures[0].detail
    assert len(list((ward.base / "running").iterdir())) == 2
    assert list((ward.base / "quarantine").iterdir()) == []


def test_a_large_queue_is_read_with_progress(ward: Ward) -> None:
    with closing(ward.open()) as engine:
        engine.add_many([a_job() for _ in range(1200)])
        engine.upkeep(NOW)
    told: list[int] = []
    patient = ward.patient()
    patient.progress = told.append

    from doctor import examine

    list(examine(patient))

    assert told[:2] == [500, 1000]
