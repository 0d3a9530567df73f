"""A start loads what it takes to accept a job, and nothing more: the rest is imported while jobs come in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT

#: Imported when the first action is, when the slots start, at the first attempt in a process, at a scrape.
LATER = (
    *("pydantic", "apscheduler", "multiprocessing.forkserver", "prometheus_client", "requests", "selenium"),
    *("cronsim", "yaml", "zoneinfo"),
)

START = """
import sys
import api.gunicorn_worker
from app import create_app
from config import Config

create_app(Config.load({"QUEUE_BASE_PATH": sys.argv[1] + "/queues", "DOWNLOAD_DIR": sys.argv[1] + "/files"}))
print(*sys.modules)
"""


def test_what_only_the_running_of_jobs_needs_is_not_loaded_before_jobs_are_accepted(tmp_path: Path) -> None:
    program = [sys.executable, "-c", START, str(tmp_path)]

    started = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = started.stdout.split()
    assert "flask" in loaded, "nothing was started, so what is absent proves nothing"
    assert [name for name in LATER if name in loaded] == []
