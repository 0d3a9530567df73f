"""Tokens and signatures on a real server: made and revoked by the command while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from examples.running import GUNICORN, ROOT, RunningBus, a_bus
from tests.api.test_signatures import documented
from tests.faults.crew import waited_for

BODY = b'{"action":"fakejob","params":{"delay_seconds":0}}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[RunningBus]:
    with a_bus(tmp_path, AAFAI_SLOTS="default=0,browser=0", AAFAI_MIN_FREE="1 MiB") as bus:
        yield bus


def command(bus: RunningBus, *arguments: str) -> str:
    """Call `./bus token` with the settings of that bus; return what it prints."""
    environment = {**os.environ, "QUEUE_BASE_PATH": str(bus.queues)}
    call = [ROOT / "bus", "token", *arguments]
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def comes_to_answer(bus: RunningBus, status: int, **headers: str) -> bool:
    """Return whether /queues comes to answer with that status."""
    return waited_for(
        lambda: requests.get(f"{bus.url}/queues", headers=headers, timeout=30).status_code == status
    )


@pytest.mark.alone
def test_tokens_are_made_and_revoked_while_the_bus_runs(bus: RunningBus) -> None:
    assert requests.get(f"{bus.url}/queues", timeout=5).status_code == 200

    token = command(bus, "make", "website")

    assert comes_to_answer(bus, 401)
    assert comes_to_answer(bus, 200, Authorization=f"Bearer {token}")
    assert (
        requests.post(
            f"{bus.url}/purge", json={"days": 1}, headers={"Authorization": f"Bearer {token}"}, timeout=5
        ).json()["code"]
        == "scope_missing"
    )
    command(bus, "revoke", "website")
    assert comes_to_answer(bus, 401, Authorization=f"Bearer {token}")


@pytest.mark.alone
def test_signed_requests_come_in_once_whole_or_in_chunks(bus: RunningBus) -> None:
    names: dict[str, Any] = {}
    exec(documented("python", "import hashlib"), names)
    token = command(bus, "make", "script", "--signing")
    time.sleep(1.0)  # Signatures tell whole seconds, and one from before the bus's start does not count.
    assert comes_to_answer(bus, 401)

    def signed(method: str, target: str, body: bytes = b"", key: str = "") -> dict[str, str]:
        return {"Authorization": names["signed"](token, method, target, body, key=key)}

    whole = signed("POST", "/inbound?a=%20b&c", BODY) | JSON
    keyed = signed("POST", "/inbound", BODY, key="k") | JSON | {"Idempotency-Key": "k"}
    answers = [
        requests.post(f"{bus.url}/inbound?a=%20b&c", data=BODY, headers=whole, timeout=5),
        requests.post(f"{bus.url}/inbound?a=%20b&c", data=BODY, headers=whole, timeout=5),
        requests.post(f"{bus.url}/inbound", data=iter([BODY[:9], BODY[9:]]), headers=keyed, timeout=5),
        requests.get(f"{bus.url}/queues", headers=signed("GET", "/queues"), timeout=5),
        requests.get(f"{bus.url}/queues?x=1", headers=signed("GET", "/queues"), timeout=5),
    ]

    told = [(answer.status_code, answer.json().get("code")) for answer in answers]
    assert told == [
        (200, None),
        (401, "signature_replayed"),
        (200, None),
        (200, None),
        (401, "bad_signature"),
    ]
    assert answers[3].json()["counts"]["inbound"] == 2


@pytest.mark.alone
@pytest.mark.parametrize("app_env", ["development", "production"])
def test_a_bus_that_others_can_reach_does_not_start_without_a_token(tmp_path: Path, app_env: str) -> None:
    settings = {
        "APP_ENV": app_env,
        "AAFAI_HOST": "0.0.0.0",
        "QUEUE_BASE_PATH": str(tmp_path / "queues"),
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "AAFAI_POWER_SWITCH": "none",
    }

    ran = subprocess.run(
        GUNICORN,
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode != 0
    assert "other machines can reach '0.0.0.0'" in ran.stderr
    assert "make one with ./bus token make" in ran.stderr
    assert "AAFAI_TOKEN" in ran.stderr
    assert sys.executable not in ran.stderr.splitlines()[-1]
