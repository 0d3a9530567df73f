"""`bus apps-script`: what it prints is the script, and what cannot be is said with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client.__main__ import bus
from client.apps_script import whole_script
from client.settings import VARIABLES
from tests.client.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A bus."""
    with Served(tmp_path / "bus") as made:
        yield made


@pytest.fixture
def call(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call the command, with no settings but where that bus is."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AAFAI_CLIENT_URL", served.url)
    return lambda *words: CliRunner().invoke(bus, ["apps-script", *words], prog_name="bus")


def test_the_whole_script_is_printed_and_nothing_else(served: Served, call: Callable[..., Result]) -> None:
    found = served.stage.client().get("/api/actions").json["actions"]

    printed = call()

    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout == whole_script(found)


def test_only_the_actions_that_were_named_are_offered(call: Callable[..., Result]) -> None:
    printed = call("--only-actions", "--action", "fakejob")

    assert "function call_fakejob(params = {}) {" in printed.stdout
    assert "download_website" not in printed.stdout
    assert "function onOpen()" not in printed.stdout


def test_an_action_that_is_not_there_is_named_with_those_that_are(call: Callable[..., Result]) -> None:
    printed = call("--action", "fakejbo")

    assert (printed.exit_code, printed.stdout) == (2, "")
    assert printed.stderr == "Error: There is no action 'fakejbo'.\nKnown: download_website, fakejob.\n"


def test_programs_get_json(call: Callable[..., Result]) -> None:
    document = json.loads(call("--json", "--only-actions").stdout)

    assert document["actions"] == ["download_website", "fakejob"]
    assert document["script"].startswith("// Made by `bus apps-script`")


def test_nobody_at_home_exits_with_4(served: Served, call: Callable[..., Result]) -> None:
    served.hang_up()

    assert call().exit_code == 4
