"""The parts put together: a kernel without HTTP that starts, works and drains."""

import os
import threading

import pytest

from config import Config
from core.errors import ConfigError, ShuttingDown
from core.jobs import State
from core.submission import Submission
from wiring import assemble

ACTIONS = {
    "quick": """
from core import action

@action(isolation="thread")
def run() -> str:
    '''Answer at once.'''
    return "done"
""",
    "heavy": """
from core import action

@action(isolation="thread", queue="gpu")
def run() -> str:
    '''Wait for the one device.'''
    return "done"
""",
    "parent": """
from core import JobContext, action

@action(isolation="thread")
def run(*, job: JobContext) -> str:
    '''Submit a job and answer with its id.'''
    return job.submit("quick", {}, priority=9)
""",
    "broken": "import no_such_module\n",
}


@pytest.fixture
def settings(tmp_path):
    folder = tmp_path / "actions"
    folder.mkdir()
    for name, text in ACTIONS.items():
        (folder / f"{name}.py").write_text(text)
    return {
        "AAFAI_ACTIONS_DIR": str(folder),
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
    }


@pytest.fixture
def a_kernel(settings):
    kernels = []

    def make(**more):
        kernel = assemble(Config.load({**settings, **more}))
        kernels.append(kernel)
        return kernel

    yield make
    for kernel in kernels:
        kernel.drain()


def heard_by(kernel):
    messages = []
    kernel.bus.events.subscribe("test", None, lambda event: messages.append(event.event_type))
    return messages


@pytest.mark.parametrize("engine", ["memory:", "file"])
def test_a_job_goes_from_submit_to_result(a_kernel, engine):
    kernel = a_kernel(**({"AAFAI_ENGINE": engine} if engine == "memory:" else {}))
    heard = heard_by(kernel)
    kernel.start()

    job = kernel.bus.submit(Submission(action="quick"))
    ended = kernel.bus.wait(job.id, 30)
    result = kernel.bus.get(job.id).result
    kernel.drain()  # The end is published a moment after it can be read.

    assert ended.state is State.SUCCEEDED
    assert result == "done"
    assert [event for event in heard if event.startswith("task.")] == [
        "task.queued",
        "task.started",
        "task.completed",
    ]


def test_a_queue_that_only_an_action_names_has_a_slot(a_kernel):
    kernel = a_kernel(AAFAI_SLOTS="default=1")
    kernel.start()

    job = kernel.bus.submit(Submission(action="heavy"))

    assert kernel.bus.wait(job.id, 30).state is State.SUCCEEDED


def test_the_settings_say_how_many_slots_a_queue_has_that_an_action_names(a_kernel):
    kernel = a_kernel(AAFAI_SLOTS="default=2,gpu=3")
    kernel.start()

    kernel.ready.wait(30)

    assert sorted(slot.queue for slot in kernel.pool.status()) == ["default"] * 2 + ["gpu"] * 3


def test_an_action_submits_another_job(a_kernel):
    kernel = a_kernel()
    kernel.start()

    parent = kernel.bus.submit(Submission(action="parent"))
    kernel.bus.wait(parent.id, 30)
    child = kernel.bus.get(kernel.bus.get(parent.id).result)

    assert (child.action, child.priority) == ("quick", 9)
    assert kernel.bus.wait(child.id, 30).state is State.SUCCEEDED


def test_a_broken_action_is_reported_and_the_others_serve_on(a_kernel):
    kernel = a_kernel()
    heard = heard_by(kernel)

    kernel.start()
    kernel.ready.wait(30)

    assert "system.broken_action" in heard
    assert list(kernel.registry.broken) == ["broken"]
    assert set(kernel.registry.actions) == {"quick", "heavy", "parent"}


def an_action_whose_import_waits(folder):
    """Write the action file `a_slow_one`; return the path to write to when its import may go on."""
    gate = folder / "gate"
    os.mkfifo(gate)
    source = f"with open({str(gate)!r}) as gate:\n    gate.read()\n{ACTIONS['quick']}"
    (folder / "actions" / "a_slow_one.py").write_text(source)
    return gate


def test_jobs_are_accepted_and_run_while_other_actions_are_still_being_imported(a_kernel, tmp_path):
    gate = an_action_whose_import_waits(tmp_path)
    kernel = a_kernel()
    kernel.start()

    job = kernel.bus.submit(Submission(action="quick"))
    ended = kernel.bus.wait(job.id, 30)
    imported = set(kernel.registry.actions)
    gate.write_text("open")
    kernel.ready.wait(30)

    assert ended.state is State.SUCCEEDED
    assert "a_slow_one" not in imported
    assert "a_slow_one" in kernel.registry.actions


