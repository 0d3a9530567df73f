"""SIGTERM: nothing new is claimed, who waits is answered, what cannot end is put back unpunished."""

import json
import signal
import time
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests

from examples.running import a_bus

pytestmark = pytest.mark.alone


def submitted(bus, **body):
    """Submit a job and return its id."""
    answer = requests.post(f"{bus.url}/inbound", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()["job_id"]


def until_running(bus, job_id):
    """Return once the job runs."""
    while (
        requests.get(f"{bus.url}/outbound", params={"job_id": job_id}, timeout=10).json()["state"]
        != "running"
    ):
        time.sleep(0.02)


def test_a_running_job_that_does_not_end_in_time_is_put_back_with_its_attempt(tmp_path):
    with a_bus(tmp_path, AAFAI_DRAIN_TIMEOUT="1 second") as bus:
        job_id = submitted(bus, action="fakejob", params={"delay_seconds": 3600}, max_attempts=1)
        until_running(bus, job_id)

        assert bus.stop() == 0

    waiting = list(bus.queues.glob(f"inbound/p5/*/{job_id}.json"))
    assert len(waiting) == 1
    record = json.loads(waiting[0].read_text())
    assert (record["attempt"], record.get("errors", [])) == (0, [])
    assert not list(bus.queues.glob("running/*.json"))


def test_a_running_job_that_ends_in_time_is_settled_before_the_server_exits(tmp_path):
    with a_bus(tmp_path) as bus:
        job_id = submitted(bus, action="fakejob", params={"delay_seconds": 1})
        until_running(bus, job_id)

        assert bus.stop() == 0

    record = json.loads(next(bus.queues.glob(f"outbound/*/{job_id}.json")).read_text())
    assert record["state"] == "succeeded"


def test_a_request_that_waits_for_a_job_is_answered_when_the_server_stops(tmp_path):
    with a_bus(tmp_path, AAFAI_DRAIN_TIMEOUT="1 second") as bus:
        job_id = submitted(bus, action="fakejob", params={"delay_seconds": 3600})
        until_running(bus, job_id)
        with closing(HTTPConnection(urlsplit(bus.url).netloc, timeout=60)) as client:
            client.request("GET", f"/outbound?job_id={job_id}&wait=25")
            assert requests.get(f"{bus.url}/health", timeout=10).ok  # Who asks first is heard first.

            assert bus.stop() == 0
            answer = json.loads(client.getresponse().read())

    assert answer["status"] == "pending"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_ctrl_c_puts_running_jobs_back_at_once(tmp_path, number):
    with a_bus(tmp_path, AAFAI_DRAIN_TIMEOUT="100 seconds") as bus:
        job_id = submitted(bus, action="fakejob", params={"delay_seconds": 3600}, max_attempts=1)
        until_running(bus, job_id)

        bus.process.send_signal(number)
        bus.process.wait(60)

    assert [path.parent.parent.name for path in bus.queues.glob(f"inbound/**/{job_id}.json")] == ["p5"]
    assert not list(bus.queues.glob("running/*.json"))


def test_a_second_signal_ends_the_waiting_and_loses_nothing(tmp_path):
    with a_bus(tmp_path, AAFAI_DRAIN_TIMEOUT="100 seconds") as bus:
        job_id = submitted(bus, action="fakejob", params={"delay_seconds": 3600}, max_attempts=1)
        until_running(bus, job_id)

        bus.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        bus.process.send_signal(signal.SIGINT)
        bus.process.wait(60)

    assert [path.parent.parent.name for path in bus.queues.glob(f"inbound/**/{job_id}.json")] == ["p5"]
    assert not list(bus.queues.glob("running/*.json"))
