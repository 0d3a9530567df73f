"""What people do to the sheet while jobs run, and what they write into it: no row gets what is another's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps_script.scene import Scene
from tests.apps_script.script import Script
from tests.conftest import Effort

URL = "https://example.org/"
ROWS = [["url"], *([f"{URL}{n}"] for n in range(3))]
OWN = ["key", "status", "job", "result", "files"]
PARAMS = "rowsOf_(SpreadsheetApp.getActiveSheet(), true)[0].params"


@pytest.fixture
def script(scene: Scene) -> Script:
    """A sheet of three rows that have been sent."""
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    return script


def end_all(scene: Scene) -> None:
    """Let each job that has not ended succeed with its own url."""
    for job in map(scene.stage.engine.get, scene.jobs()):
        if not job.state.ended:
            scene.stage.succeeded(job.id, job.params["url"])


def test_rows_that_are_sorted_while_jobs_run_get_their_own_results(scene: Scene, script: Script) -> None:
    end_all(scene)
    script.meanwhile = [lambda: script.edit("turn round")]

    script.wait(1)

    assert script.column("url") == [f"{URL}2", f"{URL}1", f"{URL}0"]
    assert script.column("result") == script.column("url")


def test_a_sheet_that_is_renamed_goes_on(scene: Scene, script: Script) -> None:
    script.edit("rename sheet", value="Other")
    end_all(scene)

    script.wait(1)

    rows = script.rows_of("Other")
    assert [row[4] for row in rows[1:]] == [f"{URL}{n}" for n in range(3)]


def test_a_sheet_that_is_deleted_ends_the_polling(scene: Scene, script: Script) -> None:
    script.edit("delete sheet")

    polls = script.wait(30)

    assert [(poll["error"], poll["fetches"]) for poll in polls] == [("", 0)]
    assert script.triggers() == []


def test_columns_that_somebody_takes_apart_end_the_polling_until_they_are_put_back(
    scene: Scene, script: Script
) -> None:
    script.edit("cell", place=1, column=4, value="mine")
    polls = script.wait(30)
    triggers = script.triggers()
    end_all(scene)
    script.edit("cell", place=1, column=4, value="Job")

    script.run("refreshNow")

    assert [poll["error"] for poll in polls] == [""]
    assert triggers == []
    assert [row["result"] for row in script.rows()] == [f"{URL}{n}" for n in range(3)]


def test_a_sheet_that_nobody_may_write_does_not_keep_the_trigger_for_ever(
    scene: Scene, script: Script
) -> None:
    end_all(scene)
    script.edit("protect")

    script.wait(25 * 60)

    assert script.triggers() == []
    assert max(script.state()["spent"]) < 90 * 60 * 1000


def test_two_people_who_run_the_same_rows_at_once_have_one_job_a_row(scene: Scene, effort: Effort) -> None:
    """The second begins at any call that the first makes of a service."""
    for moment in moments(scene, effort):
        scene.end()
        before = len(scene.jobs())
        script = scene.script(ROWS)
        script.on_pause = lambda script=script: script.run("runSelectedRows", user="bob")

        script.run("runSelectedRows", pausesAt=moment)
        script.wait(2)

        assert len(scene.jobs()) - before == 3
        assert len(set(script.column("job"))) == 3


def test_rows_that_are_sorted_at_any_moment_of_a_run_get_their_own_results(
    scene: Scene, effort: Effort
) -> None:
    for moment in moments(scene, effort):
        scene.end()
        script = scene.script(ROWS)
        script.on_pause = lambda script=script: script.edit("turn round")
        script.run("runSelectedRows", pausesAt=moment)
        end_all(scene)

        script.wait(5)

        assert script.column("url") == [f"{URL}{n}" for n in (2, 1, 0)]
        assert script.column("result") == script.column("url")
        assert script.triggers() == []


@pytest.mark.parametrize("how", ["insert row", "turn round"])
@pytest.mark.parametrize("moment", range(18, 28))
def test_rows_that_are_moved_while_a_poll_writes_keep_what_is_theirs(
    scene: Scene, script: Script, moment: int, how: str
) -> None:
    """One has ended, one gets on, one waits still."""
    jobs = scene.jobs()
    scene.stage.succeeded(jobs[0], "Hello")
    scene.stage.progressed(jobs[1], 0.5, "half")
    script.on_pause = lambda: script.edit(how, place=3)

    poll = script.fire(pausesAt=moment)
    script.fire()

    ends = [("complete", "Hello"), ("running 50 % half", ""), ("pending", "")]
    expected = {job_id: (f"{URL}{n}", *ends[n]) for n, job_id in enumerate(jobs)}
    rows = {row["job"]: (row["url"], row["status"], row["result"]) for row in script.rows()}
    assert poll["calls"] > 30
    assert {job_id: row for job_id, row in rows.items() if job_id} == expected
    assert [[*row.values()] for row in script.rows() if not row["url"]] in ([], [[""] * 6])


def moments(scene: Scene, effort: Effort) -> range:
    """Return calls of services of a run, by their number: each of them, or some of each part of it."""
    whole = scene.script(ROWS).run("runSelectedRows")["calls"]
    assert whole > 60
    return range(1, whole, effort(11, 1))


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (True, True),
        (0, 0),
        (0.5, 0.5),
        ("#N/A", "#N/A"),
        ("  ", "  "),
        ("=A1", "=A1"),
    ],
)
def test_a_cell_is_sent_as_what_it_is(scene: Scene, value: Any, param: Any) -> None:
    script = scene.script([["url", "x", *OWN], [URL, value]])

    assert script.evaluate(PARAMS) == {"url": URL, "x": param}


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-01-02T23:00:00Z", "2026-01-03T00:00:00+01:00"),
        ("2026-07-02T10:30:05Z", "2026-07-02T12:30:05+02:00"),
        ("1899-12-30T08:00:00Z", "1899-12-30T09:00:00+01:00"),
    ],
)
def test_a_date_is_said_as_the_spreadsheet_shows_it(scene: Scene, moment: str, said: str) -> None:
    script = scene.script([["url", "since", *OWN], [URL, ""]])

    script.evaluate(f"SpreadsheetApp.getActiveSheet().rows[1][1] = new Date('{moment}')")

    assert script.evaluate(PARAMS) == {"url": URL, "since": said}


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ([" url ", "", "Title"], {"url": "a", "Title": "c"}),
        (["url", "status", "x"], {"url": "a", "status": "b", "x": "c"}),
        (["__proto__", "constructor", 7], {"__proto__": "a", "constructor": "b", "7": "c"}),
    ],
)
def test_params_are_named_by_their_columns_however_odd(
    scene: Scene, head: list[Any], names: dict[str, Any]
) -> None:
    script = scene.script([[*head, "Key", "STATUS", "job", "result ", "files"], ["a", "b", "c"]])

    assert script.evaluate(PARAMS) == names


def test_two_columns_of_one_name_are_said_before_anything_is_sent(scene: Scene) -> None:
    script = scene.script([["url", "url"], [URL, f"{URL}other"]])

    script.run("runSelectedRows")

    assert script.toasts() == ["Two columns are named url: rename one, or leave its name empty."]
    assert scene.internet.asked == []


def test_columns_of_plain_text_which_show_the_apostrophe_disturb_nobody(scene: Scene) -> None:
    script = scene.script([["url", *OWN], [URL]])
    for column in range(2, 7):
        script.edit("plain text", column=column)
    script.run("runSelectedRows")
    scene.stage.succeeded(scene.jobs()[0], "=IMPORTXML(A1)")

    script.wait(2)

    assert script.triggers() == []
    assert script.state()["sheets"]["Pages"]["formulas"] == 0


@pytest.mark.parametrize(("room", "status"), [(0, ""), (20, "waiting")])
def test_properties_that_are_full_make_no_job_and_are_said(scene: Scene, room: int, status: str) -> None:
    script = scene.script([["url"], [URL]])
    script.evaluate(
        "{ const kept = PropertiesService.getDocumentProperties();"
        " for (let i = 10; i < 65; i++) kept.setProperty('k' + i, 'x'.repeat(9200));"
        f" kept.setProperty('k', 'x'.repeat(512000 - 55 * 9203 - 1 - {room})); null }}"
    )

    run = script.run("runSelectedRows")
    marked = script.column("status")
    script.wait(90)

    assert "You have exceeded the property storage quota." in run["error"]
    assert marked == [status]
    assert (script.triggers(), scene.jobs()) == ([], [])


def test_each_of_two_people_has_a_trigger_and_both_are_gone_at_the_end(scene: Scene) -> None:
    script = scene.script([["url"], *([f"{URL}{n}"] for n in range(4))])
    script.select((2, 3))
    script.run("runSelectedRows", user="ann")
    script.select((4, 5))
    script.run("runSelectedRows", user="bob")
    triggers = script.triggers()
    end_all(scene)

    script.wait(2)

    assert triggers == [1, 1]
    assert script.column("result") == [f"{URL}{n}" for n in range(4)]
    assert script.triggers() == []
