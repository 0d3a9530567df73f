"""Schedules in real processes: one run for each due time, whoever starts it, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.scheduled_run import DUE
from tests.conftest import Effort, Evidence
from tests.faults.crew import waited_for

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
eventually = partial(waited_for, seconds=40.0)
TASKS = """
tasks:
  - name: tick
    type: interval
    schedule: "1 second"
    function: "app.services.clock:tick"
    kwargs:
      log: {log}
"""
CLOCK = '''
def tick(log):
    """Add a line to a file."""
    with open(log, "a") as file:
        file.write("tick\\n")
    return {"status": "success"}
'''


@dataclass
class Site:
    """A folder with an app, its tasks, its queue, and the processes that share them."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def queues(self) -> Path:
        return self.folder / "queues"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "QUEUE_BASE_PATH": str(self.queues),
            "DOWNLOAD_DIR": str(self.folder / "downloads"),
            "TASKS_PATH": str(self.folder / "mine" / "tasks.yaml"),
            "AAFAI_TASK_PACKAGES": "app",
            "AAFAI_SLOTS": "default=1",
            "AAFAI_LOG_LEVEL": "WARNING",
        }

    def write(self, tasks: str) -> None:
        services = self.folder / "mine" / "app" / "services"
        services.mkdir(parents=True)
        for package in (services.parent, services):
            (package / "__init__.py").touch()
        (services / "clock.py").write_text(CLOCK)
        (self.folder / "mine" / "tasks.yaml").write_text(tasks.format(log=self.folder / "ticks"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "core.worker", *arguments]
        process = subprocess.Popen(program, cwd=ROOT, env=self.environment)
        self.processes.append(process)
        return process

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        program, environment = [sys.executable, *arguments], {**self.environment, **settings}
        return subprocess.run(
            program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def records(self) -> list[dict[str, Any]]:
        """Return every job that has ended."""
        return [json.loads(path.read_text()) for path in self.queues.glob("outbound/*/*-*.json")]

    def due(self) -> list[datetime]:
        """Return the due times of all jobs of schedules that have ended, sorted."""
        labels = [record["labels"] for record in self.records() if DUE in record.get("labels", {})]
        return sorted(datetime.fromisoformat(one[DUE]) for one in labels)

    def stop(self) -> list[int]:
        """Tell every process that lives to stop, and return their exit statuses."""
        living = [process for process in self.processes if process.poll() is None]
        for process in living:
            process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in living]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for process in site.processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_three_processes_and_five_restarts_make_one_run_for_each_due_time(
    site: Site, effort: Effort, evidence: Evidence
) -> None:
    chance, kills = random.Random(5), effort(5, 50)
    site.write(TASKS)
    workers = [site.start() for _ in range(3)]
    assert eventually(lambda: len(site.due()) >= 2)

    for _ in range(kills):
        victim = chance.randrange(3)
        workers[victim].kill()
        workers[victim].wait()
        before = len(site.due())
        workers[victim] = site.start()
        assert eventually(lambda before=before: len(site.due()) >= before + 2)  # type: ignore[misc]

    assert site.stop() == [0, 0, 0]
    due = site.due()
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(due)]
    books = {"lost": sum(gap > 1 for gap in gaps), "duplicated": gaps.count(0.0), "kills": kills}
    evidence(
        "P14",
        "due times of a schedule in three processes, of which some are killed",
        trials=len(due),
        **books,
    )
    assert (books["lost"], books["duplicated"]) == (0, 0)
    assert len(due) >= 2 * kills
    assert [path.name for path in (site.queues / "schedules").iterdir()] == ["aafai-bus:tick.json"]
    ticks = (site.folder / "ticks").read_text().count("tick")
    attempts = sum(record["attempt"] for record in site.records())
    # An attempt that was killed may have ticked or not; every other one did, and nothing else.
    assert len(due) <= ticks <= attempts


