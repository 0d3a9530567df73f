"""The host is as strict as Google: what would fail there fails here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps_script.internet import Internet, Line
from tests.apps_script.script import Script
from tests.factories import NOW

PROGRAM = """
function fetched(url, options) { return UrlFetchApp.fetch(url, options).getContentText(); }
function property(value) { PropertiesService.getScriptProperties().setProperty("a", value); }
function properties() {
  for (let i = 0; i < 100; i++) PropertiesService.getUserProperties().setProperty("a" + i, "x".repeat(9000));
}
function range(...place) { return SpreadsheetApp.getActiveSheet().getRange(...place); }
function cell(value) { range(1, 1).setValue(value); return range(1, 1).getValues()[0][0]; }
function cells() { range(1, 1, 2, 2).setValues([[1, 2]]); }
function beyond() { range(1, 27).getValues(); }
function noRows() { range(1, 1, 0, 1).getValues(); }
function trigger(minutes) { ScriptApp.newTrigger("tick").timeBased().everyMinutes(minutes).create(); }
function triggers() { for (let i = 0; i < 21; i++) trigger(1); }
function tick() { return "ticked"; }
function forever() { for (;;) Utilities.sleep(60000); }
function stubborn() {
  for (;;) {
    try { Utilities.sleep(60000); } catch { property("late"); }
  }
}
function menu() { SpreadsheetApp.getUi(); }
function private_() { return "mine"; }
function unseen(isFlushed) {
  const lock = LockService.getScriptLock();
  lock.tryLock(10);
  range(1, 1).setValue("new");
  const seen = UrlFetchApp.fetch("http://hello.example/").getContentText();
  if (isFlushed) SpreadsheetApp.flush();
  lock.releaseLock();
  return seen;
}
function ended() { range(1, 1).setValue("new"); forever(); }
function accesses() { for (let i = 0; i < 1e4; i++) PropertiesService.getUserProperties().getProperty("a"); }
function documentLock() { return LockService.getDocumentLock() === null; }
function formatted(zone, pattern) { return Utilities.formatDate(new Date(0), zone, pattern); }
"""


@pytest.fixture
def internet() -> Internet:
    """A net with one server that says hello, and one that says no."""
    made = Internet()
    made.places = {
        "hello.example": lambda asked: (200, {}, b"hello"),
        "no.example": lambda asked: (404, {}, b"x" * 1000),
        "mirror.example": lambda asked: (
            200,
            {},
            f"{asked.method} {asked.headers} {asked.body.decode()}".encode(),
        ),
    }
    return made


@pytest.fixture
def script(internet: Internet, tmp_path: Path) -> Iterator[Script]:
    path = tmp_path / "Program.gs"
    path.write_text(PROGRAM)
    with Script(internet, [["a"]], {}, files=[path], now=NOW) as made:
        yield made


def error_of(script: Script, name: str, *given: object) -> str:
    return str(script.run(name, *given)["error"])


def test_fetching_waits_for_the_answer_and_takes_time(script: Script) -> None:
    run = script.run("fetched", "http://hello.example/", {})

    assert (run["value"], run["fetches"]) == ("hello", 1)
    assert run["seconds"] > 0.3


def test_fetching_throws_as_google_does(script: Script, internet: Internet) -> None:
    internet.fail("hello", Line.REFUSED, Line.SILENT)

    told = [
        error_of(script, "fetched", url, options)
        for url, options in (
            ("http://hello.example/", {}),
            ("http://hello.example/", {}),
            ("http://no.example/", {}),
            ("ftp://hello.example/", {}),
            ("http://hello.example/" + "x" * 2048, {}),
            ("http://hello.example/", {"metod": "post"}),
            ("http://hello.example/", {"headers": {"A": 1}}),
            ("http://hello.example/", {"headers": {"Host": "other"}}),
            ("http://hello.example/", {"headers": {"A": "x" * 8192}}),
        )
    ]

    assert told[0] == "Exception: Address unavailable: http://hello.example/"
    assert told[1] == "Exception: Timeout: http://hello.example/"
    assert told[2].startswith(
        "Exception: Request failed for http://no.example returned code 404. Truncated server response: "
    )
    assert len(told[2]) < 300
    assert told[3].startswith("Exception: Invalid argument")
    assert told[4] == "Exception: Limit Exceeded: URLFetch URL Length."
    assert all("Attribute provided with invalid value" in one for one in told[5:8])
    assert told[8] == "Exception: Limit Exceeded: URLFetch Header Size."


def test_refusals_can_be_muted_and_forms_are_the_usual_content(script: Script) -> None:
    assert script.run("fetched", "http://no.example/", {"muteHttpExceptions": True})["value"] == "x" * 1000
    form = script.run("fetched", "http://mirror.example/", {"method": "post", "payload": "grüß"})["value"]
    assert form == "POST {'Content-Type': 'application/x-www-form-urlencoded'} gr\u00c3\u00bc\u00c3\u009f"


@pytest.mark.parametrize(("length", "is_taken"), [(9 * 1024, True), (9 * 1024 + 1, False)])
def test_a_property_holds_nine_kilobytes(script: Script, length: int, is_taken: bool) -> None:
    assert (error_of(script, "property", "x" * length) == "") is is_taken


def test_all_properties_hold_half_a_megabyte(script: Script) -> None:
    assert "property storage quota" in error_of(script, "properties")


def test_a_cell_holds_50000_characters_and_reads_what_is_written_into_it(script: Script) -> None:
    assert "maximum of 50000 characters" in error_of(script, "cell", "x" * 50_001)
    taken = [script.run("cell", value)["value"] for value in ("x", "'=A1", "=A1", "007", "TRUE", 5)]
    assert taken == ["x", "=A1", "#NAME?", 7, True, 5]


def test_ranges_are_within_the_sheet_and_filled_whole(script: Script) -> None:
    assert "The data has 1 but the range has 2" in error_of(script, "cells")
    assert "outside the dimensions" in error_of(script, "beyond")
    assert "must be at least 1" in error_of(script, "noRows")


def test_triggers_fire_at_their_intervals_and_are_at_most_20(script: Script) -> None:
    script.run("trigger", 5)

    assert [run["value"] for run in script.wait(16)] == ["ticked"] * 3
    assert "must be one of 1, 5, 10, 15 or 30" in error_of(script, "trigger", 2)
    assert "too many triggers" in error_of(script, "triggers")


@pytest.mark.parametrize("name", ["forever", "stubborn"])
def test_a_run_ends_after_six_minutes_whatever_it_catches(script: Script, name: str) -> None:
    run = script.run(name)

    assert run["error"] == "Exceeded maximum execution time"
    assert 360 <= run["seconds"] < 430


def test_the_menu_is_for_people_only(script: Script) -> None:
    assert error_of(script, "menu") == ""
    assert "from this context" in str(script.run("menu", kind="trigger")["error"])


def test_what_is_written_is_seen_when_the_run_reads_flushes_or_ends(script: Script) -> None:
    seen = []
    script.meanwhile = [lambda: seen.append(script.rows_of("Pages"))]

    late = script.run("unseen", False)["error"]
    after = script.rows_of("Pages")
    run = script.run("unseen", True)

    assert "flush() is missing before releaseLock()" in late
    assert (seen, after) == ([[["a"]]], [["new"]])
    assert (run["error"], run["value"]) == ("", "hello")


def test_what_a_run_has_written_is_lost_when_google_ends_it(script: Script) -> None:
    script.run("ended")

    assert script.rows_of("Pages") == [["a"]]


def test_properties_are_read_and_written_50000_times_a_day(script: Script) -> None:
    assert [error_of(script, "accesses") for _ in range(5)] == [""] * 5
    assert "too many times for one day: properties" in error_of(script, "accesses")
    script.wait(24 * 60)
    assert error_of(script, "accesses") == ""


def test_a_function_whose_name_ends_in_an_underscore_is_in_no_menu(script: Script) -> None:
    assert error_of(script, "private_") == "Exception: Script function not found: private_"
    assert script.run("private_", kind="code")["value"] == "mine"


def test_what_runs_by_itself_when_the_sheet_is_opened_may_do_little(script: Script) -> None:
    run = script.run("fetched", "http://hello.example/", {}, kind="simple trigger")

    assert run["error"] == "Exception: You do not have permission to call fetch."


def test_a_web_app_has_no_lock_of_the_document(script: Script) -> None:
    assert script.run("documentLock", kind="web app")["value"] is True
    assert script.run("documentLock")["value"] is False


@pytest.mark.parametrize(
    ("zone", "pattern", "said"),
    [
        ("UTC", "yyyy-MM-dd'T'HH:mm:ssXXX", "1970-01-01T00:00:00Z"),
        ("America/New_York", "dd.MM.yyyy HH:mm XXX", "31.12.1969 19:00 -05:00"),
    ],
)
def test_dates_are_formatted_as_java_does(script: Script, zone: str, pattern: str, said: str) -> None:
    assert script.run("formatted", zone, pattern)["value"] == said
