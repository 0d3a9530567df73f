"""The command as people call it: what it prints, what it answers to programs, how it exits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from client.__main__ import bus
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from tests.doctor.conftest import Ward, tree
from tests.house.sources import ROOT

NOBODY = 65534

Call = Callable[..., Result]


@pytest.fixture
def call(ward: Ward, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Call the command in a terminal of 80 columns, with the ward's settings."""
    monkeypatch.setenv("COLUMNS", "80")
    for name, value in (settings | {"QUEUE_BASE_PATH": str(ward.base)}).items():
        monkeypatch.setenv(name, value)
    here = Path.cwd()
    yield lambda *arguments, **options: CliRunner().invoke(
        bus, ["doctor", *map(str, arguments)], prog_name="./bus", **options
    )
    os.chdir(here)


def broken(ward: Ward) -> None:
    ward.record(ward.waiting[0]).write_bytes(b"")


def test_a_queue_with_nothing_but_orphans_exits_with_nought_and_says_what_may_be_done(
    ward: Ward, call
) -> None:
    result = call()

    assert result.exit_code == 0
    assert f"aafai-bus 0.1.0: examining {ward.base}" in result.output
    assert "2 jobs ran when their workers died" in result.output
    # The other note is of deferred jobs: the command goes by the real time, when they are long due.
    assert result.output.endswith("2 notes.\n`./bus doctor --fix` mends 1 of these, and loses nothing.\n")


def test_after_mending_nothing_is_wrong(ward: Ward, call: Call) -> None:
    mended = call("--fix")
    again = call()

    assert (mended.exit_code, again.exit_code) == (0, 0)
    assert (
        f"  mended  running/{ward.orphans[0].id}.json: queued again: its worker had died\n" in mended.output
    )
    assert "2 mended. 1 note.\n" in mended.output
    assert again.output.endswith("\n1 note.\n")


def test_damage_exits_with_one_and_each_finding_says_what_why_and_what_to_do(ward: Ward, call: Call) -> None:
    broken(ward)

    result = call(ward.base)

    assert result.exit_code == 1
    flat = " ".join(result.output.split())
    assert (
        "✗ The record of a waiting job is damaged The job cannot run. When it is its turn the bus puts it"
        " aside, and polls say record_damaged."
    ) in flat
    assert f"{ward.waiting[0].id}.json: The text is not JSON: it is empty (line 1, column 1)." in flat
    assert f"→ ./bus doctor --fix {ward.base} puts it into quarantine" in flat


def test_lines_fit_the_terminal_save_for_paths(ward: Ward, call: Call) -> None:
    broken(ward)

    lines = call().output.splitlines()

    assert not [line for line in lines if len(line) > 80 and "/" not in line]


def test_looking_changes_nothing(ward: Ward, call: Call) -> None:
    broken(ward)
    before = tree(ward.base)

    call()
    call("--json")

    assert tree(ward.base) == before


def test_programs_get_one_document(ward: Ward, call: Call) -> None:
    broken(ward)

    result = call("--json")
    document = json.loads(result.output)
    findings = {found["code"]: found for group in document["groups"] for found in group["findings"]}

    assert result.exit_code == 1
    assert (document["ok"], document["mark"], document["buses"]) == (False, "problem", [])
    assert findings["record_damaged"]["count"] == 1
    assert findings["record_damaged"]["fix"] == "puts it into quarantine"
    assert findings["orphan"]["mark"] == "note"
    assert [done["code"] for done in json.loads(call("--json", "--fix").output)["mended"]] == [
        "record_damaged",
        "orphan",
        "orphan",
    ]


