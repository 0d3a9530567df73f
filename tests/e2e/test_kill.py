"""kill -9 in the middle of a browser job: it runs again, ends once, and no browser is left over."""

import json
import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from examples.running import a_bus
from tests.faults.crew import waited_for

pytestmark = pytest.mark.alone


@pytest.fixture
def short_folder():
    """A folder with a short path: Chromium puts a socket below it, whose path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="aafai-") as folder:
        yield Path(folder)


class SlowPage(BaseHTTPRequestHandler):
    """A page that arrives only after `release` was set."""

    release: threading.Event
    asked: threading.Event

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if "Sec-Fetch-Mode" in self.headers:  # Said by browsers only.
            self.asked.set()
            self.release.wait(60)
        if self.command == "GET":
            self.wfile.write(b"<p>Here at last</p>")

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@contextmanager
def a_slow_page():
    page = type("Page", (SlowPage,), {"release": threading.Event(), "asked": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", page
    finally:
        page.release.set()
        server.shutdown()
        server.server_close()


def browsers(folder: Path):
    """Return the live processes of browsers whose profile lies below the folder, or that name it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state != "Z" and str(folder).encode() in command and b"chrom" in command:
                found.append(int(entry.name))
    return found


def test_a_browser_job_survives_the_sudden_death_of_the_server(tmp_path, short_folder, browser):
    private = short_folder
    settings = {"AAFAI_ALLOW_PRIVATE_ADDRESSES": "1", "TMPDIR": str(private)}
    with a_slow_page() as (url, page):
        with a_bus(tmp_path, **settings) as bus:
            body = {"action": "download_website", "params": {"url": url}}
            job_id = requests.post(f"{bus.url}/inbound", json=body, timeout=10).json()["job_id"]
            assert page.asked.wait(60), "the browser never asked for the page"
            assert browsers(private), "the browser is not to be seen, so its absence would prove nothing"
            worker = int(
                Path(f"/proc/{bus.process.pid}/task/{bus.process.pid}/children").read_text().split()[0]
            )
            os.kill(worker, signal.SIGKILL)
            bus.process.kill()
            bus.process.wait(10)

        assert waited_for(lambda: not browsers(private), seconds=30.0), f"left over: {browsers(private)}"
        page.release.set()
        with a_bus(tmp_path, **settings) as bus:
            answer = {"status": "pending"}
            deadline = time.monotonic() + 120
            while answer["status"] == "pending" and time.monotonic() < deadline:
                poll = {"job_id": job_id, "wait": 10}
                answer = requests.get(f"{bus.url}/outbound", params=poll, timeout=30).json()
            assert bus.stop() == 0

    assert answer["status"] == "complete"
    assert answer["result"]["text"] == "Here at last"
    records = [json.loads(path.read_text()) for path in bus.queues.glob(f"outbound/*/{job_id}.json")]
    assert [record["attempt"] for record in records] == [2]
    assert [error["code"] for error in records[0]["errors"]] == ["lost"]
    assert not list(bus.queues.glob("running/*.json"))
    assert not browsers(private)
