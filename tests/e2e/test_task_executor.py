"""The Task Executor's own clients against a live bus: its example, its integrated test, its curl lines."""

import asyncio
import json
import shutil
import subprocess
import time

import aiohttp
import pytest
import requests

from examples.running import ROOT, a_bus

pytestmark = pytest.mark.alone

ENDED = ("completed", "failed", "timeout", "cancelled")
PAUSING = {"agent_config": {"pause_seconds": 60}}
HOLD = """
import threading
from pathlib import Path


def run(until: str) -> None:
    while not Path(until).exists():
        threading.Event().wait(0.05)
"""


async def submit_task(base_url, **fields):
    """Submit a task as the seed's example does."""
    async with aiohttp.ClientSession() as session:
        task_data = {
            "problem_id": "test-problem-001",
            "parameters": {"max_steps": 10, "agent_config": {"name": "test-agent"}},
            "priority": 5,
            **fields,
        }
        async with session.post(f"{base_url}/api/v1/tasks", json=task_data) as resp:
            assert resp.status == 201, await resp.text()
            return await resp.json()


async def fetch(session, url, method="GET"):
    async with session.request(method, url) as resp:
        assert resp.status == 200, await resp.text()
        return await resp.json()


async def until_ended(session, base_url, task_ids):
    """Return the tasks once all of them have ended."""
    tasks = {}
    while len(tasks) < len(task_ids):
        for task_id in task_ids:
            task = await fetch(session, f"{base_url}/api/v1/tasks/{task_id}")
            if task["status"] in ENDED:
                tasks[task_id] = task
        await asyncio.sleep(0.05)
    return [tasks[task_id] for task_id in task_ids]


async def integrated(base_url):
    """Take the steps of the seed's test_integrated.py: health, workers, tasks, their completion, scaling."""
    internal = f"{base_url}/api/v1/workers/internal"
    async with aiohttp.ClientSession() as session:
        assert (await fetch(session, f"{base_url}/health"))["status"] in ("healthy", "degraded")

        status = await fetch(session, f"{internal}/status")
        assert (status["running"], status["num_workers"]) == (True, 3)
        workers = await fetch(session, f"{base_url}/api/v1/workers")
        assert workers["total"] >= 3
        assert {worker["status"] for worker in workers["workers"]} <= {"idle", "busy"}

        tasks = [
            await submit_task(
                base_url,
                problem_id=f"test-problem-{number:03d}",
                parameters={"max_steps": 5, "task_number": number},
                priority=9 - number,
            )
            for number in range(1, 6)
        ]
        ended = await until_ended(session, base_url, [task["id"] for task in tasks])
        assert [task["status"] for task in ended] == ["completed"] * 5
        assert [task["result"]["steps_taken"] for task in ended] == [5] * 5
        stats = await fetch(session, f"{base_url}/api/v1/tasks/stats")
        assert (stats["total_tasks"], stats["completed_tasks"], stats["success_rate"]) == (5, 5, 1.0)

        up = await fetch(session, f"{internal}/scale?num_workers=5", "POST")
        down = await fetch(session, f"{internal}/scale?num_workers=3", "POST")
        assert (up["current_workers"], down["previous_workers"], down["current_workers"]) == (5, 5, 3)
        status = await fetch(session, f"{internal}/status")
        assert (status["running"], status["num_workers"]) == (True, 3)


def test_the_seeds_example_creates_a_task_that_is_really_worked_on(tmp_path):
    with a_bus(tmp_path) as bus:
        task = asyncio.run(submit_task(bus.url))
        ended = until(bus, task["id"])
        log = requests.get(f"{bus.url}/api/v1/tasks/{task['id']}/logs", timeout=10).json()

    assert ended["status"] == "completed", ended
    assert ended["result"]["agent"] == "test-agent"
    assert 1 < ended["result"]["steps_taken"] <= 10
    assert ended["result"]["observed"]["memory"] > 0
    messages = [entry["message"] for entry in log["logs"]]
    assert messages[:2] == ["Task created", "Task started"]
    assert messages[2] == "test-agent investigates test-problem-001 in 10 steps at most"
    assert messages[-1] == "Task completed"


def test_the_integrated_test_of_the_seed_passes(tmp_path):
    with a_bus(tmp_path) as bus:
        asyncio.run(integrated(bus.url))


def curl(bus, line):
    """Run a curl line of the seed and return its answer."""
    arguments = line.replace("http://localhost:8000", bus.url).split()
    ran = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, timeout=30, check=True)
    return json.loads(ran.stdout)


def test_the_seeds_curl_lines_scale_and_stop_the_workers(tmp_path):
    with a_bus(tmp_path) as bus:
        scaled = curl(bus, "-X POST http://localhost:8000/api/v1/workers/internal/scale?num_workers=10")
        status = curl(bus, "http://localhost:8000/api/v1/workers/internal/status")
        stopped = curl(bus, "-X POST http://localhost:8000/api/v1/workers/internal/stop")
        task = asyncio.run(submit_task(bus.url))
        waiting = requests.get(f"{bus.url}/api/v1/tasks/{task['id']}", timeout=10).json()
        started = curl(bus, "-X POST http://localhost:8000/api/v1/workers/internal/start")
        ended = until(bus, task["id"])

    assert scaled == {"previous_workers": 3, "current_workers": 10, "status": "scaled"}
    assert (status["running"], status["num_workers"], len(status["workers"])) == (True, 10, 10)
    assert stopped["status"] == "stopped"
    assert waiting["status"] == "pending"
    assert started == {"status": "started", "workers": 10}
    assert ended["status"] == "completed"


