"""What a command says when something comes between: in plain words or as JSON, never as a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client.__main__ import COMMANDS, Commands
from client.bus_client import BusClient
from client.errors import HungUp
from tests.client.served import Call, Served
from tests.client.test_line import answering
from tests.house.sources import ROOT

UNKNOWN = "01935a7e-0000-7000-8000-000000000000"


def pressed(*_: Any, **__: Any) -> Any:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_who_interrupts_the_waiting_is_told_how_to_ask_again(
    served: Served, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BusClient, "wait", pressed)
    job_id = served.job()

    told = call("get", job_id, "--wait")
    as_json = call("submit", "fakejob", "--wait", "--json")

    assert (told.exit_code, told.stdout) == (130, "")
    assert f"Job {job_id} goes on.\nAsk again later: bus get {job_id} --wait" in told.stderr
    document = json.loads(as_json.stdout)
    assert (as_json.exit_code, document["code"]) == (130, "interrupted")
    assert served.stage.engine.get(document["job_id"]).state == "queued"


def test_who_interrupts_a_submission_is_told_the_key_with_which_it_stays_one_job(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BusClient, "submit", pressed)

    told = call("submit", "fakejob", "--key", "monday")
    as_json = call("submit", "fakejob", "--json")

    assert told.exit_code == as_json.exit_code == 130
    assert "--key monday can make no second job" in told.stderr
    assert len(json.loads(as_json.stdout)["idempotency_key"]) == 32


def test_whatever_else_is_interrupted_says_so(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BusClient, "list", pressed)

    told = call("list")

    assert (told.exit_code, told.stderr) == (130, "Error: Interrupted. What the bus has accepted goes on.\n")


def test_what_is_interrupted_before_it_has_begun_has_not_failed(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Commands, "resolve_command", pressed)

    told = call("list")

    assert (told.exit_code, told.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["submit", "fakejop"], "unknown_action", 2),
        (["submit"], "bad_input", 2),
        (["get"], "bad_input", 2),
        (["list", "--limit", "x"], "bad_input", 2),
        (["list", "--nonsense"], "bad_input", 2),
        (["lits"], "bad_input", 2),
        (["get", UNKNOWN], "unknown_job", 2),
        (["power", "--machine", "night"], "bad_input", 2),
        (["list", "--url", "http://127.0.0.1:1"], "unreachable", 4),
    ],
)
def test_errors_are_json_when_json_is_asked_for(call: Call, words: list[str], code: str, status: int) -> None:
    result = call(*words, "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["status"], told["code"]) == (status, "error", code), result.output
    assert told["message"]
    assert result.stderr == ""


def test_a_program_learns_the_job_id_of_whatever_it_cannot_wait_for(served: Served, call: Call) -> None:
    result = call("submit", "fakejob", "--wait", "--within", "0.05", "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["code"]) == (3, "not_in_time")
    assert served.stage.engine.get(told["job_id"]).state == "queued"


def test_a_bus_that_restarts_just_when_it_has_accepted_is_waited_for(
    served: Served, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, broken = BusClient.get, iter([HungUp("gone")])

    def once(self: BusClient, job_id: str, **more: Any) -> Any:
        for trouble in broken:
            served.stage.succeeded(job_id, 42)
            raise trouble
        return get(self, job_id, **more)

    monkeypatch.setattr(BusClient, "get", once)
    monkeypatch.setattr("client.bus_client._NEXT_LOOK", 0.01)

    result = call("submit", "fakejob", "--wait")

    assert (result.exit_code, result.stdout) == (0, "42\n"), result.stderr


def test_a_command_that_is_not_there_has_a_near_one_named(call: Call) -> None:
    assert "Did you mean 'list'?" in call("lits").stderr


@pytest.mark.parametrize("words", [[name] for name in ("list", "power", "cost", "actions")])
def test_who_writes_json_and_is_no_bus_is_said_to_be_none(call: Call, words: list[str]) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
        result = call(*words, "--url", url)

    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("Error: Who answers writes what this client does not understand (")


@pytest.mark.parametrize("result", ["a\tb\r\nc\x1b[2J\xa0", "\x00"])
def test_a_text_goes_into_a_file_as_the_action_returned_it(served: Served, call: Call, result: str) -> None:
    job_id = served.job()
    served.stage.succeeded(job_id, result)

    assert call("get", job_id, "--wait").stdout_bytes == f"{result}\n".encode()


def test_a_result_is_json_for_programs_whatever_stands_in_it(served: Served, call: Call) -> None:
    job_id = served.job()
    result = {"text": "a\xa0b\x1b[2J\x9b \u202e"}
    served.stage.succeeded(job_id, result)

    assert json.loads(call("get", job_id, "--wait").stdout) == result
    assert json.loads(call("get", job_id, "--json").stdout)["result"] == result


@pytest.mark.parametrize("words", [["submit", "fakejob"], ["get", UNKNOWN], ["files", UNKNOWN]])
def test_a_folder_that_cannot_be_written_is_said_before_anybody_is_asked(
    served: Served, call: Call, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "out").write_text("a file and no folder")

    result = call(*words, "--save", tmp_path / "out" / "below")

    assert result.exit_code == 2
    assert f"{tmp_path}/out/below: Not a directory" in result.stderr
    assert served.asked == []


def test_a_file_that_the_job_has_not_made_is_said_to_be_missing(served: Served, call: Call) -> None:
    result = call("files", served.job(), "page.txt")

    assert result.exit_code == 2
    assert "has no file 'page.txt'" in result.stderr


def run_in_a_shell(script: str, url: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    program = f"'{sys.executable}' -P -m client"
    return subprocess.run(
        ["bash", "-c", script.replace("BUS", program)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AAFAI_CLIENT_URL": url, **more},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("BUS list --json | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", 0),
        ("BUS list 2>&-", 0),
        ("BUS list >&-", 0),
        (f"BUS get {UNKNOWN} 2>&-", 2),
        (f"BUS get {UNKNOWN} >&- 2>&-", 2),
        ("BUS list </dev/null", 0),
        ("BUS list --url http://a..b", 2),
        ("BUS list > /dev/full", 2),
        ("BUS submit fakejob --params - <&-", 2),
        ("printf '\\xff' | BUS submit fakejob --params -", 2),
    ],
)
def test_streams_that_are_closed_or_end_early_make_no_traceback(
    served: Served, script: str, status: int
) -> None:
    ran = run_in_a_shell(script, served.url)

    assert ran.returncode == status, ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_result_that_the_terminal_cannot_spell_is_escaped(served: Served) -> None:
    job_id = served.job()
    served.stage.succeeded(job_id, "é\u5b57")

    ran = run_in_a_shell(f"BUS get {job_id} --wait", served.url, PYTHONIOENCODING="latin-1")

    assert ran.stdout == b"\xe9\\u5b57\n"


def test_every_command_is_there_that_was_promised() -> None:
    promised = "submit get list logs cancel retry files actions power wake cost hold config doctor completion"

    assert set(promised.split()) <= COMMANDS.keys()
