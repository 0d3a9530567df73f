"""The client examples, each run as a user runs it, against a real bus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.running import ROOT, RunningBus, a_bus, free_port

pytestmark = pytest.mark.alone

TOKEN = "a-token-of-thirty-two-characters"
ACTION = '''
from core import action

@action(isolation="thread")
def run(number: int, word: str = "pending") -> dict[str, object]:
    """Double a number, and answer with words that clients look for."""
    if number < 0:
        raise ValueError("It is negative.")
    return {"status": "failed", "job_id": "another", "doubled": 2 * number, "word": word}
'''
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBus]:
    """A bus that wants a token, with an action of its own."""
    folder = tmp_path_factory.mktemp("bus")
    (folder / "actions").mkdir()
    (folder / "actions" / "double.py").write_text(ACTION)
    settings = {
        "AAFAI_ACTIONS_DIR": str(folder / "actions"),
        "AAFAI_TOKEN": TOKEN,
        "AAFAI_BACKOFF_BASE": "0.1",
    }
    with a_bus(folder, **settings) as running:
        yield running


@pytest.fixture
def run(bus: RunningBus) -> Run:
    """Run an example as its user does."""

    def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {**os.environ, "AAFAI_CLIENT_URL": bus.url, "AAFAI_TOKEN": TOKEN, **environment}
        return subprocess.run(
            argv, cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=100
        )

    return run


CURL, SUBMIT = ("examples/curl.sh",), (sys.executable, "examples/submit.py")


def test_curl_submits_and_prints_the_result(run: Run) -> None:
    done = run(*CURL, "double", '{"number": 21}')

    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"]) == (0, "complete")
    assert answer["result"]["doubled"] == 42
    assert answer["job_id"] in done.stderr


def test_python_submits_and_prints_the_result(run: Run) -> None:
    done = run(*SUBMIT, "double", "number=21", "word=a b")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {
        "status": "failed",
        "job_id": "another",
        "doubled": 42,
        "word": "a b",
    }


@pytest.mark.parametrize("argv", [(*CURL, "double", '{"number": -1}'), (*SUBMIT, "double", "number=-1")])
def test_a_job_that_fails_is_told_apart(run: Run, argv: tuple[str, ...]) -> None:
    done = run(*argv)

    assert done.returncode == 1
    assert "It is negative." in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((*CURL, "doubel"), "unknown_action"),
        ((*CURL, "double", '{"number": "x"}'), "params.number"),
        ((*CURL, "double", "{number: 1}"), "bad_json"),
        ((*CURL,), "usage: "),
        ((*SUBMIT, "doubel"), "unknown_action"),
        ((*SUBMIT, "double", "number=x"), "params.number"),
        (SUBMIT, "examples/submit.py"),
    ],
)
def test_what_the_bus_refuses_is_shown(run: Run, argv: tuple[str, ...], said: str) -> None:
    done = run(*argv)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("argv", [(*CURL, "double"), (*SUBMIT, "double")])
def test_a_wrong_token_is_told(run: Run, argv: tuple[str, ...]) -> None:
    done = run(*argv, AAFAI_TOKEN="another-token-of-some-characters")

    assert done.returncode == 2
    assert "unauthorized" in done.stderr


def test_python_tells_when_nobody_answers(run: Run) -> None:
    done = run(*SUBMIT, "double", "number=1", AAFAI_CLIENT_URL=f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 4
    assert "does not answer" in done.stderr


def test_curl_tells_when_the_name_is_unknown(run: Run) -> None:
    done = run(*CURL, "double", AAFAI_CLIENT_URL="http://no-such-name.invalid:8000")

    assert done.returncode == 4
    assert "resolve" in done.stderr


def test_curl_gives_up_when_its_time_is_over(run: Run) -> None:
    done = run(*CURL, "double", '{"number": 1}', AAFAI_CLIENT_LIMIT="0")

    assert done.returncode == 3
    assert "has not ended yet" in done.stderr


def test_the_token_is_no_argument_of_any_program(tmp_path: Path, run: Run) -> None:
    spy = tmp_path / "curl"
    spy.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nexec /usr/bin/curl "$@"\n')
    spy.chmod(0o755)

    done = run(*CURL, "double", '{"number": 1}', PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 0
    assert "inbound" in (tmp_path / "arguments").read_text()
    assert TOKEN not in (tmp_path / "arguments").read_text()


def test_a_file_in_the_folder_of_the_bus_becomes_a_job(run: Run, bus: RunningBus) -> None:
    done = run("examples/drop_a_file.sh", str(bus.queues), "double", '{"number": 4}')
    name = done.stdout.strip()

    assert done.returncode == 0
    while (bus.queues / "inbound" / name).exists():
        threading.Event().wait(0.05)
    assert not (bus.queues / "quarantine" / name).exists()


def test_a_file_for_a_mirror_lies_whole_in_its_mailbox(run: Run, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()

    done = run("examples/drop_a_file.sh", f"{tmp_path}/", "double", '{"number": 4}')

    (left,) = (tmp_path / "inbox").iterdir()
    assert left.name == done.stdout.strip()
    assert json.loads(left.read_text()) == {"action": "double", "params": {"number": 4}}


def test_a_folder_that_is_neither_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("examples/drop_a_file.sh", str(tmp_path), "double")

    assert done.returncode == 2
    assert "neither inbound/" in done.stderr


def test_the_tasks_are_sound(run: Run) -> None:
    done = run(sys.executable, "-m", "core.scheduler", "check", "examples/tasks.yaml")

    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("news", "prices", "trial"):
        assert name in done.stdout
