"""Whose settings the doctor goes by."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from doctor import find_surroundings
from doctor.identity import may_mend
from queues.file.engine import FileEngine
from queues.file.options import FileOptions

UNIT = """[Service]
# a comment with Environment=X=1
Environment=APP_ENV=production "QUEUE_BASE_PATH={queues}"
Environment=DOWNLOAD_DIR=/srv/downloads
EnvironmentFile=-{env}
EnvironmentFile=-/nowhere/at/all
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit of an installed service, with a file of settings beside it."""
    (tmp_path / "env").write_text(
        "# of the operator\nAAFAI_TOKEN='canary-0123456789abcdef'\nAAFAI_PORT=9000\n"
    )
    path = tmp_path / "aafai-bus.service"
    path.write_text(UNIT.format(queues=tmp_path / "queues", env=tmp_path / "env"))
    return path


def test_settings_of_this_shell_go_first(unit: Path) -> None:
    found = find_surroundings({"AAFAI_PORT": "7000"}, unit=unit)

    assert (found.source, found.config.port) == ("this shell", 7000)


def test_without_any_those_of_the_installed_service_hold(unit: Path, tmp_path: Path) -> None:
    found = find_surroundings({}, unit=unit)

    assert found.source == "aafai-bus.service"
    assert found.config.production
    assert found.folder == str(tmp_path / "queues")
    assert (found.config.port, found.config.token) == (9000, "canary-0123456789abcdef")


def test_the_settings_of_the_service_are_not_taken_for_another_folder(unit: Path, tmp_path: Path) -> None:
    found = find_surroundings({}, folder=str(tmp_path / "copy"), unit=unit)

    assert not found.config.production
    assert found.folder == str(tmp_path / "copy")
    assert found.config.runtime_dir == tmp_path / "copy" / "run"


def test_those_of_a_running_bus_go_before_those_of_the_service(
    unit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "queues")
    running = {"QUEUE_BASE_PATH": folder, "AAFAI_PORT": "7777"}
    monkeypatch.setattr("doctor.surroundings.environment_of", lambda pid: running)

    with closing(FileEngine(folder, FileOptions(reserve_bytes=0, min_free_bytes=0))):
        found = find_surroundings({}, unit=unit)
        elsewhere = find_surroundings({}, folder=str(tmp_path / "copy"), unit=unit)

    assert found.config.port == 7777
    assert found.source == f"the running bus (process {os.getpid()})"
    assert elsewhere.source == "this shell"


def test_wrong_settings_are_told_and_the_others_hold(tmp_path: Path) -> None:
    folder = str(tmp_path)
    found = find_surroundings({"AAFAI_PORT": "many", "AAFAI_HOST": "0.0.0.0", "QUEUE_BASE_PATH": folder})

    assert [problem.partition(":")[0] for problem in found.problems] == ["AAFAI_PORT", "AAFAI_TOKEN"]
    assert (found.config.port, found.folder) == (8000, folder)


def test_an_engine_that_keeps_no_files_has_no_folder() -> None:
    assert find_surroundings({"AAFAI_ENGINE": "memory:"}).folder is None


def test_only_root_and_the_owner_may_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert may_mend(1000)
    assert not may_mend(1001)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert may_mend(1001)
