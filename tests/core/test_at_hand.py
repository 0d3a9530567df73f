"""Programs that name no bus mean the one of their process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from core import ScheduledTask, TaskExecution, TaskQueue, TaskScheduler, at_hand
from core.errors import ConfigError
from tests.core.agenda import Process, a_task


@pytest.fixture
def noted(bus, clock):
    """A kernel that was started in this process."""
    kernel = SimpleNamespace(bus=bus, schedules=Process(bus, clock).schedules)
    at_hand.note(kernel)
    yield kernel
    at_hand.forget(kernel)


def test_a_scheduler_that_names_no_bus_registers_with_the_one_of_its_process(noted):
    TaskScheduler().register_task(a_task())

    assert [schedule.id for schedule in noted.schedules.stored().schedules] == ["tester:double"]


def test_a_queue_that_names_no_bus_asks_the_one_of_its_process(noted):
    job = noted.bus.submit_document({"action": "double", "params": {"number": 4}})

    status = TaskQueue().status(job.id)

    assert isinstance(status, TaskExecution)
    assert (status.status, status.task_name) == ("queued", "double")


def test_a_kernel_that_ended_is_meant_no_longer(noted):
    other = SimpleNamespace()

    at_hand.forget(other)
    still = at_hand.kernel_at_hand()
    at_hand.note(other)
    at_hand.forget(noted)

    assert still is noted
    assert at_hand.kernel_at_hand() is other
    at_hand.forget(other)


def test_a_bus_without_schedules_says_so(noted):
    noted.schedules = None

    with pytest.raises(ConfigError, match="keeps no schedules"):
        TaskScheduler()


def test_the_package_lends_the_names_of_the_platform_and_no_others():
    import core

    assert ScheduledTask is core.ScheduledTask
    with pytest.raises(AttributeError, match="no attribute 'scheduler_router'"):
        _ = core.scheduler_router
