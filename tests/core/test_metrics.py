"""Gauges come from the store at each scrape; counters from events and requests."""

import pytest

from core.event_bus import KERNEL, job_payload
from core.metrics import LIVE, Metrics
from tests.factories import NOW, a_job


@pytest.fixture
def readings():
    return {"task_queue_size": {"queued": 2.0, "running": 0.0}, "aafai_accepting": {"": 1.0}}


@pytest.fixture
def metrics(events, readings):
    return Metrics(events, lambda: readings)


def page(metrics):
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return text.decode().splitlines()


def test_gauges_are_read_at_every_scrape(metrics, readings):
    assert 'task_queue_size{status="queued"} 2.0' in page(metrics)

    readings["task_queue_size"]["queued"] = 7.0

    assert 'task_queue_size{status="queued"} 7.0' in page(metrics)
    assert "aafai_accepting 1.0" in page(metrics)


def test_every_gauge_is_described(metrics):
    lines = page(metrics)

    for name, (meaning, _) in LIVE.items():
        assert f"# HELP {name} {meaning}" in lines


def test_the_ends_of_attempts_are_counted_by_action_and_outcome(metrics, events):
    job = a_job(started_at=NOW, ended_at=NOW + 2)
    for outcome in ("completed", "failed", "failed", "retrying", "cancelled"):
        events.publish(f"task.{outcome}", KERNEL, job_payload(job))

    lines = page(metrics)

    assert 'aafai_attempts_total{action="fakejob",outcome="failed"} 2.0' in lines
    assert 'aafai_attempts_total{action="fakejob",outcome="completed"} 1.0' in lines
    assert 'aafai_job_duration_seconds_count{action="fakejob"} 5.0' in lines


def test_requests_are_counted_by_route(metrics):
    metrics.observe_request("GET", "/outbound", 200, 0.01)

    lines = page(metrics)

    assert 'http_requests_total{endpoint="/outbound",method="GET",status="200"} 1.0' in lines
    assert 'http_request_duration_seconds_count{endpoint="/outbound"} 1.0' in lines


def test_what_other_agents_say_is_not_counted(metrics, events):
    events.publish("task.failed", "email-agent", {"anything": 1})

    assert not [line for line in page(metrics) if line.startswith("aafai_attempts_total")]