def test_a_task_is_enqueued_by_a_program_beside_and_run_by_a_worker(site: Site) -> None:
    site.write("tasks: []")
    program = (
        "from core import TaskQueue\n"
        "queue = TaskQueue()\n"
        "print(queue.enqueue(agent_name='a', task_name='t', function_path='app.services.clock:tick',"
        f" kwargs={{'log': {str(site.folder / 'ticks')!r}}}))\n"
    )

    asked = site.run("-c", program)
    site.start("default")
    assert eventually(site.records), asked.stderr
    status = site.run(
        "-c", f"from core import TaskQueue; print(TaskQueue().status({asked.stdout.strip()!r}))"
    )

    assert site.stop() == [0]
    (record,) = site.records()
    assert (record["id"], record["result"]) == (asked.stdout.strip(), {"status": "success"})
    assert "status='success'" in status.stdout, status.stderr


def test_a_program_beside_registers_the_tasks_of_its_own_file(site: Site) -> None:
    site.write("tasks: []")
    own = site.folder / "mine" / "own.yaml"
    own.write_text(TASKS.format(log=site.folder / "ticks"))
    program = (
        "from core import TaskScheduler\n"
        "scheduler = TaskScheduler()\n"
        f"for task in scheduler.load_tasks_from_yaml({str(own)!r}, agent_name='your-agent'):\n"
        "    scheduler.register_task(task)\n"
    )

    registered = site.run("-c", program)
    site.start()

    assert registered.returncode == 0, registered.stderr
    assert eventually(site.due)
    assert site.stop() == [0]
    (record, *_) = site.records()
    assert (record["labels"]["scheduled_task"], record["result"]) == (
        "your-agent:tick",
        {"status": "success"},
    )


def test_a_worker_of_one_queue_leaves_the_others_alone(site: Site) -> None:
    site.write("tasks: []")
    submit = (
        "from core.at_hand import kernel_at_hand\n"
        "from core.submission import Submission\n"
        "print(kernel_at_hand().bus.submit(Submission(action='fakejob', params={'delay_seconds': 0})).id)\n"
    )

    site.start("my_queue")
    asked = site.run("-c", submit)
    taken = eventually(site.records, seconds=3.0)
    site.start("default")

    assert asked.returncode == 0, asked.stderr
    assert not taken
    assert eventually(site.records)
    assert site.stop() == [0, 0]


def test_a_worker_that_cannot_start_says_why(site: Site) -> None:
    site.write("tasks: []")

    wrong = site.run("-m", "core.worker", "--help")
    named = site.run("-m", "core.worker", "No Queue!")

    assert (wrong.returncode, named.returncode) == (2, 1)
    assert "python -m core.worker [queue]" in wrong.stderr
    assert "The worker cannot start" in named.stderr


def test_the_check_tells_what_would_run_and_what_is_wrong(site: Site) -> None:
    site.write(TASKS + "  - name: bad\n    schedule: 61 * * * *\n    function: app.services.clock:tick\n")

    checked = site.run("-m", "core.scheduler", "check", str(site.folder / "mine" / "tasks.yaml"))
    lost = site.run("-m", "core.scheduler", "check", "/no/such/tasks.yaml")
    idle = site.run("-m", "core.scheduler")

    assert checked.returncode == 1, checked.stderr
    lines = checked.stdout.splitlines()
    assert lines[0] == "aafai-bus:tick runs app.services.clock:tick: 1 second"
    assert len(lines) == 1 + 5 + 1
    assert "tasks.yaml:10: bad: schedule: '61 * * * *' cannot be read" in lines[-1]
    assert (lost.returncode, idle.returncode) == (2, 2)
    assert not site.queues.exists(), "a check must not make a queue"


def test_a_file_is_checked_with_the_packages_that_lie_beside_it(site: Site, tmp_path: Path) -> None:
    site.write(TASKS)
    elsewhere = {"TASKS_PATH": str(tmp_path / "elsewhere" / "tasks.yaml")}
    (tmp_path / "empty.yaml").write_text("tasks: []\n")

    checked = site.run("-m", "core.scheduler", "check", str(site.folder / "mine" / "tasks.yaml"), **elsewhere)
    empty = site.run("-m", "core.scheduler", "check", str(tmp_path / "empty.yaml"))
    lost = site.run("-m", "core.scheduler", "check", "tasks.yaml", AAFAI_ACTIONS_DIR="/no/such/folder")

    assert (checked.returncode, empty.returncode, lost.returncode) == (0, 0, 2)
    assert empty.stdout == f"{tmp_path / 'empty.yaml'} holds no task.\n"
    assert lost.stderr.endswith("Name the folder in which the actions lie.\n")