def test_a_kernel_that_is_told_to_stop_before_it_is_ready_runs_nothing(a_kernel, tmp_path):
    gate = an_action_whose_import_waits(tmp_path)
    kernel = a_kernel(AAFAI_SLOTS="default=1")
    job = kernel.bus.submit(Submission(action="heavy"))
    kernel.start()

    kernel.drain()
    gate.write_text("open")
    kernel.ready.wait(30)

    assert a_kernel(AUTO_START_WORKERS="false").bus.get(job.id).state is State.QUEUED


def test_a_file_dropped_into_the_inbound_folder_becomes_a_job(a_kernel, tmp_path):
    kernel = a_kernel()
    ended = threading.Event()
    kernel.bus.events.subscribe("test", "task.completed", lambda event: ended.set())
    kernel.start()
    whole = tmp_path / "by-hand.json"
    whole.write_text('{"action": "quick"}')

    whole.rename(tmp_path / "queues" / "inbound" / "by-hand.json")

    assert ended.wait(30)
    assert kernel.bus.count()[State.SUCCEEDED] == 1


def test_a_dropped_file_that_the_door_would_refuse_is_set_aside_with_the_reason(a_kernel, tmp_path):
    kernel = a_kernel()
    (tmp_path / "queues" / "inbound" / "by-hand.json").write_text('{"action": "quack"}')
    heard, clock = heard_by(kernel), kernel.clock

    kernel.bus.engine.upkeep(clock.now() + 60)

    assert heard == ["system.quarantined"]
    reasons = list((tmp_path / "queues" / "quarantine").glob("*.reason.txt"))
    assert len(reasons) == 1
    assert "quack" in reasons[0].read_text()
    assert sum(kernel.bus.count().values()) == 0


def test_workers_that_are_not_to_start_leave_jobs_waiting(a_kernel):
    kernel = a_kernel(AUTO_START_WORKERS="false")
    kernel.start()

    job = kernel.bus.submit(Submission(action="quick"))

    assert kernel.pool.status() == []
    assert kernel.bus.get(job.id).state is State.QUEUED


def test_what_the_workers_have_done_is_kept_beside_the_queue(a_kernel, tmp_path):
    kernel = a_kernel(AAFAI_SLOTS="default=1")
    kernel.start()
    job = kernel.bus.submit(Submission(action="quick"))
    assert kernel.bus.wait(job.id, 30).state is State.SUCCEEDED

    kernel.drain()

    assert (tmp_path / "queues" / "workers.json").is_file()
    again = a_kernel(AUTO_START_WORKERS="false")
    assert again.pool.roster.work()["worker-001-internal"].completed == 1


def test_a_drained_kernel_accepts_nothing_and_loses_nothing(a_kernel, settings):
    kernel = a_kernel(AUTO_START_WORKERS="false")
    kernel.start()
    job = kernel.bus.submit(Submission(action="quick"))

    kernel.drain()

    with pytest.raises(ShuttingDown):
        kernel.bus.submit(Submission(action="quick"))
    again = a_kernel()
    again.start()
    assert again.bus.wait(job.id, 30).state is State.SUCCEEDED


def test_draining_twice_is_draining_once(a_kernel):
    kernel = a_kernel()
    heard = heard_by(kernel)
    kernel.start()

    drains = [threading.Thread(target=kernel.drain) for _ in range(3)]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join(30)

    assert heard.count("system.shutdown") == 1


def test_the_bus_runs_with_nothing_set_but_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actions").mkdir()

    kernel = assemble(Config.load({"AAFAI_LOG_LEVEL": "ERROR"}))
    kernel.drain()

    assert (tmp_path / "var" / "queues" / "FORMAT.json").is_file()


def test_a_folder_of_actions_that_is_not_there_is_a_mistake_of_the_settings(a_kernel, tmp_path):
    with pytest.raises(ConfigError) as refusal:
        a_kernel(AAFAI_ACTIONS_DIR=str(tmp_path / "nowhere"))

    assert "AAFAI_ACTIONS_DIR" in refusal.value.message


def test_an_engine_that_does_not_exist_is_a_mistake_of_the_settings(a_kernel):
    with pytest.raises(ConfigError):
        a_kernel(AAFAI_ENGINE="carrier-pigeon:")


def test_the_gauges_are_read_from_the_parts(a_kernel):
    kernel = a_kernel(AUTO_START_WORKERS="false")
    kernel.start()
    kernel.bus.submit(Submission(action="quick"))
    kernel.ready.wait(30)

    readings = kernel.readings()

    assert readings["task_queue_size"]["queued"] == 1
    assert readings["aafai_accepting"] == {"": 1.0}
    assert readings["aafai_broken_actions"] == {"": 1.0}
    assert "queued" in readings["aafai_reasons_to_stay_on"]
