"""Submit a job and wait for its result, with nothing but Python's standard library: to copy into programs.

    python examples/submit.py fakejob delay_seconds=2

Programs beside a checkout of the bus have `client.BusClient`, which starts the machine too. AAFAI_CLIENT_URL
is where the bus is, AAFAI_TOKEN its token. Exit status: 0 the job succeeded, 1 it did not, 2 the bus refuses
what was asked, 4 nobody answers.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

URL = os.environ.get("AAFAI_CLIENT_URL", "http://127.0.0.1:8000").rstrip("/")
TRIES = 5


def main(arguments: list[str]) -> int:
    """Submit the job that the arguments describe and print its result."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    action, *pairs = arguments
    try:
        answer = result_of(submit(action, dict(map(param, pairs))))
    except urllib.error.HTTPError as refusal:
        print(refusal.read().decode(errors="replace"), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{URL} does not answer: {error}", file=sys.stderr)
        return 4
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0 if answer["status"] == "complete" else 1


def submit(action: str, params: dict[str, Any]) -> str:
    """Return the id of a job that is durably stored, once, however often it had to be sent."""
    key = uuid.uuid4().hex  # The same at each try: in doubt the bus answers with the same job.
    answer = ask("/inbound", {"action": action, "params": params, "idempotency_key": key})
    return str(answer["job_id"])


def result_of(job_id: str) -> dict[str, Any]:
    """Return the last answer about a job: complete with its result, failed or cancelled with a sentence."""
    while True:
        answer = ask(f"/outbound?job_id={job_id}&wait=20")
        if answer["status"] != "pending":
            return answer


def ask(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the bus's answer. What is refused for a moment only is asked again; raises OSError."""
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("AAFAI_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, content, headers)
    for attempt in range(1, TRIES + 1):
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as refusal:
            if refusal.code not in {429, 503, 507} or attempt == TRIES:
                raise
            time.sleep(float(refusal.headers.get("Retry-After", "1")))
        except OSError:
            if attempt == TRIES:
                raise
            time.sleep(2.0**attempt / 10)
    raise AssertionError("the loop returns or raises")


def param(pair: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; the value is read as JSON if it is any, else as text."""
    name, _, text = pair.partition("=")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
