"""The whole story on one screen: start the bus, submit a page, watch its file move, read the result, stop.

Run by `make demo`. Everything happens on this machine: the page is served on loopback, fetched by a real
Chromium, and the queue lives in a folder that is removed at the end.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from examples.running import RunningBus, a_bus

#: The text appears only in a browser that runs scripts.
PAGE = b"""<!doctype html><meta charset="utf-8"><title>A page</title>
<h1>Hello from a real page</h1><p id="here">No browser was here.</p>
<script>document.getElementById("here").textContent =
"Written by a script in a real browser: " + 6 * 7;</script>"""


def main() -> int:
    """Run the demonstration; return 0 when the page was fetched and the bus stopped cleanly."""
    if not shutil.which("chromium"):
        print("The demo needs Chromium: apt-get install chromium chromium-driver")
        return 1
    with tempfile.TemporaryDirectory(prefix="aafai-demo-") as folder, a_page() as page:
        # The page is on loopback, which actions may not reach unless they are told so.
        with a_bus(Path(folder), AAFAI_ALLOW_PRIVATE_ADDRESSES="1") as bus:
            say(f"The bus accepts jobs at {bus.url}, {bus.cold_start:.2f} s after exec.")
            answer = run_the_jobs(bus, page)
            say("Why the machine is still on: GET /api/power")
            show(requests.get(f"{bus.url}/api/power", timeout=10).json())
            status = bus.stop()
        say(f"The bus stopped with exit status {status}.")
    return 0 if status == 0 and answer["status"] == "complete" else 1


def run_the_jobs(bus: RunningBus, page: str) -> dict[str, Any]:
    """Submit two pages, show where their files are as they move, return the final answer to the second."""
    receipts = []
    for url in (page, f"{page}?again"):
        body = {"action": "download_website", "params": {"url": url}}
        say(f"POST /inbound {json.dumps(body)}")
        receipts.append(requests.post(f"{bus.url}/inbound", json=body, timeout=10).json())
        show(receipts[-1])
    job_id = receipts[-1]["job_id"]
    say("ls: there is one browser, so the second job waits; its files from submit to result")
    answer = followed(bus, job_id)
    say(f"GET /outbound?job_id={job_id}")
    show(answer)
    show_time_line(bus, job_id)
    return answer


def followed(bus: RunningBus, job_id: str) -> dict[str, Any]:
    """Poll until the job has ended, printing each place of its file; return the last answer."""
    seen: set[str] = set()
    while True:
        for place in sorted(set(places(bus.queues, job_id)) - seen):
            write(f"  {place}")
            seen.add(place)
        answer = requests.get(
            f"{bus.url}/outbound", params={"job_id": job_id, "wait": 0.1}, timeout=30
        ).json()
        if answer["status"] != "pending" and not set(places(bus.queues, job_id)) - seen:
            return dict(answer)


def places(queues: Path, job_id: str) -> Iterator[str]:
    """Yield the paths of the job's record and of what belongs to it."""
    for path in queues.glob(f"**/{job_id}*"):
        yield str(path.relative_to(queues))


def show_time_line(bus: RunningBus, job_id: str) -> None:
    """Print the job's times, read from its record as `cat` shows it, and its log."""
    record = json.loads(next(bus.queues.glob(f"outbound/*/{job_id}.json")).read_text())
    began = record["submitted_at"]
    say("The time line, from the record and its log")
    for name in ("submitted_at", "started_at", "ended_at"):
        print(f"  +{record[name] - began:6.3f} s  {name}")
    for log in bus.queues.glob(f"logs/*/{job_id}.log"):
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            print(f"  +{entry['at'] - began:6.3f} s  log: {entry['message']}")


@contextmanager
def a_page() -> Iterator[str]:
    """Serve the page on loopback; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path in {"/", "/?again"}
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(PAGE if found else b"Nothing here.")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  The name is http.server's.
        """Say nothing: the bus's log is the one to read."""


def say(text: str) -> None:
    """Print a heading."""
    write(f"\n{text}")


def show(answer: object) -> None:
    """Print JSON as people read it."""
    write(json.dumps(answer, indent=2, ensure_ascii=False))


def write(text: str) -> None:
    """Print a text and the end of its last line in one piece, since the bus writes its log in between."""
    print(f"{text}\n", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
