"""The command line as people and programs call it: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from client.__main__ import COMMANDS, bus
from core.jobs import LogEntry
from examples.running import free_port
from tests.client.served import Call, Served, a_token
from tests.client.test_line import answering
from tests.house.sources import ROOT

UNKNOWN = "01935a7e-0000-7000-8000-000000000000"


def test_a_submission_prints_the_job_id_alone(served: Served, call: Call) -> None:
    result = call("submit", "fakejob", "delay_seconds=1", "--priority", 7)

    job = served.stage.engine.get(result.stdout.strip())
    assert (result.exit_code, dict(job.params), job.priority) == (0, {"delay_seconds": 1}, 7)


def test_every_option_of_a_submission_arrives(served: Served, call: Call) -> None:
    options = "--run-after 3600 --timeout 2m --max-attempts 3 --batch b --key monday"

    result = call("submit", "fakejob", *options.split(), "--callback-url", "https://example.org/done")

    job = served.stage.engine.get(result.stdout.strip())
    assert result.exit_code == 0
    assert (job.timeout, job.max_attempts, job.batch) == (120.0, 3, "b")
    assert job.idempotency_key == "monday"
    assert job.callback_url == "https://example.org/done"
    assert job.run_after is not None


def test_the_result_of_a_job_is_printed_and_of_a_text_the_text_itself(served: Served, call: Call) -> None:
    first, second = served.job(), served.job()
    served.stage.succeeded(first, {"waited": 1})
    served.stage.succeeded(second, "a text\nof two lines")

    assert call("get", first, "--wait").stdout == '{\n "waited": 1\n}\n'
    assert call("get", second, "--wait").stdout == "a text\nof two lines\n"


def test_a_job_that_failed_exits_with_1_and_says_why(served: Served, call: Call) -> None:
    job_id = served.job()
    served.stage.failed(job_id, "action_error", "ValueError: no")

    result = call("get", job_id, "--wait")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Error: Job {job_id} failed: action_error: ValueError: no" in result.stderr


def test_a_job_that_has_not_ended_exits_with_3_and_says_how_to_ask_again(served: Served, call: Call) -> None:
    job_id = served.job()

    result = call("get", job_id, "--wait", "--within", "0.05")

    assert result.exit_code == 3
    assert f"bus get {job_id} --wait" in result.stderr


def test_a_token_that_may_not_read_schemas_has_numbers_taken_for_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring, text = a_token(tmp_path, scopes=("submit",))
    monkeypatch.setenv("AAFAI_TOKEN", text)

    with Served(tmp_path / "bus", keyring=keyring) as served:
        words = ["submit", "fakejob", "delay_seconds=2", "--url", served.url]
        result = CliRunner().invoke(bus, words)

    assert result.exit_code == 0, result.output
    assert dict(served.stage.engine.get(result.stdout.strip()).params) == {"delay_seconds": 2}


def test_a_bus_that_is_not_there_exits_with_4(call: Call) -> None:
    result = call("submit", "fakejob", "--url", f"http://127.0.0.1:{free_port()}", "--key", "monday")

    assert result.exit_code == 4
    assert "Nobody answers at" in result.stderr
    assert "--key" not in result.stderr  # Nobody has got it, so there is nothing to be careful about.


def test_a_bus_that_has_not_said_whether_it_has_the_job_exits_with_4_and_names_the_key(call: Call) -> None:
    words = ["submit", "fakejob", "--key", "monday", "--wake-within", "0.01"]

    with answering(b"") as url:
        result = call(*words, "--url", url)

    assert result.exit_code == 4
    assert "--key monday can make no second job" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", "fakejop"], "Did you mean 'fakejob'?"),
        (["submit", "fakejob", "delay_seconds"], "'delay_seconds' is no param"),
        (["submit", "fakejob", "delay_seconds=soon"], "How it is called: bus actions fakejob"),
        (["submit", "fakejob", "--run-after", "soon"], "run_after"),
        (["submit", "fakejob", "--key", "a\nb"], "idempotency key"),
        (["submit", "fakejob", "--within", "soon"], "'soon' is no duration"),
        (["get", UNKNOWN], "There is no job"),
        (["get", "x"], "job_id"),
        (["list", "--since", "soon"], "since"),
        (["list", "--state", "lost"], "'lost' is not one of"),
        (["cancel", UNKNOWN], "There is no job"),
        (["retry", UNKNOWN, "--params", "[]"], "no object"),
        (["files", UNKNOWN], "There is no job"),
        (["actions", "crawl"], "no action"),
        (["hold"], "either a duration or --release"),
        (["hold", "soon"], "'soon' is no duration"),
        (["cost", "soon"], ""),
        (["power", "--machine", "night"], "There is no machine 'night'"),
        (["power", "--url", "here"], "is no url of a bus"),
    ],
)
def test_bad_input_exits_with_2_and_names_what_is_bad(call: Call, words: list[str], said: str) -> None:
    result = call(*words)

    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_job_is_shown_with_all_that_people_ask_for(served: Served, call: Call) -> None:
    job_id = served.job(params={"delay_seconds": 2}, batch="b")
    served.stage.succeeded(job_id, {"waited": 1})

    result = call("get", job_id)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{job_id}  fakejob  succeeded"
    assert '  params        {"delay_seconds": 2}' in result.stdout
    assert "  batch         b" in result.stdout
    assert '"waited": 1' in result.stdout


def test_jobs_are_listed_a_line_each(served: Served, call: Call) -> None:
    first, second = served.job(), served.job()
    served.stage.failed(first, "action_error", "no")

    result = call("list")
    failed = call("list", "--state", "failed", "--json")

    head, *lines = result.stdout.splitlines()
    assert head.split() == ["JOB", "ACTION", "STATE", "SUBMITTED", "MESSAGE"]
    assert [line.split()[0] for line in lines] == [second, first]
    assert "action_error: no" in lines[1]
    assert [job["job_id"] for job in json.loads(failed.stdout)["jobs"]] == [first]
    assert call("list", "--batch", "none").stdout == "There are no such jobs.\n"


def test_the_bill_says_by_whose_prices_and_leaves_out_what_costs_nothing(call: Call) -> None:
    paid, full = {"disk": 1.0, "free": 0.0, "total": 1.0}, {"disk": 2.0, "free": 0.0, "total": 2.0}
    prices = {"machine": "a small one", "source": "the contract"}
    bill = {"month": "2026-01", "message": "Half.", "on_demand": paid, "always_on": full, "prices": prices}
    text = json.dumps({**bill, "actions": []})

    with answering(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()) as url:
        said = call("cost", "--url", url).stdout

    assert said.splitlines()[-1] == "By the prices of a small one: the contract"
    assert "disk" in said
    assert "free" not in said


def test_a_job_that_has_said_nothing_is_told_of(served: Served, call: Call) -> None:
    result = call("logs", served.job())

    assert (result.stdout, result.stderr) == ("", "It has said nothing.\n")


def test_the_log_of_a_job_is_printed_a_line_an_entry(served: Served, call: Call) -> None:
    job_id = served.job()
    now = served.stage.clock.now()
    told = [LogEntry(at=now, level="info", source="action", message="fetched \x1b[31m"), *()]
    told.append(LogEntry(at=now, level="warning", source="action", message="slow"))
    served.stage.engine.log(job_id, told)
    served.stage.succeeded(job_id, None)

    printed = call("logs", job_id).stdout
    followed = call("logs", job_id, "--follow", "--level", "warning", "--json").stdout

    assert [line.split("  ", 1)[1] for line in printed.splitlines()] == [
        "info     fetched \\x1b[31m",
        "warning  slow",
    ]
    assert [json.loads(line)["message"] for line in followed.splitlines()] == ["slow"]


def test_jobs_are_cancelled_and_run_again(served: Served, call: Call) -> None:
    first, second = served.job(), served.job()

    cancelled = call("cancel", first, second, "--reason", "not needed")
    again = call("retry", first)

    assert cancelled.stdout == f"{first} is cancelled\n{second} is cancelled\n"
    assert served.stage.engine.get(again.stdout.strip()).retried_from == first


def test_of_several_jobs_those_that_were_cancelled_are_told_when_one_cannot_be(
    served: Served, call: Call
) -> None:
    first, second = served.job(), served.job()

    told = call("cancel", first, UNKNOWN, second)
    as_json = json.loads(call("cancel", second, UNKNOWN, "--json").stdout)

    assert (told.exit_code, told.stdout) == (2, f"{first} is cancelled\n")
    assert f"There is no job {UNKNOWN}" in told.stderr
    assert [job["job_id"] for job in as_json["cancelled"]] == [second]


def test_files_are_listed_and_saved(served: Served, call: Call, tmp_path: Path) -> None:
    job_id = served.job()
    served.stage.succeeded(job_id, None)
    (served.downloads / job_id).mkdir(parents=True)
    (served.downloads / job_id / "page.txt").write_text("page")

    listed = call("files", job_id)
    saved = call("files", job_id, "--save", tmp_path / "out")
    again = call("get", job_id, "--save", tmp_path / "again")

    assert listed.stdout.split() == ["4", "page.txt"]
    assert saved.stdout == f"{tmp_path}/out/page.txt\n"
    assert again.stdout == f"{tmp_path}/again/page.txt\n"
    assert (tmp_path / "again" / "page.txt").read_text() == "page"


def test_actions_are_listed_and_one_is_shown_as_it_is_called(call: Call) -> None:
    listed = call("actions").stdout
    one = call("actions", "fakejob").stdout

    assert "fakejob           Wait.\n" in listed
    assert "broken  is broken: " in listed
    assert "bus submit fakejob [delay_seconds=<integer>]\n" in one
    assert "  delay_seconds  integer (default 5)\n" in one


def test_power_says_why_the_machine_is_on_and_a_hold_keeps_it_so(call: Call) -> None:
    held = call("hold", "2 hours", "--why", "a demonstration")
    status = call("power")
    released = call("hold", "--release")

    assert held.exit_code == status.exit_code == released.exit_code == 0
    assert "The machine stays on until" in held.stdout
    assert ": a demonstration" in held.stdout
    assert status.stdout.startswith("accepting: ")
    assert call("wake").stdout.startswith("http://127.0.0.1:")


def test_wake_says_when_nobody_is_there(call: Call) -> None:
    result = call("wake", "--url", f"http://127.0.0.1:{free_port()}")

    assert (result.exit_code, result.stdout) == (4, "")


def test_the_settings_are_shown_without_the_token(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AAFAI_TOKEN", "a-secret-token")

    shown, as_json = call("config").output, call("config", "--json").output

    assert "client.toml: none: `bus config --example`" in shown
    assert json.loads(as_json)["target"]["token"] == "(secret)"
    assert "a-secret-token" not in shown + as_json


def test_every_command_that_speaks_to_a_bus_can_answer_in_json_and_every_one_teaches() -> None:
    with click.Context(bus) as context:
        commands = {name: bus.get_command(context, name) for name in COMMANDS}

    for name, command in commands.items():
        assert command is not None
        assert len(command.get_short_help_str()) > 10, name
        options = {option for param in command.params for option in param.opts}
        if "--machine" in options:
            assert "--json" in options, name
            assert "Exit status" in (command.epilog or "") or name == "config"


def test_only_commands_that_are_called_are_imported() -> None:
    program = (
        "import sys; from client.__main__ import bus; bus(['config', '--json'], standalone_mode=False);"
        "print([m for m in ('google', 'client.doctor', 'client.submit', 'requests') if m in sys.modules])"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )

    assert ran.stdout.endswith("[]\n")