def test_colour_is_for_terminals_only(ward: Ward, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in call().output
    assert "\x1b[" in call(color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in call(color=True).output


def test_a_terminal_that_knows_ascii_only_gets_ascii(ward: Ward, call: Call) -> None:
    assert CliRunner(charset="ascii").invoke(bus, ["doctor"], prog_name="bus").output.isascii()


def test_names_that_could_disturb_a_terminal_are_escaped(ward: Ward, call: Call) -> None:
    (ward.base / "inbound" / "evil\x1b[31m\nname.txt").write_text("x")
    Path(os.fsdecode(bytes(ward.base / "inbound") + b"/\xff.txt")).write_text("x")

    text = call().output
    document = call("--json")

    assert "evil\\x1b[31m\\nname.txt" in text
    assert "\x1b" not in text
    assert json.loads(document.output)["ok"]


@pytest.mark.parametrize("arguments", [["/no/such/folder"], ["--no-such-option"], ["/etc/passwd"]])
def test_a_wrong_call_exits_with_two(call: Call, arguments: list[str]) -> None:
    result = call(*arguments)

    assert result.exit_code == 2
    assert "Usage: ./bus doctor" in result.output


def test_an_engine_without_a_folder_is_a_wrong_call(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AAFAI_ENGINE", "memory:")

    result = call()

    assert result.exit_code == 2
    assert "The jobs are kept in memory:, not in a folder." in result.output


def test_a_stranger_may_not_mend(ward: Ward, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doctor.identity.os.geteuid", lambda: 12345)

    result = call("--fix")

    assert result.exit_code == 2
    assert "sudo -u" in result.output


def test_a_wrong_setting_is_a_problem(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AAFAI_THREADS", "none")
    monkeypatch.setenv("AAFAI_THREDS", "8")

    output = call().output

    assert "AAFAI_THREADS: 'none' does not fit: write a whole number from 1 to 256." in " ".join(
        output.split()
    )
    assert "AAFAI_THREDS: is no setting and is ignored: did you mean AAFAI_THREADS?" in " ".join(
        output.split()
    )


def test_a_tokens_file_that_others_may_read_is_a_problem(ward: Ward, call: Call) -> None:
    path = ward.base / "tokens.json"
    path.write_text('{"schema": 1, "tokens": []}')
    path.chmod(0o640)

    result = call()

    assert result.exit_code == 1
    assert f"AAFAI_TOKENS_FILE: {path} is not its owner's alone: chmod 600" in " ".join(result.output.split())


def test_the_launcher_works_from_any_folder_and_through_a_link(ward: Ward, tmp_path: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(ROOT / "bus")

    help_text = subprocess.run([link, "--help"], cwd="/", capture_output=True, text=True, check=True).stdout
    looked = subprocess.run(
        [link, "doctor", ward.base.name], cwd=ward.base.parent, capture_output=True, text=True, check=False
    )

    assert "\n  bus doctor --fix      mend what can be mended without losing anything\n" in help_text
    assert f"examining {ward.base}" in looked.stdout
    assert looked.stderr == ""


def test_the_launcher_without_its_packages_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(ROOT / "bus", tmp_path / "bus")

    ran = subprocess.run([tmp_path / "bus"], capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert "run `make setup`" in ran.stderr


@pytest.fixture
def queue_of_nobody() -> Iterator[Path]:
    """A queue of another user's, in a folder that he can reach."""
    top = Path(tempfile.mkdtemp(prefix="aafai-doctor-"))
    top.chmod(0o755)
    folder = top / "queue"
    with closing(FileEngine(str(folder), FileOptions(min_free_bytes=0))):
        pass
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(top)


def in_a_process_of_its_own(call: Callable[[], Result], told: Path) -> str:
    """Return what the command prints when it may do to its process what it likes."""
    child = os.fork()
    if child == 0:
        import encodings.idna

        import core.loading  # lest Python lie where only root can read it

        assert encodings.idna
        assert core.loading
        told.write_text(call().output)
        os._exit(0)
    os.waitpid(child, 0)
    return told.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_mends_owners_and_goes_on_as_the_user_of_the_bus(
    call: Call, queue_of_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(queue_of_nobody / "logs")
    os.chown(queue_of_nobody / "FORMAT.json", 0, 0)
    told = queue_of_nobody / "told"
    told.touch()
    os.chown(told, NOBODY, NOBODY)
    monkeypatch.setattr("client.doctor.can_run_as", lambda user: True)

    document = json.loads(in_a_process_of_its_own(lambda: call("--fix", "--json", queue_of_nobody), told))

    mended = {done["code"]: done["done"] for done in document["mended"]}
    assert mended == {"owner_foreign": "given to nobody", "top_folder_missing": "made"}
    assert {path.stat().st_uid for path in [queue_of_nobody, *queue_of_nobody.rglob("*")]} == {NOBODY}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_does_not_mend_for_a_user_who_could_not_run_a_bus(
    call: Call, queue_of_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.doctor.can_run_as", lambda user: False)

    refused = call("--fix", queue_of_nobody)
    looked = call(queue_of_nobody)

    assert (refused.exit_code, looked.exit_code) == (2, 0)
    assert "nobody, whose the queue is, cannot read" in " ".join(refused.output.split())
