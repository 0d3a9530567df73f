"""Each kind of damage, made by hand: it is told, and nothing changes by that; it is mended, and is gone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.jobs import State
from core.letters import Letter
from core.outbox import Outbox
from core.scheduler_models import ScheduledTask, registered
from doctor import Mark
from tests.doctor.conftest import Ward, tree
from tests.factories import NOW, a_job, an_id
from tests.queues.conftest import die

Damage = Callable[[Ward], object]


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)


def level(ward: Ward, priority: int, job_id: str) -> Path:
    bucket = ward.base / "inbound" / f"p{priority}" / job_id[:8]
    bucket.mkdir(parents=True, exist_ok=True)
    return bucket


def copy_waiting(ward: Ward) -> None:
    record = ward.record(ward.waiting[0])
    shutil.copy2(record, level(ward, 9, record.stem))


def link_waiting(ward: Ward) -> None:
    record = ward.record(ward.waiting[0])
    os.link(record, level(ward, 9, record.stem) / record.name)


def copy_running(ward: Ward) -> None:
    record = ward.record(ward.orphans[0])
    shutil.copy2(record, level(ward, 5, record.stem))


def bring_back_waiting(ward: Ward) -> None:
    job = ward.succeeded[0]
    document = json.loads(ward.record(job).read_text())
    del document["state"]
    rewrite(level(ward, 5, job.id) / f"{job.id}.json", json.dumps(document))


def bring_back_running(ward: Ward) -> None:
    job = ward.succeeded[0]
    document = json.loads(ward.record(job).read_text())
    del document["state"]
    rewrite(ward.base / "running" / f"{job.id}.json", json.dumps(document))


def misplace(ward: Ward) -> None:
    record = ward.record(ward.waiting[0])
    elsewhere = ward.base / "inbound" / "p5" / "deadbeef"
    elsewhere.mkdir()
    record.rename(elsewhere / record.name)


def misplace_deeply(ward: Ward) -> None:
    record = ward.record(ward.succeeded[0])
    elsewhere = ward.base / "outbound" / "old things" / "of May"
    elsewhere.mkdir(parents=True)
    record.rename(elsewhere / record.name)


def lose_outbound(ward: Ward) -> None:
    (ward.base / "outbound" / ward.failed[0].id[:8] / f"{ward.failed[0].id}.json").unlink()


def edit_view(ward: Ward) -> None:
    view = ward.base / "failed" / f"{ward.failed[0].id}.json"
    text = view.read_text()
    view.unlink()
    view.write_text(text + "\n")


def purge_by_hand(ward: Ward) -> None:
    lose_outbound(ward)
    job_id = ward.failed[0].id
    (ward.base / "tombstones" / f"{job_id[:8]}.txt").write_text(f"\n{job_id}\n")


def misdate(ward: Ward) -> None:
    os.utime(ward.record(ward.deferred[0]), (NOW + 9e5, NOW + 9e5))


def a_key_file(ward: Ward) -> Path:
    return min((ward.base / "keys").rglob("*.json"))


def break_key(ward: Ward) -> None:
    """Break the key without its job, whose record is another name of the same file."""
    key = a_key_file(ward)
    key.unlink()
    key.write_text("{}")


def swap_keys(ward: Ward) -> None:
    one, other = sorted((ward.base / "keys").rglob("*.json"))
    content = other.read_bytes()
    one.unlink()
    one.write_bytes(content)


def put(place: str, text: str = "x") -> Damage:
    def do(ward: Ward) -> None:
        path = ward.base / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return do


def remove(place: str) -> Damage:
    def do(ward: Ward) -> None:
        path = ward.base / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return do


def in_record(sort: str, change: Callable[[Path], object]) -> Damage:
    return lambda ward: change(ward.record(getattr(ward, sort)[0]))


ID = an_id()

SCHEDULE = "schedules/tester:often.json"


def a_schedule(action: str = "fakejob") -> str:
    task = ScheduledTask(agent_name="tester", task_name="often", schedule="0 9 * * *", action=action)
    return json.dumps(registered(None, task, now=NOW).to_json())


def break_letter(ward: Ward) -> None:
    outbox = Outbox(ward.base / "webhooks")
    outbox.put(Letter(id="msg_1", url="https://example.org/", body="{}", event_type="a.b"))
    (ward.base / "webhooks" / "pending" / "msg_2.json").write_text("{}")


#: What is done, what is found, and how it is marked.
MENDABLE: dict[str, tuple[Damage, str, Mark]] = {
    "an empty record": (
        in_record("waiting", lambda path: path.write_bytes(b"")),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "half a record": (
        in_record("deferred", lambda path: path.write_bytes(path.read_bytes()[:50])),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "a folder in place of a record": (
        in_record("waiting", lambda path: (path.unlink(), path.mkdir())),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "a link in place of a record": (
        in_record("waiting", lambda path: (path.unlink(), path.symlink_to("/etc/passwd"))),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "a pipe in place of a record": (
        in_record("waiting", lambda path: (path.unlink(), os.mkfifo(path))),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "the record of another job": (
        in_record("waiting", lambda path: path.write_text(path.read_text().replace(path.stem, an_id()))),
        "record_damaged",
        Mark.PROBLEM,
    ),
    "a damaged final record": (
        in_record("succeeded", lambda path: path.write_text("{")),
        "final_damaged",
        Mark.PROBLEM,
    ),
    "a large result that is gone": (
        in_record("large", lambda path: path.with_suffix(".result.json").unlink()),
        "final_damaged",
        Mark.PROBLEM,
    ),
    "a large result that is damaged": (
        in_record("large", lambda path: path.with_suffix(".result.json").write_text('"x')),
        "final_damaged",
        Mark.PROBLEM,
    ),
    "a result without its record": (
        in_record("large", lambda path: path.unlink()),
        "result_stray",
        Mark.NOTE,
    ),
    "a damaged record of a dead worker": (
        in_record("orphans", lambda path: path.write_text("")),
        "running_damaged",
        Mark.PROBLEM,
    ),
    "a dead worker": (lambda ward: None, "orphan", Mark.NOTE),
    "a record that was copied": (copy_waiting, "waiting_twice", Mark.WARNING),
    "a record that was linked": (link_waiting, "waiting_twice", Mark.WARNING),
    "a running record that was copied": (copy_running, "two_names", Mark.WARNING),
    "an ended job that waits again": (bring_back_waiting, "waiting_over", Mark.NOTE),
    "an ended job that runs again": (bring_back_running, "running_over", Mark.NOTE),
    "a record in the wrong bucket": (misplace, "misplaced", Mark.PROBLEM),
    "a final record in a folder of somebody's": (misplace_deeply, "misplaced", Mark.PROBLEM),
    "a wrong file time": (misdate, "misdated", Mark.WARNING),
    "a failed job not shown": (
        lambda ward: (ward.base / "failed" / f"{ward.failed[0].id}.json").unlink(),
        "failed_not_shown",
        Mark.NOTE,
    ),
    "a failed job shown only": (lose_outbound, "failed_only_there", Mark.WARNING),
    "a failed job shown otherwise": (edit_view, "failed_odd", Mark.NOTE),
    "a purged job still shown": (purge_by_hand, "failed_dangling", Mark.NOTE),
    "a stranger in failed/": (put(f"failed/{ID}.json"), "failed_dangling", Mark.NOTE),
    "a damaged key": (break_key, "key_damaged", Mark.WARNING),
    "a key that holds another": (swap_keys, "key_damaged", Mark.WARNING),
    "the folder of a dead process": (put("tmp/99-0123abcd/draft"), "scratch_left", Mark.NOTE),
    "the journal of a dead process": (put("journal/99-0123abcd.0.journal", "\0"), "journal_left", Mark.NOTE),
    "a draft of the format": (put("FORMAT.json.0123abcd"), "draft_left", Mark.NOTE),
    "a wish for a job that does not run": (put(f"running/{ID}.cancel", "{}"), "cancel_left", Mark.NOTE),
    "progress of a job that does not run": (put(f"run/live/{ID}.json", "{}"), "live_left", Mark.NOTE),
    "a draft of progress": (put(f"run/live/.{ID}.7", "{}"), "live_left", Mark.NOTE),
    "a damaged schedule": (put(SCHEDULE, a_schedule()[:-9]), "schedule_damaged", Mark.PROBLEM),
    "the schedule of another": (put("schedules/a:b.json", a_schedule()), "schedule_damaged", Mark.PROBLEM),
    "a folder in place of a schedule": (put(f"{SCHEDULE}/x"), "schedule_damaged", Mark.PROBLEM),
    "a draft of a schedule": (put("schedules/.draft", "{"), "schedule_draft_left", Mark.NOTE),
    "a damaged letter": (break_letter, "letter_damaged", Mark.WARNING),
    "a letter under another name": (
        lambda ward: (
            break_letter(ward),
            (ward.base / "webhooks/pending/msg_1.json").rename(ward.base / "webhooks/pending/msg_2.json"),
        ),
        "letter_damaged",
        Mark.WARNING,
    ),
    "a draft of a letter": (put("webhooks/pending/msg_1.4194305.part"), "letter_draft_left", Mark.NOTE),
    "a draft of the secret": (put("webhooks/secret.4194305.part"), "letter_draft_left", Mark.NOTE),
    "a schedule that others may change": (
        lambda ward: (put(SCHEDULE, a_schedule())(ward), (ward.base / SCHEDULE).chmod(0o666)),
        "mode_open",
        Mark.WARNING,
    ),
    "no format": (remove("FORMAT.json"), "format_missing", Mark.WARNING),
    "no reserve": (remove("reserve.bin"), "reserve_missing", Mark.WARNING),
    "a reserve that is too small": (put("reserve.bin"), "reserve_odd", Mark.WARNING),
    "a folder missing": (remove("logs"), "top_folder_missing", Mark.PROBLEM),
    "a record that others may change": (
        in_record("waiting", lambda path: path.chmod(0o666)),
        "mode_open",
        Mark.WARNING,
    ),
    "a folder that the group may change": (
        lambda ward: (ward.base / "outbound").chmod(0o770),
        "mode_open",
        Mark.WARNING,
    ),
    "a record that nobody may read": (
        in_record("waiting", lambda path: path.chmod(0o000)),
        "mode_shut",
        Mark.PROBLEM,
    ),
}


@pytest.mark.parametrize("damage", MENDABLE)
def test_damage_is_told_without_changing_anything(ward: Ward, damage: str) -> None:
    make, code, mark = MENDABLE[damage]
    make(ward)
    before = tree(ward.base)

    found = ward.examine()

    assert found[code].kind.mark is mark
    assert found[code].left == found[code].count
    assert tree(ward.base) == before


@pytest.mark.parametrize("damage", MENDABLE)
def test_damage_is_mended_told_and_then_gone(ward: Ward, damage: str) -> None:
    make, code, _ = MENDABLE[damage]
    make(ward)

    found, told = ward.mend()

    assert not [finding.failures for finding in found.values() if finding.failures]
    assert found[code].left == 0
    assert len(told) == sum(finding.mended for finding in found.values())
    assert found.keys() <= {code, "orphan", "quarantined", "mode_open", "record_damaged", "final_damaged"}
    assert ward.examine().keys() <= {"quarantined", "foreign"}


def test_a_key_that_holds_another_is_told_and_mended_though_a_journal_names_it(
    make_ward: Callable[[], Ward],
) -> None:
    ward = make_ward()
    engine = ward.open()
    jobs = [engine.add(a_job(idempotency_key=f"k{number}", body_hash="b")) for number in range(2)]
    swap_keys(ward)
    die(engine)

    told, (_, mended) = ward.examine(), ward.mend()

    assert [found.detail for found in told["key_damaged"].examples] == [
        "It holds another key than its name says."
    ]
    assert any("made true" in done for done in mended)
    assert ward.examine().keys() == {"quarantined"}
    with closing(ward.open()) as heir:
        again = [heir.add(a_job(idempotency_key=job.idempotency_key, body_hash="b")) for job in jobs]
    assert again == jobs


def test_a_sound_queue_after_a_crash_has_orphans_and_nothing_else(ward: Ward) -> None:
    assert ward.examine().keys() == {"orphan"}


def test_every_job_of_a_dead_worker_waits_again(ward: Ward) -> None:
    ward.mend()

    with_engine = ward.open()
    assert {with_engine.get(job.id).state for job in ward.orphans} == {State.QUEUED}
    with_engine.close()
