"""A start loads what it takes to accept a job, and nothing more: the rest is imported while jobs come in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT

#: Imported when the first action is, when the slots start, at the first attempt in a process, at a scrape.
LATER = (
    *("pydantic", "apscheduler", "multiprocessing.forkserver", "prometheus_client", "requests", "selenium"),
    *("cronsim", "yaml", "zoneinfo", "tomllib", "google", "redis"),
)
#: How many modules of ours a start may load; a dozen of them take as long as 3 % of a bare Flask's start.
MOST_OF_OURS = 190

START = """
import sys
import api.gunicorn_worker
import app

application = app.application()
print(*sys.modules)
application.whole()
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """The modules that are loaded when the port is opened, and those when all doors are there."""
    folder = tmp_path_factory.mktemp("start")
    environment = {"QUEUE_BASE_PATH": str(folder / "queues"), "DOWNLOAD_DIR": str(folder / "files")}
    program = [sys.executable, "-c", START]
    started = subprocess.run(
        program, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return [set(line.split()) for line in started.stdout.splitlines()]


def test_what_only_the_running_of_jobs_needs_is_not_loaded_before_jobs_are_accepted(
    loaded: list[set[str]],
) -> None:
    at_start, _ = loaded

    assert "flask" in at_start, "nothing was started, so what is absent proves nothing"
    assert [name for name in LATER if name in at_start] == []


def test_only_the_first_doors_and_what_they_say_of_themselves_are_loaded_before(
    loaded: list[set[str]],
) -> None:
    at_start, whole = loaded

    described = {name for name in at_start if name.startswith("api.") and name.endswith("_doc")}
    assert described == {"api.aafai_doc", "api.monitor_doc"}
    assert {"api.jobs", "api.rescuebox_schema", "api.server"} <= whole - at_start


def test_a_start_loads_no_more_modules_of_ours_than_it_may(loaded: list[set[str]]) -> None:
    at_start, _ = loaded
    rooms = {path.stem for path in Path(ROOT).iterdir() if path.is_dir() or path.suffix == ".py"}

    ours = sorted(name for name in at_start if name.partition(".")[0] in rooms)

    assert "core.kernel" in ours
    hint = "Import what a first job does not need where it is used, or when the bus gets ready."
    assert len(ours) <= MOST_OF_OURS, f"{len(ours)} modules. {hint}\n" + "\n".join(ours)
