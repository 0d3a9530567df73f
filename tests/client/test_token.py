"""`bus token` as people call it: what it prints, what the file holds then, how it exits."""

from __future__ import annotations

import codecs
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client.__main__ import bus
from core.token_file import read_tokens
from core.tokens import key_id_of
from tests.house.sources import ROOT

NOBODY = 65534

Call = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queues" / "tokens.json"


@pytest.fixture
def call(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Call the command with the settings of a bus whose queue is in the test's folder."""
    monkeypatch.setenv("QUEUE_BASE_PATH", str(path.parent))
    here = Path.cwd()
    yield lambda *arguments: CliRunner().invoke(bus, ["token", *map(str, arguments)], prog_name="./bus")
    os.chdir(here)


def test_a_token_is_printed_once_alone_and_kept_as_a_digest(call: Call, path: Path) -> None:
    result = call("make", "website")

    text = result.stdout.strip()
    ((token_id, token),) = (read_tokens(path) or {}).items()
    assert (result.exit_code, result.stdout) == (0, f"{text}\n")
    assert key_id_of(text) == token_id
    assert token.is_text(text)
    assert (token.name, token.scopes, token.actions, token.own_jobs_only) == (
        "website",
        {"submit", "read"},
        None,
        False,
    )
    assert text not in path.read_text()
    assert text not in call("list").output + call("list", "--json").output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"Token {token_id} for website is in {path}. It is shown once, keep it safe:" in result.stderr


def test_programs_are_told_in_json(call: Call, path: Path) -> None:
    made = json.loads(call("make", "website", "--json").stdout)
    revoked = json.loads(call("revoke", "website", "--json").stdout)

    assert key_id_of(made["token"]) == made["id"]
    assert (made["name"], made["file"]) == ("website", str(path))
    assert [one["id"] for one in revoked["revoked"]] == [made["id"]]
    assert "token" not in revoked["revoked"][0]


def test_every_limit_reaches_the_token(call: Call, path: Path) -> None:
    options = "--scope submit --action crawl --action fetch --own-jobs-only --rate 60 --expires 90d --signing"

    result = call("make", "night", *options.split())

    (token,) = (read_tokens(path) or {}).values()
    assert result.exit_code == 0
    assert (token.scopes, token.actions, token.own_jobs_only) == ({"submit"}, {"crawl", "fetch"}, True)
    assert (token.rate_limit, token.expires_at) == (60, pytest.approx(token.created_at + 90 * 86_400, abs=1))
    assert (token.signing_key, token.digest) == (result.stdout.strip(), "")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["make"], 2, "Missing argument 'NAME'"),
        (["make", "a b"], 1, "name: must be 1 to 64 letters"),
        (["make", "a", "--scope", "write"], 2, "'write' is not one of 'submit', 'read', 'admin'"),
        (["make", "a", "--action", "../x"], 1, "actions: must be names of actions"),
        (["make", "a", "--rate", "0"], 1, "rate_limit: must be 1 to 1,000,000"),
        (["make", "a", "--expires", "soon"], 2, "'soon' is no duration"),
        (["make", "a", "--scope", "admin", "--own-jobs-only"], 1, "own_jobs_only: an admin's token"),
        (["revoke"], 2, "Missing argument"),
        (["revoke", "nobody"], 1, "There is no token 'nobody'. Nothing was revoked."),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_changes_nothing(
    call: Call, path: Path, arguments: list[str], status: int, said: str
) -> None:
    result = call(*arguments)

    assert result.exit_code == status
    assert said in " ".join(result.output.split())
    assert not read_tokens(path)


def test_the_list_tells_whose_they_are_and_what_they_may_do(call: Call, path: Path) -> None:
    for arguments in (
        ["website", "--action", "fakejob", "--rate", "60"],
        ["ops", "--scope", "admin", "--signing"],
    ):
        call("make", *arguments)

    head, first, second = call("list").stdout.splitlines()

    assert " ".join(head.split()) == "ID NAME MAY ACTIONS JOBS A MINUTE SENT AS MADE EXPIRES"
    assert first.split()[1:8] == ["website", "read,", "submit", "fakejob", "all", "60", "bearer"]
    assert second.split()[1:7] == ["ops", "admin", "any", "all", "-", "signature"]
    assert second.endswith("never")


