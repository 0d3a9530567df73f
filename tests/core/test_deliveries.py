"""Which results wait to be read, for how long."""

import pytest

from core.deliveries import Deliveries
from core.event_bus import KERNEL


@pytest.fixture
def deliveries(events, clock):
    return Deliveries(events, clock, linger=900)


def end(events, job_id, how="completed"):
    events.publish(f"task.{how}", KERNEL, {"job_id": job_id})


def test_an_ended_job_is_unread_until_somebody_reads_it(deliveries, events):
    end(events, "a")
    end(events, "b", "failed")

    deliveries.read("a")

    assert deliveries.unread() == {"b": 1_900.0}


def test_nobody_is_waited_for_longer_than_the_linger(deliveries, events, clock):
    end(events, "a")

    clock.advance(899)
    assert deliveries.unread()
    clock.advance(1)

    assert deliveries.unread() == {}


def test_a_jump_of_the_wall_clock_changes_nothing(deliveries, events, clock):
    end(events, "a")

    clock.jump(86_400)

    assert deliveries.unread() == {"a": 1_900.0}


def test_reading_what_was_never_known_is_harmless(deliveries):
    deliveries.read("nobody")

    assert deliveries.unread() == {}


def test_a_cancelled_job_has_nothing_to_be_read(deliveries, events):
    end(events, "a", "cancelled")

    assert deliveries.unread() == {}
