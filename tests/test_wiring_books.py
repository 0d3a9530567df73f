"""A server keeps the books of its machine from its start; what works beside it keeps none."""

import json

import pytest

from config import Config
from core.boots import DEFAULT_LEAD
from wiring import assemble


@pytest.fixture
def settings(tmp_path):
    return {
        "AAFAI_ENGINE": "memory:",
        "AAFAI_EVENTS": "local:",
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_LOG_LEVEL": "ERROR",
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "queues").mkdir()
    return tmp_path / "queues" / "power"


def test_a_server_keeps_a_boot_and_a_session_and_says_when_it_stops(settings, folder):
    kernel = assemble(Config.load(settings))
    kernel.start()
    assert kernel.ready.wait(30)
    kernel.books.close()  # Now the first saving is over.

    kernel.drain()

    session = json.loads((folder / "session.json").read_text())
    boot = json.loads((folder / "boots.jsonl").read_text())
    assert (session["clean"], session["why"]) == (True, "Stopped; all jobs ended.")
    assert session["boot_id"] == boot["boot_id"]
    assert boot["accepting"] >= boot["service"] >= 0


def test_the_power_logic_wakes_the_machine_by_the_lead_of_the_books(settings, folder):
    kernel = assemble(Config.load(settings))
    before = kernel.power.lead()
    folder.mkdir()
    boot = {"boot_id": "a", "at": "2026-11-22T12:00:00+00:00", "restart": False}
    line = json.dumps({**boot, "kernel": None, "system": 40.0, "service": 2.0})
    (folder / "boots.jsonl").write_text(line + "\n")

    after = assemble(Config.load(settings)).power.lead()

    assert (before, after) == (DEFAULT_LEAD, 42.0)


def test_a_worker_beside_a_server_keeps_no_books(settings, folder):
    kernel = assemble(Config.load(settings), beside=True)

    kernel.start()
    assert kernel.ready.wait(30)
    kernel.drain()

    assert not folder.exists()
