"""The sheet: what rows ask for, what is written into them, and what people do to them meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps_script.scene import Scene

URL = "https://example.org/"


def test_cells_become_params_by_their_type_and_empty_ones_are_left_out(scene: Scene) -> None:
    scene.settings["AAFAI_ACTION"] = "fakejob"
    script = scene.script([["delay_seconds", "", "note to self"], [3, "x", ""], ["", "", ""], [4, "", ""]])

    script.run("runSelectedRows")

    assert scene.params() == [{"delay_seconds": 3}, {"delay_seconds": 4}]
    assert script.column("status") == ["pending", "", "pending"]


def test_lists_and_objects_are_written_as_json(scene: Scene) -> None:
    script = scene.script([["url"], [URL]])

    values = [script.evaluate(f"param_({text})") for text in ("'[1, 2]'", "' {\"a\": 1}'", "'[not json'")]

    assert values == [[1, 2], {"a": 1}, "[not json"]


def test_rows_may_name_actions_of_their_own(scene: Scene) -> None:
    rows = [["action", "url", "delay_seconds"], ["download_website", URL, ""], ["fakejob", "", 2]]
    script = scene.script(rows)

    script.run("runSelectedRows")

    assert sorted(scene.stage.engine.get(job_id).action for job_id in scene.jobs()) == [
        "download_website",
        "fakejob",
    ]
    assert script.column("status") == ["pending", "pending"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("Download Website", 'No action can be named "Download Website".'),
        ("download_wbsite", "There is no action named 'download_wbsite'. Did you mean 'download_website'?"),
        ("broken", "The action 'broken' could not be loaded"),
    ],
)
def test_an_action_that_cannot_be_had_is_said_in_its_rows_only(scene: Scene, action: str, said: str) -> None:
    script = scene.script([["action", "url"], [action, URL], ["download_website", URL], [action, URL]])

    script.run("runSelectedRows")

    assert script.column("status") == ["failed", "pending", "failed"]
    assert said in script.column("result")[0]
    assert len(scene.jobs()) == 1


def test_a_row_that_is_refused_leaves_the_others_alone(scene: Scene) -> None:
    script = scene.script([["url", "nonsense"], [URL, ""], [URL, 1], [URL, ""]])

    script.run("runSelectedRows")

    assert script.column("status") == ["pending", "failed", "pending"]
    assert "params.nonsense" in script.column("result")[1]
    assert "jobs[" not in script.column("result")[1]
    assert len(scene.jobs()) == 2


def test_a_sheet_full_of_mistakes_is_not_sent_row_by_row(scene: Scene) -> None:
    script = scene.script([["nonsense"], *([n] for n in range(100))])

    run = script.run("runSelectedRows")

    assert script.column("status") == ["failed"] * 100
    assert "too many other rows were refused" in script.column("result")[99]
    assert run["fetches"] < 40


def test_half_a_character_spoils_only_its_own_row(scene: Scene) -> None:
    script = scene.script([["url"], *([f"{URL}{n}"] for n in range(7))])
    script.evaluate("SpreadsheetApp.getActiveSheet().rows[4][0] = 'https://example.org/\\ud800'")

    script.run("runSelectedRows")

    assert [status for status in script.column("status") if status != "pending"] == ["failed"]
    assert len(scene.jobs()) == 6


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ("=IMPORTXML(A1)", "=IMPORTXML(A1)"),
        ("+49 30 1234", "+49 30 1234"),
        ("'quoted'", "'quoted'"),
        ("007", "007"),
        ("2024-01-02", "2024-01-02"),
        ("true", "true"),
        (42, 42),
        (True, True),
        (None, "(nothing)"),
        ({"text": "", "warning": None}, "(no text)"),
        ({"waited": 1}, '{\n "waited": 1\n}'),
        (["a"], '[\n "a"\n]'),
    ],
)
def test_a_result_stands_in_its_cell_as_it_is_and_never_as_a_formula(
    scene: Scene, result: Any, shown: Any
) -> None:
    script = scene.script([["url"], [URL]])
    script.run("runSelectedRows")
    scene.stage.succeeded(scene.jobs()[0], result)

    script.wait(1)

    assert script.column("result") == [shown]
    assert script.state()["sheets"]["Pages"]["formulas"] == 0
    assert script.triggers() == []


@pytest.mark.parametrize("length", [49_999, 50_000, 50_001, 10_000_000])
def test_a_result_is_cut_to_what_a_cell_holds_and_says_so(scene: Scene, length: int) -> None:
    script = scene.script([["url"], [URL]])
    script.run("runSelectedRows")
    scene.stage.succeeded(scene.jobs()[0], {"text": "x" * length})

    (poll,) = script.wait(1)

    (cell,) = script.column("result")
    assert poll["error"] == ""
    assert len(cell) <= 50_000
    assert (
        cell == "x" * length
        if length < 50_000
        else cell.endswith(f"(cut: it has {length} characters, a cell holds 50000)")
    )


def test_results_too_large_for_one_answer_come_with_the_next(scene: Scene) -> None:
    script = scene.script([["url"], *([f"{URL}{n}"] for n in range(3))])
    script.run("runSelectedRows")
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, {"text": "x" * 9_000_000})

    script.wait(1)
    first = script.column("status")
    script.wait(3)

    assert sorted(first) == ["complete", "pending", "pending"]
    assert script.column("status") == ["complete"] * 3


def test_a_sheet_with_2000_rows_is_sent_in_two_requests_and_polled_with_one(scene: Scene) -> None:
    script = scene.script([["url"], *([f"{URL}{n}"] for n in range(2000))])

    run = script.run("runSelectedRows")
    polls = script.wait(3)
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, {"text": "Hello"})
    polls += script.wait(5)

    assert scene.internet.words().count("POST inbound") == 2
    assert (run["error"], run["seconds"] < 360) == ("", True)
    assert len(scene.jobs()) == 2000
    assert max(poll["fetches"] for poll in polls) == 1
    assert script.column("status") == ["complete"] * 2000


def test_rows_that_are_moved_meanwhile_get_their_own_results(scene: Scene) -> None:
    script = scene.script([["url"], [f"{URL}a"], [f"{URL}b"]])
    script.run("runSelectedRows")
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, scene.stage.engine.get(job_id).params["url"])
    script.meanwhile = [lambda: script.edit("insert row", place=2)]

    script.wait(1)

    assert [(row["url"], row["result"]) for row in script.rows()] == [
        ("", ""),
        (f"{URL}a", f"{URL}a"),
        (f"{URL}b", f"{URL}b"),
    ]


def test_a_row_that_is_deleted_while_its_job_runs_disturbs_nobody(scene: Scene) -> None:
    script = scene.script([["url"], [f"{URL}a"], [f"{URL}b"]])
    script.run("runSelectedRows")
    for job_id in scene.jobs():
        scene.stage.succeeded(job_id, scene.stage.engine.get(job_id).params["url"])
    script.meanwhile = [lambda: script.edit("delete row", place=2)]

    script.wait(1)

    assert [(row["url"], row["result"]) for row in script.rows()] == [(f"{URL}b", f"{URL}b")]
    assert script.triggers() == []


def test_a_row_that_is_deleted_while_it_is_sent_leaves_the_others_their_jobs(scene: Scene) -> None:
    scene.begin()
    script = scene.script([["url"], [f"{URL}a"], [f"{URL}b"]])
    script.meanwhile = [lambda: None, lambda: None, lambda: script.edit("delete row", place=2)]

    script.run("runSelectedRows")

    (row,) = script.rows()
    assert scene.stage.engine.get(row["job"]).params == {"url": f"{URL}b"}


def test_a_row_that_runs_is_not_run_a_second_time(scene: Scene) -> None:
    script = scene.script([["url"], [URL]])
    script.run("runSelectedRows")

    script.run("runSelectedRows")

    assert len(scene.jobs()) == 1
    assert script.toasts()[-1].startswith("Nothing to run")


def test_a_row_that_has_ended_is_run_again_as_a_new_job(scene: Scene) -> None:
    script = scene.script([["url"], [URL]])
    script.run("runSelectedRows")
    scene.stage.succeeded(scene.jobs()[0], "old")
    script.wait(1)

    script.run("runSelectedRows")

    assert len(scene.jobs()) == 2
    assert (script.column("status"), script.column("result")) == (["pending"], [""])


def test_rows_that_a_filter_hides_are_not_run(scene: Scene) -> None:
    script = scene.script([["url"], [f"{URL}a"], [f"{URL}b"]])
    script.edit("filter", hidden=[2])

    script.run("runSelectedRows")

    assert scene.params() == [{"url": f"{URL}b"}]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["url", "status", "mine", "job", "result"], [URL]], "must stand side by side in this order"),
        ([], "The sheet is empty. Name the params in its first row, such as url."),
        ([["url"], [""]], "Nothing to run"),
    ],
)
def test_a_sheet_that_cannot_be_run_is_left_as_it_is(scene: Scene, rows: list[Any], said: str) -> None:
    script = scene.script(rows)
    script.select((1, 3))

    run = script.run("runSelectedRows")

    assert run["error"] == ""
    assert said in script.toasts()[-1]
    assert scene.internet.asked == []


def test_columns_to_the_right_are_left_alone(scene: Scene) -> None:
    head = ["url", "key", "status", "job", "result", "files", "mine"]
    script = scene.script([head, [URL, "", "", "", "", "", "=LEN(D2)"]])
    script.run("runSelectedRows")
    scene.stage.succeeded(scene.jobs()[0], "Hello")

    script.wait(1)

    assert script.column("mine") == ["=LEN(D2)"]
    assert script.column("result") == ["Hello"]
