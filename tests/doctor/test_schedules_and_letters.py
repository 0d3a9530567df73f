"""What the doctor sees in the folders of schedules and webhooks, and leaves as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.letters import Letter, letter_id
from core.outbox import Outbox
from core.scheduler_models import Schedule, ScheduledTask, registered
from doctor import Mark
from queues.schedules import FileSchedules
from tests.doctor.conftest import Ward, tree
from tests.factories import NOW, an_id


def a_letter(name: str, **fields: object) -> Letter:
    letter = Letter(id=name, url="https://example.org/?token=x", body="{}", event_type="task.failed")
    return replace(letter, **fields)  # type: ignore[arg-type]


def keep(ward: Ward, name: str, **fields: object) -> Schedule:
    """Put the schedule of a task into the queue's folder."""
    values = {"schedule": "0 9 * * *", "action": "fakejob", **fields}
    task = ScheduledTask(agent_name="tester", task_name=name, **values)  # type: ignore[arg-type]
    schedule = registered(None, task, now=NOW)
    FileSchedules(str(ward.base / "schedules")).change(task.id, lambda old: schedule)
    return schedule


def test_sound_schedules_and_letters_are_counted_and_left_alone(ward: Ward) -> None:
    ward.mend()
    keep(ward, "often")
    outbox = Outbox(ward.base / "webhooks")
    outbox.promise([ward.waiting[0].id])
    outbox.put(a_letter("msg_1"))
    outbox.secret()
    before = {**tree(ward.base / "schedules"), **tree(ward.base / "webhooks")}

    found, told = ward.mend()

    assert (found, told) == ({}, [])
    assert {**tree(ward.base / "schedules"), **tree(ward.base / "webhooks")} == before


def test_a_schedule_whose_runs_would_be_refused_is_told_unless_it_rests(ward: Ward) -> None:
    keep(ward, "gone", action="no_such_action")
    keep(ward, "closed", action="", function_path="app.reports:send")
    keep(ward, "resting", action="no_such_action", enabled=False)

    found = ward.examine()

    assert found["schedule_cannot_run"].kind.mark is Mark.WARNING
    assert {Path(one.where).stem: one.detail for one in found["schedule_cannot_run"].examples} == {
        "tester:closed": "app.reports:send names a package that is not allowed. None is allowed yet: see"
        " AAFAI_TASK_PACKAGES.",
        "tester:gone": "There is no action 'no_such_action' that can be loaded.",
    }


def test_a_schedule_of_a_zone_that_is_not_installed_is_told_and_kept_where_it_is(ward: Ward) -> None:
    keep(ward, "zone")
    path = ward.base / "schedules" / "tester:zone.json"
    path.write_text(path.read_text().replace('"UTC"', '"Europe/Atlantis"'))

    found, _ = ward.mend()

    assert "'Europe/Atlantis' is no time zone" in found["schedule_damaged"].examples[0].detail
    assert (found["schedule_damaged"].left, path.exists()) == (1, True)


def test_letters_that_were_given_up_are_told_without_what_may_be_secret(ward: Ward) -> None:
    outbox = Outbox(ward.base / "webhooks")
    outbox.put(a_letter("msg_1"))
    outbox.give_up(a_letter("msg_1", error="Answered 410."))

    found = ward.examine()["letter_given_up"]

    assert (found.kind.mark, [(one.where, one.detail) for one in found.examples]) == (
        Mark.NOTE,
        [("webhooks/given-up/msg_1.json", "task.failed for example.org: Answered 410.")],
    )


def test_a_promise_without_a_job_is_told_when_there_has_been_time_for_one(ward: Ward) -> None:
    outbox = Outbox(ward.base / "webhooks")
    alone, told, known = an_id(), an_id(), ward.succeeded[0].id
    outbox.promise([alone, told, known])
    outbox.put(a_letter(letter_id(told), job_id=told))
    written = (ward.base / "webhooks" / "promised" / alone).stat().st_mtime
    ward.clock.jump(written - ward.clock.wall + 1)

    early = ward.examine().get("promise_alone")
    ward.clock.jump(700)
    found, _ = ward.mend()

    assert early is None
    assert [one.where for one in found["promise_alone"].examples] == [f"webhooks/promised/{alone}"]
    assert set(outbox.promises()) == {alone, told, known}, "the bus forgets it by itself"


def test_a_secret_that_signs_nothing_is_a_problem_unless_a_setting_does(ward: Ward) -> None:
    outbox = Outbox(ward.base / "webhooks")
    outbox.secret()
    for text in ("", "whsec_short", "\0" * 40):
        (ward.base / "webhooks" / "secret").write_text(text)

        assert ward.examine()["secret_wrong"].kind.mark is Mark.PROBLEM

    given = replace(ward.config, webhook_secret="whsec_" + "a" * 44)
    assert "secret_wrong" not in replace(ward, config=given).examine()


def test_what_a_living_process_is_writing_is_no_left_over(ward: Ward) -> None:
    Outbox(ward.base / "webhooks").make()
    (ward.base / "webhooks" / "pending" / "msg_1.1.part").write_text("{")

    assert "letter_draft_left" not in ward.examine()


def test_strangers_in_these_folders_are_told(ward: Ward) -> None:
    Outbox(ward.base / "webhooks").make()
    (ward.base / "schedules").mkdir()
    strangers = ["schedules/notes.txt", "webhooks/old", "webhooks/promised/x", "webhooks/pending/x.txt"]
    for name in strangers:
        (ward.base / name).touch()

    found = ward.examine()["foreign"]

    assert sorted(one.where for one in found.examples) == sorted(strangers)
