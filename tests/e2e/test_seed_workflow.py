"""The whole workflow of the agents: tasks.yaml → function → schedule → worker → event → another program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import needed

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
TASKS = """
tasks:
  - name: process_pending_emails
    description: Process pending emails every second
    enabled: true
    type: interval
    schedule: "1 second"
    function: "app.services.email_service:process_pending_emails_task"
    kwargs:
      batch_size: 10
"""
SERVICE = '''
def process_pending_emails_task(batch_size: int = 10) -> dict:
    """Scheduled task function."""
    from core.logger import logger
    from core.event_bus import EventBus

    logger.info(f"Processing {batch_size} pending emails")
    event_bus = EventBus()
    event_bus.publish(
        event_type="email.batch_processed",
        source_agent="email-agent",
        payload={"batch_size": batch_size}
    )

    return {"status": "success", "processed": batch_size}
'''
SUPPORT_BOT = """
import json
from core import EventBus

event_bus = EventBus()
event_bus.subscribe(agent_name="support-bot", event_type="email.*")
event_bus.subscribe(agent_name="support-bot", event_type="task.completed")
print("listening", flush=True)
heard = {}
while len(heard) < 2:
    event = event_bus.listen(timeout=1.0)
    if event:
        heard[event.event_type] = [event.source_agent, dict(event.payload)]
print(json.dumps(heard), flush=True)
"""


APP = """
import json
from flask import Blueprint
from api.server import build_app
from core import TaskScheduler
from core.at_hand import kernel_at_hand
from pathlib import Path

mine = Blueprint("mine", __name__)
mine.add_url_rule("/mine", view_func=lambda: "mine")
app = build_app(kernel_at_hand())
app.register_blueprint(mine)
scheduler = TaskScheduler()
for task in scheduler.load_tasks_from_yaml("{tasks}", agent_name="your-agent"):
    scheduler.register_task(task)
client = app.test_client()
tasks = client.get("/api/scheduler/tasks").json
print(json.dumps([client.get("/mine").text, [task["id"] for task in tasks]]))
"""


@contextmanager
def a_redis(folder: Path) -> Iterator[str]:
    """Run a Redis on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    program = [needed("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    quiet = ["--save", "", "--appendonly", "no", "--dir", str(folder), "--loglevel", "warning"]
    with subprocess.Popen([*program, *quiet], stdout=subprocess.DEVNULL) as server:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


@pytest.fixture(params=["journal", "redis"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The setting AAFAI_EVENTS."""
    if request.param == "journal":
        yield f"journal:{tmp_path}/events"
        return
    pytest.importorskip("redis")
    with a_redis(tmp_path) as url:
        yield url


def test_an_agent_with_an_app_of_its_own_takes_the_routes_of_the_scheduler_into_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(
        TASKS.replace("function:", "action: fakejob #").split("    kwargs")[0]
    )
    environment = {**os.environ, "QUEUE_BASE_PATH": str(tmp_path / "queues"), "AAFAI_LOG_LEVEL": "WARNING"}
    program = APP.replace("{tasks}", str(tmp_path / "tasks.yaml"))

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["mine", ["your-agent:process_pending_emails"]]


def test_a_task_is_run_by_a_worker_and_another_program_hears_of_it(tmp_path: Path, events: str) -> None:
    services = tmp_path / "mine" / "app" / "services"
    services.mkdir(parents=True)
    for package in (services.parent, services):
        (package / "__init__.py").touch()
    (services / "email_service.py").write_text(SERVICE)
    (tmp_path / "mine" / "tasks.yaml").write_text(TASKS)
    environment = {
        **os.environ,
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "TASKS_PATH": str(tmp_path / "mine" / "tasks.yaml"),
        "AAFAI_TASK_PACKAGES": "app",
        "AAFAI_EVENTS": events,
        "AAFAI_LOG_LEVEL": "WARNING",
    }
    bot = subprocess.Popen(
        [sys.executable, "-c", SUPPORT_BOT], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert bot.stdout is not None
    assert bot.stdout.readline() == "listening\n"

    worker = subprocess.Popen([sys.executable, "-m", "core.worker"], cwd=ROOT, env=environment)
    try:
        said, _ = bot.communicate(timeout=60)
        worker.send_signal(signal.SIGTERM)
        stopped = worker.wait(60)
    finally:
        for process in (bot, worker):
            if process.poll() is None:
                process.kill()
            process.wait()

    heard = json.loads(said)
    assert heard["email.batch_processed"] == ["email-agent", {"batch_size": 10}]
    source, job = heard["task.completed"]
    assert (source, job["action"], job["labels"]["scheduled_task"]) == (
        "aafai-bus",
        "call_function",
        "aafai-bus:process_pending_emails",
    )
    record = json.loads(next((tmp_path / "queues" / "outbound").glob(f"*/{job['job_id']}.json")).read_text())
    assert record["result"] == {"status": "success", "processed": 10}
    assert stopped == 0