def until(bus, task_id, *statuses):
    """Return the task as soon as it has one of the statuses, or has ended."""
    while True:
        task = requests.get(f"{bus.url}/api/v1/tasks/{task_id}", timeout=10).json()
        if task["status"] in (*statuses, *ENDED):
            return task
        time.sleep(0.05)


def counted(bus, worker, number):
    """Return the statistics of a worker once they have so many tasks, which comes a moment after the end."""
    while True:
        stats = requests.get(f"{bus.url}/api/v1/workers/{worker}/stats", timeout=10).json()
        if stats["total_tasks"] >= number:
            return stats
        time.sleep(0.05)


def create(bus, **fields):
    answer = requests.post(f"{bus.url}/api/v1/tasks", json={"problem_id": "p", **fields}, timeout=10)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_running_tasks_outlast_the_scaling_down_of_their_workers(tmp_path):
    actions, enough = tmp_path / "actions", tmp_path / "enough"
    shutil.copytree(ROOT / "actions", actions)
    (actions / "hold.py").write_text(HOLD)
    with a_bus(tmp_path, AAFAI_ACTIONS_DIR=str(actions)) as bus:
        running = [create(bus, parameters={"action": "hold", "until": str(enough)}) for _ in range(3)]
        for task_id in running:
            assert until(bus, task_id, "running")["status"] == "running"
        curl(bus, "-X POST http://localhost:8000/api/v1/workers/internal/scale?num_workers=0")
        enough.touch()
        ended = [until(bus, task_id) for task_id in running]
        waiting = create(bus, parameters={"max_steps": 1})
        time.sleep(0.5)
        still = until(bus, waiting, "pending")

    assert [task["status"] for task in ended] == ["completed"] * 3
    assert still["status"] == "pending"


def test_what_workers_and_tasks_have_come_to_survives_a_restart(tmp_path):
    with a_bus(tmp_path) as bus:
        ended = until(bus, create(bus, parameters={"max_steps": 1}))
        worker = ended["worker_id"]
        before = counted(bus, worker, 1)
        registered = requests.get(f"{bus.url}/api/v1/workers/{worker}", timeout=10).json()["registered_at"]
        assert bus.stop() == 0

    with a_bus(tmp_path) as bus:
        second = until(bus, create(bus, parameters={"max_steps": 1}))["worker_id"]
        counted(bus, second, 1 + (second == worker))
        workers = requests.get(f"{bus.url}/api/v1/workers", timeout=10).json()["workers"]
        after = requests.get(f"{bus.url}/api/v1/workers/{worker}/stats", timeout=10).json()
        stats = requests.get(f"{bus.url}/api/v1/tasks/stats", timeout=10).json()

    assert before["total_tasks"] == 1
    assert sum(one["tasks_completed"] for one in workers) == 2
    assert {one["id"]: one["registered_at"] for one in workers}[worker] == registered
    assert after["average_task_duration"] > 0
    assert (stats["total_tasks"], stats["completed_tasks"]) == (2, 2)


def test_a_running_task_is_cancelled_within_the_answer(tmp_path):
    with a_bus(tmp_path) as bus:
        task_id = create(bus, parameters=PAUSING)
        until(bus, task_id, "running")
        while "Step 1" not in requests.get(f"{bus.url}/api/v1/tasks/{task_id}/logs", timeout=10).text:
            time.sleep(0.05)

        answer = requests.put(f"{bus.url}/api/v1/tasks/{task_id}/cancel", timeout=10)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_a_task_that_takes_longer_than_the_settings_allow_is_a_timeout(tmp_path):
    with a_bus(tmp_path, DEFAULT_TIMEOUT_MINUTES="1 second", AAFAI_BACKOFF_BASE="1 second") as bus:
        ended = until(bus, create(bus, parameters=PAUSING))
        failed = requests.get(f"{bus.url}/api/v1/tasks?status=failed", timeout=10).json()["total"]
        overdue = requests.get(f"{bus.url}/api/v1/tasks?status=timeout", timeout=10).json()["total"]

    assert (ended["status"], ended["error_details"]["code"]) == ("timeout", "timeout")
    assert (failed, overdue) == (0, 1)


def test_workers_that_are_not_to_start_are_started_by_hand(tmp_path):
    with a_bus(tmp_path, AUTO_START_WORKERS="false", NUM_INTERNAL_WORKERS="2") as bus:
        asleep = curl(bus, "http://localhost:8000/api/v1/workers/internal/status")
        task_id = create(bus, parameters={"max_steps": 1})
        started = curl(bus, "-X POST http://localhost:8000/api/v1/workers/internal/start")
        ended = until(bus, task_id)

    assert asleep == {"running": False, "num_workers": 0, "workers": {}}
    assert started == {"status": "started", "workers": 2}
    assert ended["status"] == "completed"
