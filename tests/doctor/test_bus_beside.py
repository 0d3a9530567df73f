"""What is told of the bus itself: its process, its heartbeat, its answers, its last stop."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config import Config
from doctor import Finding, Group, Mark, examine
from tests.doctor.conftest import Ward

HEALTHY = {"status": "healthy", "accepting": True, "version": "1", "warnings": []}


@contextmanager
def an_answer(ward: Ward, status: int, body: Any) -> Iterator[list[str]]:
    """Answer /health on a free port, which the ward's settings then name; yield the tokens that came."""
    tokens: list[str] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ward.config = replace(ward.config, port=server.server_port)
    try:
        yield tokens
    finally:
        server.shutdown()
        server.server_close()


def the_group(ward: Ward, name: str = "Bus") -> Group:
    return next(group for group in examine(ward.patient()) if group.name == name)


def codes(group: Group) -> set[str]:
    return {finding.kind.code for finding in group.findings}


def first(group: Group) -> Finding:
    return group.findings[0]


def test_without_a_bus_the_address_is_free_and_nothing_is_wrong(ward: Ward) -> None:
    group = the_group(ward)

    assert group.mark is Mark.OK
    assert group.facts == ("no bus runs on this folder", f"127.0.0.1:{ward.config.port} is free for it")


def test_a_bus_that_runs_and_does_not_answer_is_a_problem(ward: Ward) -> None:
    with closing(ward.open()):
        assert codes(the_group(ward)) == {"bus_unwell"}


def test_a_healthy_bus_is_well_and_asked_with_its_token(ward: Ward) -> None:
    ward.config = replace(ward.config, token="canary-0123456789abcdef")

    with closing(ward.open()), an_answer(ward, 200, HEALTHY) as tokens:
        group = the_group(ward)

    assert group.mark is Mark.OK
    assert tokens == ["Bearer canary-0123456789abcdef"]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, HEALTHY | {"accepting": False, "database": {"problem": "The disk is full."}}, "bus_unwell"),
        (200, HEALTHY | {"warnings": ["The moon is full."]}, "bus_warns"),
        (200, "<html>", "port_taken"),
        (200, [], "port_taken"),
        (404, {"error": "no"}, "port_taken"),
    ],
)
def test_what_is_wrong_with_the_answer_is_told(ward: Ward, status: int, body: Any, code: str) -> None:
    with closing(ward.open()), an_answer(ward, status, body):
        assert codes(the_group(ward)) == {code}


def test_a_bus_that_works_on_another_folder_is_told(ward: Ward) -> None:
    with an_answer(ward, 200, HEALTHY):
        assert codes(the_group(ward)) == {"bus_elsewhere"}


@pytest.mark.parametrize(("beat", "found"), [(990.0, set()), (900.0, {"heartbeat_stale"})])
def test_a_heartbeat_that_is_old_while_the_bus_runs_is_a_problem(
    ward: Ward, beat: float, found: set[str]
) -> None:
    Path(ward.config.runtime_dir).mkdir(exist_ok=True)
    (ward.config.runtime_dir / "heartbeat").write_text(f"{beat}\n")

    with closing(ward.open()), an_answer(ward, 200, HEALTHY):
        assert codes(the_group(ward)) == found


def test_the_last_stop_is_told_and_a_damaged_record_of_it_is_a_note(ward: Ward) -> None:
    record = ward.config.queue_base_path / "clean-stop.json"
    record.write_text(json.dumps({"stopped_at": ward.clock.now() - 3600, "message": "idle"}))
    told = the_group(ward)
    record.write_text(json.dumps({"state": "running"}))
    running = the_group(ward)
    record.write_text("[]")

    assert told.facts[-1] == "last stopped cleanly 1 hour ago"
    assert codes(running) == set()
    assert codes(the_group(ward)) == {"clean_stop_damaged"}


def test_a_browser_is_looked_for_only_if_an_action_needs_one(ward: Ward, settings: dict[str, str]) -> None:
    unneeded = the_group(ward, "Browser")
    action = 'from core import action\n\n\n@action(queue="browser")\ndef run() -> None:\n    """Look."""\n'
    Path(settings["AAFAI_ACTIONS_DIR"], "look.py").write_text(action)
    ward.config = replace(ward.config, chromedriver="no-such-driver")

    needed = the_group(ward, "Browser")

    assert unneeded.facts == ("no action needs one",)
    assert "no-such-driver" in [example.where for example in first(needed).examples]


@pytest.mark.parametrize(
    ("browser", "driver", "found"),
    [
        ("echo Chromium 120.0.6099.1 built", "echo ChromeDriver 120.0.7000.2", set()),
        (
            "echo Chromium 120.0.6099.1 built",
            "echo ChromeDriver 119.0.6045.9",
            {"browser_and_driver_differ"},
        ),
        ("echo Chromium 120.0.6099.1 built", "echo broken >&2; exit 3", {"browser_does_not_start"}),
        ("echo what", "echo ChromeDriver 119.0.6045.9", {"browser_does_not_start"}),
    ],
)
def test_browser_and_driver_must_start_and_fit_each_other(
    ward: Ward,
    settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    browser: str,
    driver: str,
    found: set[str],
) -> None:
    action = 'from core import action\n\n\n@action(queue="browser")\ndef run() -> None:\n    """Look."""\n'
    Path(settings["AAFAI_ACTIONS_DIR"], "look.py").write_text(action)
    for name, script in (("chromium", browser), ("chromedriver", driver)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert codes(the_group(ward, "Browser")) == found


def test_a_power_switch_that_will_not_work_is_a_problem(ward: Ward, settings: dict[str, str]) -> None:
    ward.config = Config.load(settings | {"AAFAI_POWER_SWITCH": "command:/no/such/program"})
    refused = the_group(ward, "Power")
    ward.config = Config.load(settings | {"AAFAI_POWER_SWITCH": "command:true"})

    assert codes(refused) == {"power_switch_refused"}
    assert "polkit" not in refused.findings[0].remedy
    assert the_group(ward, "Power").facts[0] == "the switch command may be used"
