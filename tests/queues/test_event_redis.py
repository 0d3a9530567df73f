"""Events through Redis: programs that know nothing of ours hear us, and we hear them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config import Config
from core import ambient
from core.errors import ConfigError, Unsupported
from core.event_bus import EventBus, Transport
from core.submission import Submission
from examples.running import free_port
from queues import event_outgoing, open_transport
from tests.conftest import needed
from wiring import assemble

if os.environ.get("CI"):
    import redis
else:
    redis = pytest.importorskip("redis", reason="requirements-engines.txt is not installed")


@contextmanager
def a_redis(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that keeps nothing, until the block ends."""
    program = needed("redis-server", "redis-server")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if b"Ready to accept connections" in line:
                break
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with a_redis(port, tmp_path):
        yield port


@pytest.fixture
def carrier(port: int) -> Iterator[Transport]:
    carrier = open_transport(f"redis://127.0.0.1:{port}/0")
    yield carrier
    carrier.close()


@pytest.fixture
def plain(port: int) -> Iterator[Any]:
    """A client as any program of that platform has one."""
    with redis.Redis(host="127.0.0.1", port=port) as client:
        yield client


def next_of(subscriber: Any) -> dict[str, Any]:
    for _ in range(600):
        said = subscriber.get_message(timeout=0.1)
        if said is not None and said["type"] == "message":
            return {"channel": said["channel"].decode(), **json.loads(said["data"])}
    raise AssertionError("nothing was heard")


def test_a_plain_subscriber_hears_us_on_the_channels_of_the_platform(carrier: Transport, plain: Any) -> None:
    with plain.pubsub() as subscriber:
        subscriber.subscribe("events:broadcast", "events:support-bot")
        bus = EventBus(carrier)

        bus.publish("email.processed", "email-agent", {"n": 1})
        to_all = next_of(subscriber)
        bus.publish("email.processed", "email-agent", {"n": 2}, target_agent="support-bot")
        to_one = next_of(subscriber)

    assert list(to_all) == ["channel", "event_type", "source_agent", "target_agent", "payload", "timestamp"]
    assert (to_all["channel"], to_all["target_agent"], to_all["payload"]) == (
        "events:broadcast",
        None,
        {"n": 1},
    )
    assert (to_one["channel"], to_one["target_agent"]) == ("events:support-bot", "support-bot")


def test_we_hear_a_plain_publisher_and_pass_over_what_is_no_event(carrier: Transport, plain: Any) -> None:
    bus, other = EventBus(carrier), EventBus(carrier)
    bus.subscribe("support-bot", "email.*")
    other.subscribe("somebody-else")
    told = {"event_type": "email.processed", "source_agent": "email-agent", "payload": {"n": 3}}

    plain.publish("events:broadcast", "nonsense")
    plain.publish("events:support-bot", json.dumps(told))
    plain.publish("events:broadcast", json.dumps({**told, "event_type": "email.sent"}))

    first, second = bus.listen(60), bus.listen(60)
    assert first is not None
    assert second is not None
    assert (first.event_type, first.target_agent, first.payload) == (
        "email.processed",
        "support-bot",
        {"n": 3},
    )
    assert (second.event_type, second.target_agent) == ("email.sent", None)
    only = other.listen(60)
    assert only is not None
    assert only.event_type == "email.sent"


def test_a_server_that_is_away_stops_nobody_is_said_once_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_outgoing, "_RETRY", 0.01)
    monkeypatch.setattr("queues.event_redis._RETRY", 0.01)
    port, said = free_port(), queue.Queue[str]()
    carrier = open_transport(f"redis://127.0.0.1:{port}/0", complain=said.put)
    publisher = EventBus(carrier)

    for number in range(200):
        publisher.publish("test.early", "tester", {"n": number})
    complaint = said.get(timeout=60)
    with a_redis(port, tmp_path):
        publisher.publish("test.late", "tester")
        recovery = said.get(timeout=60)
        listener = EventBus(carrier)
        listener.subscribe("somebody")
        publisher.publish("test.heard", "tester")
        heard = listener.listen(60)
        carrier.close()

    assert "Redis" in complaint
    assert "told to others again" in recovery
    assert heard is not None
    assert heard.event_type == "test.heard"
    assert said.empty()


def test_a_subscriber_comes_back_after_the_server_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queues.event_redis._RETRY", 0.01)
    port = free_port()
    carrier = open_transport(f"redis://127.0.0.1:{port}/0")
    listener = EventBus(carrier)
    told = json.dumps({"event_type": "test.again", "source_agent": "x"})

    with a_redis(port, tmp_path):
        listener.subscribe("somebody")
    with a_redis(port, tmp_path), redis.Redis(host="127.0.0.1", port=port) as plain:
        heard = None
        for _ in range(600):
            plain.publish("events:broadcast", told)
            if heard := listener.listen(0.1):
                break
        carrier.close()

    assert heard is not None
    assert heard.event_type == "test.again"


def test_redis_keeps_nothing_to_go_on_from(carrier: Transport) -> None:
    with pytest.raises(Unsupported, match="Redis keeps no events"):
        EventBus(carrier).subscribe("somebody", since="2026-11-22.jsonl:0")


@pytest.mark.parametrize("url", ["", "journal", "journal:", "journal:relative", "kafka://x", "redis://x:y/z"])
def test_what_carries_no_events_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_transport(url)


def test_a_bus_that_is_told_of_redis_tells_the_platform_of_its_jobs(
    tmp_path: Path, port: int, plain: Any
) -> None:
    settings = {
        "AAFAI_ENGINE": "memory:",
        "AAFAI_EVENTS": f"redis://127.0.0.1:{port}/0",
        "AAFAI_LOG_LEVEL": "ERROR",
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AUTO_START_WORKERS": "false",
    }
    with plain.pubsub() as subscriber:
        subscriber.subscribe("events:broadcast")
        kernel = assemble(Config.load(settings))

        job = kernel.bus.submit(Submission(action="fakejob"))
        kernel.drain()
        told = next_of(subscriber)
    ambient.provide(None)

    assert (told["event_type"], told["source_agent"], told["payload"]["job_id"]) == (
        "task.queued",
        "aafai-bus",
        job.id,
    )
