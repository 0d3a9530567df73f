"""What else the menu does: cancel, status, files; and the functions that other code calls."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.apps_script.internet import Asked, Line, Reply
from tests.apps_script.scene import Scene

ROWS = [["url"], ["https://example.org/1"], ["https://example.org/2"]]


@pytest.fixture
def drive(scene: Scene) -> list[Asked]:
    """What Google Drive is asked for; each file gets the same link."""
    asked: list[Asked] = []

    def answered(one: Asked) -> Reply:
        asked.append(one)
        told = json.dumps({"id": "f1", "webViewLink": "https://drive/f1"})
        return 200, {"Content-Type": "application/json"}, told.encode()

    scene.internet.places["www.googleapis.com"] = answered
    return asked


def test_the_menu_names_functions_that_are_there(scene: Scene) -> None:
    script = scene.script(ROWS)

    run = script.run("onOpen", kind="simple trigger")

    (menu,) = script.state()["shown"]["menu"]
    assert run["error"] == ""
    assert menu["name"] == "aafai-bus"
    assert [item["caption"] for item in menu["items"]][:1] == ["Run for the selected rows"]
    assert {script.evaluate(f"typeof {item['name']}") for item in menu["items"]} == {"function"}


def test_selected_rows_are_cancelled_on_the_bus(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    script.select((2, 2))

    script.run("cancelSelectedRows")
    script.wait(1)

    assert script.column("status") == ["cancelled", "pending"]
    assert script.toasts()[-2].endswith("1 job asked to stop.")


def test_rows_that_were_not_sent_are_cancelled_without_the_machine(scene: Scene) -> None:
    scene.google.compute.instance()["status"] = "STOPPING"
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    asked = len(scene.internet.asked)

    script.run("cancelSelectedRows")

    assert script.column("status") == ["cancelled", "cancelled"]
    assert len(scene.internet.asked) == asked


def test_cancelling_starts_no_machine(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    scene.end()

    script.run("cancelSelectedRows")

    assert scene.google.compute.instance()["status"] == "TERMINATED"
    assert script.toasts()[-1].startswith("The machine is off, and is not started to cancel.")


def test_the_sidebar_shows_text_as_text_and_asks_nobody(scene: Scene) -> None:
    script = scene.script([["url"], ["https://example.org/<img src=x onerror=alert(1)>"]])
    script.run("runSelectedRows")
    scene.stage.progressed(scene.jobs()[0], 0.1, "<b>bold</b>")
    script.wait(1)
    asked = len(scene.internet.asked)

    script.run("showStatus")
    told = script.run("sidebarRows")["value"]

    page = script.state()["shown"]["sidebar"]["content"]
    assert "innerHTML" not in page
    assert told["lines"] == [{"where": "Pages 2", "status": "running 10 % <b>bold</b>"}]
    assert told["summary"] == "1 on the way."
    assert len(scene.internet.asked) == asked


def test_the_sidebar_tells_when_the_last_job_has_ended(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    script.run("sidebarRows")
    for job_id in scene.jobs():
        scene.stage.failed(job_id, "http_error", "No.")
    script.wait(1)
    before = len(script.toasts())

    script.run("sidebarRows")
    script.run("sidebarRows")

    assert script.toasts()[before:] == ["2 failed."]


def test_the_sidebar_says_so_when_its_list_cannot_be_had(scene: Scene) -> None:
    script = scene.script(ROWS)

    script.run("showStatus")

    page = script.state()["shown"]["sidebar"]["content"]
    assert "withFailureHandler(complain)" in page


def test_files_are_linked_in_the_bucket_in_which_the_bus_leaves_them(scene: Scene) -> None:
    scene.settings["AAFAI_BUCKET"] = "my-results"
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    (job_id, _) = scene.jobs()
    scene.stage.succeeded(job_id, "Hello")

    script.wait(1)

    assert (
        script.column("files")[0]
        == f"https://console.cloud.google.com/storage/browser/my-results/files/{job_id}"
    )


def test_files_are_copied_to_drive_and_linked(scene: Scene, drive: list[Asked]) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    job_id, _ = scene.jobs()
    (scene.folder_of(job_id) / "page 1.pdf").write_bytes(bytes(range(256)))
    scene.stage.succeeded(job_id, "Hello")

    script.run("saveFilesOfSelectedRows")

    assert (drive[0].body, drive[0].headers["Content-Type"]) == (bytes(range(256)), "application/pdf")
    assert json.loads(drive[1].body) == {"name": "page 1.pdf"}
    assert script.column("files") == ["https://drive/f1", "(none)"]


def test_links_go_with_rows_that_are_moved_while_files_are_copied(scene: Scene, drive: list[Asked]) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    (scene.folder_of(scene.jobs()[0]) / "page.pdf").write_bytes(b"%PDF")
    script.meanwhile = [lambda: None] * 3 + [lambda: script.edit("turn round")]

    script.run("saveFilesOfSelectedRows")

    links = {row["url"]: row["files"] for row in script.rows()}
    assert links == {"https://example.org/1": "https://drive/f1", "https://example.org/2": "(none)"}


def test_a_file_that_cannot_be_fetched_and_a_job_that_is_gone_keep_no_other_back(
    scene: Scene, drive: list[Asked]
) -> None:
    script = scene.script(ROWS)
    script.run("runSelectedRows")
    first, second = scene.jobs()
    for name in ("a.pdf", "b.pdf"):
        (scene.folder_of(second) / name).write_bytes(b"%PDF")
    script.edit("cell", place=2, column=4, value=str(uuid.UUID(int=uuid.UUID(first).int ^ 1)))
    scene.internet.fail("a.pdf", Line.SILENT)

    script.run("saveFilesOfSelectedRows")

    gone, fetched = script.column("files")
    assert "There is no job" in gone
    assert [line.partition(": http")[0] for line in fetched.splitlines()] == [
        "a.pdf: Timeout",
        "https://drive/f1",
    ]
    assert script.toasts()[-1] == "Files of 2 rows are saved."


def test_a_function_of_another_code_waits_for_the_result_of_an_action(scene: Scene) -> None:
    script = scene.script(ROWS)

    def done() -> None:
        scene.stage.succeeded(scene.jobs()[0], {"waited": 3})

    script.meanwhile = [lambda: None] * 6 + [done]
    run = script.run("resultOf_", "fakejob", {"delay_seconds": 3}, kind="code")

    assert (run["error"], run["value"]) == ("", {"waited": 3})


def test_a_function_of_another_code_outlives_a_bus_that_is_stopping(scene: Scene) -> None:
    scene.begin()
    script = scene.script(ROWS)
    gate = scene.stage.kernel.bus.gate

    def off() -> None:
        scene.end()
        gate.open()

    def done() -> None:
        scene.stage.succeeded(scene.jobs()[0], {"waited": 3})

    # Compute Engine and /health answer, then /inbound does not, and the machine is gone.
    script.meanwhile = [
        lambda: None,
        lambda: None,
        lambda: gate.close(retry_after=5.0),
        off,
        *[lambda: None] * 6,
        done,
    ]
    run = script.run("resultOf_", "fakejob", {"delay_seconds": 3}, kind="code")

    assert (run["error"], run["value"]) == ("", {"waited": 3})
    assert len(scene.jobs()) == 1


def test_a_function_of_another_code_throws_what_the_bus_says(scene: Scene) -> None:
    script = scene.script(ROWS)

    run = script.run("resultOf_", "fakejob", {"delay": 3}, kind="code")

    assert "params.delay" in run["error"]


def test_a_function_of_another_code_says_that_the_machine_is_off(scene: Scene) -> None:
    script = scene.script(ROWS)
    script.meanwhile = [lambda: None] * 6 + [scene.end]

    run = script.run("resultOf_", "fakejob", {"delay_seconds": 3}, kind="code")

    assert "The bus cannot be reached: The machine is off." in run["error"]
    assert scene.internet.words().count("POST start") == 1
    assert run["seconds"] < 360
