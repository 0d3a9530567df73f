"""The curl lines of Robotni's own text, typed into a shell as they stand there, with a real server."""

import json
import subprocess
import time

import pytest

from examples.running import a_bus
from tests.conftest import needed

pytestmark = pytest.mark.alone

#: Where the text says that the server listens.
ADDRESS = "http://localhost:8000"
SUBMIT = (
    'curl -X POST http://localhost:8000/api/worker/jobs -H "Content-Type: application/json"'
    """ -d '{"type": "fakejob", "params": {"delay_seconds": 10}}'"""
)
POLL = "curl http://localhost:8000/api/worker/jobs/{job_id}"

LONGEST_WAIT = 60  # seconds


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    needed("curl", "curl")
    with a_bus(tmp_path_factory.mktemp("bus")) as running:
        yield running
        assert running.stop() == 0


def typed(bus, line):
    """Type a line of the text into a shell and return what it prints."""
    command = line.replace(ADDRESS, bus.url)
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def submitted(bus):
    """Type the line that submits a job and return the id that it prints."""
    told = json.loads(typed(bus, SUBMIT))
    assert told == {"job_id": told["job_id"], "status": "queued"}
    return told["job_id"]


def conditional(bus, job_id, tag):
    """Poll under the condition that the job has changed; return status and body."""
    quiet = POLL.replace("curl", f"curl -s -w '\\n%{{http_code}}' -H 'If-None-Match: {tag}'")
    body, _, status = typed(bus, quiet.replace("{job_id}", job_id)).rpartition("\n")
    return int(status), body


def test_a_job_is_submitted_and_polled_until_it_is_done(bus):
    poll = POLL.format(job_id=submitted(bus))
    deadline = time.monotonic() + LONGEST_WAIT

    statuses = []
    while (told := json.loads(typed(bus, poll)))["status"] in {"queued", "running"}:
        assert told["result"] is None
        assert time.monotonic() < deadline
        statuses.append(told["status"])
        time.sleep(0.05)

    assert (told["status"], told["error"], set(told["result"])) == ("done", None, {"waited"})
    assert 1 <= told["result"]["waited"] <= 10
    assert told == {
        "id": poll.rpartition("/")[2],
        "type": "fakejob",
        "params": {"delay_seconds": 10},
        **{name: told[name] for name in ("status", "result", "error")},
    }
    # On a slow machine a job of a second runs between two polls.
    assert "running" in statuses or told["result"]["waited"] == 1


@pytest.mark.parametrize("spelling", ['"{}"', "{}"])
def test_a_poll_with_the_tag_of_the_last_answer_transfers_nothing(bus, spelling):
    job_id = submitted(bus)
    typed(bus, POLL.replace("curl", "curl -s -X DELETE").format(job_id=job_id))
    deadline = time.monotonic() + LONGEST_WAIT
    while json.loads(typed(bus, POLL.format(job_id=job_id)))["status"] != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    head = typed(bus, POLL.replace("curl", "curl -s -I").format(job_id=job_id))
    (tag,) = [line.split()[1].strip('"') for line in head.splitlines() if line.lower().startswith("etag:")]

    unchanged = conditional(bus, job_id, spelling.format(tag))
    changed = conditional(bus, job_id, '"another"')

    assert unchanged == (304, "")
    assert (changed[0], json.loads(changed[1])["error"]) == (200, "cancelled")


def test_the_other_endpoints_answer_as_the_text_says(bus):
    deadline = time.monotonic() + LONGEST_WAIT
    # A bus accepts jobs before its workers have started.
    while (status := json.loads(typed(bus, f"curl {ADDRESS}/api/worker/status")))["active_workers"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    types = json.loads(typed(bus, f"curl {ADDRESS}/api/worker/types"))
    page = typed(bus, f"curl {ADDRESS}/docs")

    assert set(status) == {"queue_depth", "active_workers", "status"}
    assert (isinstance(status["queue_depth"], int), status["status"]) == (True, "running")
    assert types["fakejob"] == {
        "description": "Wait a random number of seconds between 1 and `delay_seconds`.",
        "params": {
            "delay_seconds": {
                "type": "integer",
                "default": 5,
                "description": "Wait at most this long; 0: do not wait.",
            }
        },
    }
    assert "<html" in page.lower()
