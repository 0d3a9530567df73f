"""A secret of the settings is looked for wherever the bus tells anything: it is found nowhere."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from examples.running import GUNICORN, ROOT, RunningBus, a_bus
from tests.conftest import Evidence

PAGES = ("/health", "/metrics", "/queues", "/actions", "/api/power", "/openapi.json", "/docs", "/nothing")


def searched(
    secret: str, folder: Path, *, command: Sequence[str] = GUNICORN, **more: str
) -> tuple[int, list[str]]:
    """Use a bus that has a secret in every way; return in how many places it was sought, and where it was."""
    logged = ("/bin/sh", "-c", f'exec "$@" > {folder / "log"} 2>&1', "sh", *command)
    settings = {
        "AAFAI_TOKEN": secret,
        "AAFAI_ACTIONS_DIR": str(Path(__file__).parent / "canary_actions"),
        "AAFAI_LOG_LEVEL": "DEBUG",
        "AAFAI_RUNTIME_DIR": str(folder / "run"),
        "AAFAI_MIN_FREE": "1 MiB",
        "TMPDIR": str(folder),
    }
    with a_bus(folder, command=logged, **settings, **more) as bus:
        said = {f"the answer to {what}": f"{got.headers}{got.text}" for what, got in answers(bus, secret)}
        bus.stop()
    written = {str(path): path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}
    places = said | written
    return len(places), [place for place, text in places.items() if secret in text]


def answers(bus: RunningBus, secret: str) -> Iterator[tuple[str, requests.Response]]:
    """Ask for everything, with the secret, without it, and with the secret where it does not belong."""
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {secret}"
        for action in ("look_around", "fall_over", "no_such_action"):
            submitted = http.post(f"{bus.url}/inbound", json={"action": action}, timeout=10)
            yield f"POST {action}", submitted
            job_id = submitted.json().get("job_id", "none")
            yield f"poll {action}", http.get(f"{bus.url}/outbound?job_id={job_id}&wait=25", timeout=30)
        for page in PAGES:
            yield page, http.get(bus.url + page, timeout=10)
        yield "bad JSON", http.post(f"{bus.url}/inbound", data="{", timeout=10)
    for page in (*PAGES, f"/outbound?token={secret}", "/inbound"):
        yield f"{page} of a stranger", requests.get(bus.url + page, timeout=10)
    for scheme in ("Basic", "Token", "bearer"):
        header = {"Authorization": f"{scheme} {secret}"}
        yield f"metrics as {scheme}", requests.get(f"{bus.url}/metrics", headers=header, timeout=10)


def configured(secret: str, folder: Path) -> tuple[int, list[str]]:
    """Return how many configurations were tried, and of which the table of settings tells the secret."""
    (folder / "aafai_token").write_text(secret)
    holding = {
        "a token": {"AAFAI_TOKEN": secret},
        "a credential": {"CREDENTIALS_DIRECTORY": str(folder)},
        "a bad token": {"AAFAI_TOKEN": f"{secret} with odd characters"},
        "a password of the engine": {"AAFAI_ENGINE": f"redis://bus:{secret}@127.0.0.1/0"},
        "a token beside a mistake": {"AAFAI_TOKEN": secret, "AAFAI_PORT": "0"},
    }
    return len(holding), [what for what, environ in holding.items() if secret in shown(environ)]


def shown(environ: dict[str, str]) -> str:
    """Return all that `python -m config` prints."""
    command = [sys.executable, "-m", "config"]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


@pytest.mark.alone
def test_a_secret_of_the_settings_is_found_nowhere(tmp_path: Path, evidence: Evidence) -> None:
    secret = secrets.token_hex(32)
    (tmp_path / "bus").mkdir()

    places, found = searched(secret, tmp_path / "bus")
    configurations, told = configured(secret, tmp_path)

    evidence(
        "P20",
        "the token looked for in answers, /metrics, pages, errors, the log, results, files and settings",
        trials=places + configurations,
        leaked=len(found + told),
    )
    assert found + told == []


@pytest.mark.alone
@pytest.mark.parametrize("mutant", ["log", "environment"])
def test_a_bus_that_tells_its_secret_is_caught(tmp_path: Path, mutant: str, evidence: Evidence) -> None:
    secret = secrets.token_hex(32)
    leaky = (*GUNICORN, "tests.faults.leaky:application()")

    _, found = (
        searched(secret, tmp_path, command=leaky)
        if mutant == "log"
        else searched(secret, tmp_path, AAFAI_PASS_ENV="AAFAI_TOKEN")
    )
    print(found)

    what = "a bus that logs headers, or shows actions its environment"
    evidence("P20", what, trials=1, mutants=1, caught=int(bool(found)))
    assert found


#: Where the record of a job lies, which holds what its action needs.
RECORDS = {"inbound", "scheduled", "running", "outbound", "failed", "journal", "keys", "tmp"}


def searched_for_params(
    secret: str, folder: Path, *, command: Sequence[str] = GUNICORN
) -> tuple[int, list[str]]:
    """Run a job that tells its secrets; return in how many places they were sought, and where they were."""
    logged = ("/bin/sh", "-c", f'exec "$@" > {folder / "log"} 2>&1', "sh", *command)
    settings = {
        "AAFAI_ACTIONS_DIR": str(Path(__file__).parent / "canary_actions"),
        "AAFAI_LOG_LEVEL": "DEBUG",
        "AAFAI_BACKOFF_BASE": "0.1",
        "AAFAI_RUNTIME_DIR": str(folder / "run"),
        "AAFAI_MIN_FREE": "1 MiB",
        "TMPDIR": str(folder),
    }
    params = {
        "password": secret,
        "word": secret,
        "headers": {"Authorization": f"Bearer {secret}"},
        "url": f"https://user:{secret}@host/?api_key={secret}",
    }
    with a_bus(folder, command=logged, **settings) as bus:
        said = dict(answers_of_a_job(bus, params))
        bus.stop()
    files = [path for path in folder.rglob("*") if path.is_file()]
    kept = {path for path in files if RECORDS & set(path.relative_to(folder).parts[1:2])}
    written = {str(path): path.read_bytes().decode("latin-1") for path in files if path not in kept}
    places = said | written
    assert any("logs" in place for place in places)
    return len(places), [place for place, text in places.items() if secret in text]


def answers_of_a_job(bus: RunningBus, params: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Submit a job, wait for its end, and ask for all that can be known of it."""
    body = {"action": "tell_params", "params": params}
    submitted = requests.post(f"{bus.url}/inbound", json=body, timeout=10)
    yield "the submission", submitted.text
    job_id = submitted.json()["job_id"]
    ended = requests.get(f"{bus.url}/outbound?job_id={job_id}&wait=25", timeout=30)
    assert ended.json()["result"]["length"] == len(str(params["word"]))
    yield "the poll", ended.text
    for page in (*PAGES, f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/logs", f"/api/worker/jobs/{job_id}"):
        yield page, requests.get(bus.url + page, timeout=10).text


@pytest.mark.alone
def test_a_secret_of_a_job_is_found_in_its_record_alone(tmp_path: Path, evidence: Evidence) -> None:
    secret = secrets.token_hex(32)

    places, found = searched_for_params(secret, tmp_path)

    what = "a job's secrets looked for in answers, lists, /metrics, both logs, its error and its result"
    evidence("P20", what, trials=places, leaked=len(found))
    assert found == []


@pytest.mark.alone
def test_a_bus_that_lets_jobs_tell_their_secrets_is_caught(tmp_path: Path, evidence: Evidence) -> None:
    unmasked = (*GUNICORN, "tests.faults.unmasked:application()")

    _, found = searched_for_params(secrets.token_hex(32), tmp_path, command=unmasked)

    evidence("P20", "a bus that masks nothing of what jobs say", trials=1, mutants=1, caught=int(bool(found)))
    assert found
