"""A stage with the action that runs tasks, and a client that speaks as the Task Executor's do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from tests.api.stage import Stage, a_stage
from tests.fakes import FakeClock
from tests.house.sources import ROOT

TASKS = "/api/v1/tasks"
#: The task of the seed's own example.
SEED: dict[str, Any] = {
    "problem_id": "test-problem-001",
    "parameters": {"max_steps": 10, "agent_config": {"name": "test-agent"}},
    "priority": 5,
}


def a_task_stage(folder: Path, *, clock: FakeClock | None = None) -> Stage:
    """Return a stage whose actions include the shipped `solve_problem`."""
    stage = a_stage(folder, clock=clock)
    shutil.copy(ROOT / "actions" / "solve_problem.py", folder / "actions")
    stage.kernel.registry.load()
    return stage


def create(client: FlaskClient, **fields: Any) -> str:
    """Create a task and return its id."""
    answer = client.post(TASKS, json={"problem_id": "p", **fields})
    assert answer.status_code == 201, answer.json
    task_id: str = answer.json["id"]
    return task_id