def test_programs_get_one_document_without_what_proves_a_token(call: Call) -> None:
    call("make", "website")
    call("make", "ops", "--signing")

    tokens = json.loads(call("list", "--json").stdout)["tokens"]

    assert [(one["name"], one["signing"]) for one in tokens] == [("website", False), ("ops", True)]
    assert not {"sha256", "signing_key"} & tokens[1].keys()


def test_a_token_is_revoked_by_its_id_or_by_its_name_with_all_that_bear_it(call: Call, path: Path) -> None:
    for name in ("a", "a", "b", "b"):
        call("make", name)
    ids = list(read_tokens(path) or {})

    by_id = call("revoke", ids[0])
    by_name = call("revoke", "b")

    assert by_id.stdout == f"Revoked {ids[0]} of a.\n"
    assert by_name.stdout == f"Revoked {ids[2]} of b.\nRevoked {ids[3]} of b.\n"
    assert list(read_tokens(path) or {}) == [ids[1]]


def test_one_that_is_not_known_leaves_the_others(call: Call, path: Path) -> None:
    call("make", "a")

    assert call("revoke", "a", "nobody").exit_code == 1
    assert len(read_tokens(path) or {}) == 1


def test_when_the_last_is_revoked_the_door_stays_shut(call: Call, path: Path) -> None:
    call("make", "a")

    call("revoke", "a")

    assert read_tokens(path) == {}
    assert call("list").stderr == "There are no tokens.\n"


def test_another_file_may_be_named(call: Call, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"

    call("make", "a", "--file", other)

    assert len(read_tokens(other) or {}) == 1
    assert read_tokens(path) is None


def test_a_damaged_file_is_left_as_it_is(call: Call, path: Path) -> None:
    call("make", "a")
    path.write_text("{")

    results = [call("make", "b"), call("list"), call("revoke", "a")]

    assert [result.exit_code for result in results] == [1, 1, 1]
    assert all("is damaged" in result.output for result in results)
    assert path.read_text() == "{"


def test_settings_that_leave_the_file_open_are_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("QUEUE_BASE_PATH", "relative")
    monkeypatch.setenv("DOWNLOAD_DIR", "/srv/downloads")

    result = call("make", "a")

    assert result.exit_code == 2
    assert "QUEUE_BASE_PATH: 'relative' is relative" in result.output


def test_every_option_is_explained(call: Call) -> None:
    shown = call("make", "--help").output

    for option in ("--scope", "--action", "--own-jobs-only", "--rate", "--expires", "--signing", "--file"):
        assert option in shown
    assert "\n  bus token list\n  bus token revoke website\n" in call("--help").output


def test_the_launcher_makes_a_token_that_a_shell_can_take(tmp_path: Path) -> None:
    script = f'TOKEN=$({ROOT}/bus token make website --file {tmp_path}/t.json) && printf %s "$TOKEN"'

    ran = subprocess.run(["/bin/sh", "-c", script], cwd="/", capture_output=True, text=True, check=True)

    assert key_id_of(ran.stdout)


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder of another user's that he can reach."""
    with tempfile.TemporaryDirectory(prefix="aafai-token-") as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_makes_the_file_as_the_user_of_the_bus(
    call: Call, folder_of_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.token.can_run_as", lambda user: True)
    path = folder_of_nobody / "queues" / "tokens.json"

    child = os.fork()
    if child == 0:  # It is that user from then on.
        codecs.lookup("utf-8-sig")  # lest Python lie where only root can read it
        statuses = [call("make", "a", "--file", path).exit_code for _ in range(2)]
        os._exit(max(statuses))

    assert os.waitpid(child, 0)[1] == 0
    assert len(read_tokens(path) or {}) == 2
    assert {one.stat().st_uid for one in (path, path.parent)} == {NOBODY}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_makes_none_for_a_user_who_could_not_run_a_bus(
    call: Call, folder_of_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.token.can_run_as", lambda user: False)

    result = call("make", "a", "--file", folder_of_nobody / "tokens.json")

    assert result.exit_code == 2
    assert "no bus can run so" in result.output
    assert not list(folder_of_nobody.iterdir())
