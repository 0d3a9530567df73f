"""Streams of a real server: many at once beside eight threads, resumed after a break, ended by a stop."""

import json
import threading
from contextlib import ExitStack
from itertools import islice

import pytest
import requests

from examples.running import GUNICORN, a_bus

pytestmark = pytest.mark.alone

LISTENERS = 40  # five times as many as the server has threads


def submitted(bus, **body):
    """Submit a job and return its id."""
    answer = requests.post(f"{bus.url}/api/jobs", json={"action": "fakejob", **body}, timeout=10)
    answer.raise_for_status()
    return answer.json()["job_id"]


def a_stream(bus, connected, path="/api/events", **headers):
    """Open a stream; it is closed when `connected` is."""
    answer = requests.get(f"{bus.url}{path}", stream=True, timeout=60, headers=headers)
    assert answer.status_code == 200, answer.text
    return connected.enter_context(answer)


def events(stream):
    """Yield id and data of each event."""
    last_id = ""
    for line in stream.iter_lines(chunk_size=1):
        name, _, value = line.decode().partition(": ")
        if name == "id":
            last_id = value
        elif name == "data":
            yield last_id, json.loads(value)


def until_ended(stream, job_id):
    """Return the types of the events of a job, up to its end."""
    types = []
    for _, event in events(stream):
        if event.get("payload", {}).get("job_id") == job_id:
            types.append(event["event_type"])
            if event["payload"]["state"] in {"succeeded", "failed", "cancelled"}:
                return types
    return types


def test_forty_listeners_hear_everything_and_the_api_answers_beside_them(tmp_path):
    with a_bus(tmp_path, AAFAI_ENGINE="memory:") as bus, ExitStack() as connected:
        streams = [a_stream(bus, connected, "/api/events?type=task.*") for _ in range(LISTENERS)]
        job_id = submitted(bus, params={"delay_seconds": 1})

        heard = [until_ended(stream, job_id) for stream in streams]

        for types in heard:
            assert (types[0], types[-1]) == ("task.queued", "task.completed")
        assert requests.get(f"{bus.url}/health", timeout=5).ok


def test_who_comes_back_misses_nothing(tmp_path):
    with a_bus(tmp_path, AAFAI_ENGINE="memory:") as bus, ExitStack() as connected:
        stream = a_stream(bus, connected, "/api/events?type=task.queued")
        first = submitted(bus)
        last_id, event = next(events(stream))
        stream.close()
        missed = [submitted(bus) for _ in range(5)]

        again = a_stream(bus, connected, "/api/events?type=task.queued", **{"Last-Event-ID": last_id})
        found = [event["payload"]["job_id"] for _, event in islice(events(again), len(missed))]

    assert event["payload"]["job_id"] == first
    assert found == missed


def test_streams_end_when_the_server_stops(tmp_path):
    with a_bus(tmp_path, AAFAI_ENGINE="memory:") as bus, ExitStack() as connected:
        streams = [a_stream(bus, connected) for _ in range(10)]
        texts = []
        readers = [threading.Thread(target=lambda one=one: texts.append(one.raw.read())) for one in streams]
        for reader in readers:
            reader.start()

        status = bus.stop()
        for reader in readers:
            reader.join(60)

    assert status == 0
    assert len(texts) == 10
    for text in texts:
        assert b"event: end\n" in text


def test_a_log_is_followed_to_its_end(tmp_path):
    actions = tmp_path / "actions"
    actions.mkdir()
    (actions / "talk.py").write_text(
        "import time\n"
        "def run(*, job) -> int:\n"
        "    for number in range(5):\n"
        "        job.info(f'line {number}')\n"
        "        time.sleep(0.2)\n"
        "    return 5\n"
    )
    with a_bus(tmp_path, AAFAI_ACTIONS_DIR=str(actions)) as bus, ExitStack() as connected:
        job_id = submitted(bus, action="talk")
        stream = a_stream(bus, connected, f"/api/jobs/{job_id}/logs?follow=true")

        lines = [json.loads(line) for line in stream.iter_lines(chunk_size=1) if line]

    said = [line["message"] for line in lines if line["source"] == "action"]
    assert said == [f"line {number}" for number in range(5)]


def test_a_slow_download_and_a_crowd_of_them_leave_the_api_its_threads(tmp_path):
    actions = tmp_path / "actions"
    actions.mkdir()
    (actions / "fill.py").write_text(
        "def run(*, job) -> int:\n    return (job.files / 'big.bin').write_bytes(bytes(50_000_000))\n"
    )
    with a_bus(tmp_path, AAFAI_ACTIONS_DIR=str(actions)) as bus, ExitStack() as connected:
        job_id = submitted(bus, action="fill")
        requests.get(f"{bus.url}/api/jobs/{job_id}?wait=25", timeout=30)
        path = f"/api/jobs/{job_id}/files/big.bin"

        slow = [a_stream(bus, connected, path) for _ in range(20)]
        healthy = requests.get(f"{bus.url}/health", timeout=30).ok  # Nobody reads, so a thread would be held.
        size = sum(len(piece) for piece in slow[0].iter_content(65_536))

    assert (healthy, size) == (True, 50_000_000)


def test_under_gunicorns_own_worker_streams_take_half_of_the_threads(tmp_path):
    settings = tmp_path / "settings.py"
    settings.write_text(
        "import runpy\nglobals().update(runpy.run_path('gunicorn.conf.py'))\nworker_class = 'gthread'\n"
    )
    with (
        a_bus(tmp_path, command=(*GUNICORN[:-1], str(settings)), AAFAI_ENGINE="memory:") as bus,
        ExitStack() as connected,
    ):
        for _ in range(4):
            a_stream(bus, connected)

        refused = requests.get(f"{bus.url}/api/events", timeout=5)

        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert requests.get(f"{bus.url}/health", timeout=5).ok
        assert bus.stop() == 0
