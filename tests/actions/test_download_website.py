from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from actions import _addresses
from actions.download_website import run
from core import Fail, Retry
from core.clock import SystemClock
from core.jobs import State
from tests.actions.site import Reply, Site
from tests.actions.visitor import Visitor, a_context
from tests.faults.crew_processes import descendants

PAGE = """<!doctype html><title>not shown</title><h1>Grüße</h1><p hidden>hidden</p>
<p id=x>before</p><script>document.getElementById("x").textContent = "by script"</script>"""


def the_browsers() -> list[int]:
    """Return the processes of Chromium that attempts of this test have started, and nobody else's."""
    found = []
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # It ended while we looked.
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            found += [pid] * (b"/aafai-attempt-" in line and b"--user-data-dir=" in line)
    return found


@pytest.fixture
def visit(tmp_path: Path, browser: str, public_loopback: None) -> Callable[..., Any]:
    """The action, called in this process, with one public address on the loopback network."""
    return lambda url, **params: run(url, **params, job=a_context(tmp_path, SystemClock()))


@pytest.mark.alone
@pytest.mark.usefixtures("browser")
class TestInTheBrowser:
    def test_it_answers_the_visible_text_of_the_page_and_leaves_nothing_running(
        self, visitor: Visitor, site: Site
    ) -> None:
        site.replies["/"] = Reply(PAGE)

        job = visitor.run("download_website", {"url": site.url()})

        assert job.result == {"text": "Grüße\n\nby script", "size_bytes": 18, "warning": None}
        assert the_browsers() == []

    def test_ten_mebibytes_and_more_are_truncated_with_the_warning(
        self, visitor: Visitor, site: Site
    ) -> None:
        site.replies["/"] = Reply("<pre>" + "ä" * 5_300_000)

        job = visitor.run("download_website", {"url": site.url()})

        assert job.state is State.SUCCEEDED
        assert job.result["text"] == "ä" * 5_242_880
        assert job.result["size_bytes"] == 10_600_000
        assert job.result["warning"] == "Text content exceeded 10485760 bytes and was truncated."

    def test_an_error_page_of_the_server_is_no_result(self, visitor: Visitor, site: Site) -> None:
        site.replies["/"] = Reply("<p>gone", status=410)

        job = visitor.run("download_website", {"url": site.url()})

        assert job.error is not None
        assert (job.error.code, job.error.message) == ("http_error", "The server answered with status 410.")

    def test_a_page_that_opens_dialogs_is_read_nevertheless(self, visitor: Visitor, site: Site) -> None:
        site.replies["/"] = Reply("<p>read me<script>alert(1); confirm(2); prompt(3)</script>")

        job = visitor.run("download_website", {"url": site.url()})

        assert job.result == {"text": "read me", "size_bytes": 7, "warning": None}

    def test_a_page_that_never_finishes_loading_is_a_clear_error(self, visitor: Visitor, site: Site) -> None:
        release = threading.Event()
        site.replies["/"] = Reply("<img src=/never>")
        site.replies["/never"] = Reply(first=lambda: release.wait(60))

        job = visitor.run("download_website", {"url": site.url(), "page_timeout_seconds": 2})
        release.set()

        assert job.error is not None
        assert job.error.message == "The page did not load within 2 seconds."
        assert the_browsers() == []

    def test_a_crash_of_chromium_is_a_clear_error(self, visitor: Visitor, site: Site) -> None:
        release = threading.Event()

        def crash() -> None:
            for pid in the_browsers():
                os.kill(pid, signal.SIGKILL)
            release.wait(30)

        site.replies["/"] = Reply("<img src=/crash>")
        site.replies["/crash"] = Reply(first=crash)

        job = visitor.run("download_website", {"url": site.url()})
        release.set()

        assert job.state is State.FAILED
        assert job.error is not None
        assert job.error.message.startswith("Chromium did not show the page: ")
        assert the_browsers() == []

    def test_a_cancelled_job_takes_its_browser_with_it(self, visitor: Visitor, site: Site) -> None:
        loading, release = threading.Event(), threading.Event()
        site.replies["/"] = Reply("<img src=/never>")
        site.replies["/never"] = Reply(first=lambda: (loading.set(), release.wait(60)))
        job = visitor.claim("download_website", {"url": site.url()})
        thread = threading.Thread(target=visitor.runner.perform, args=[job])
        thread.start()
        assert loading.wait(60)
        assert the_browsers()

        visitor.runner.cancel(job.id)
        thread.join(60)
        release.set()

        assert visitor.engine.get(job.id).state is State.CANCELLED
        assert the_browsers() == []

    def test_nothing_that_a_page_does_reaches_an_inner_address(
        self, visit: Callable[..., Any], site: Site, inner_site: Site
    ) -> None:
        inner_site.replies["/"] = Reply("secret", headers={"Access-Control-Allow-Origin": "*"})
        inner = inner_site.url()
        site.replies["/"] = Reply(f"""<p>outside</p><img src={inner}><iframe src={inner}></iframe>
            <script>
                let request = new XMLHttpRequest();
                request.open("GET", "{inner}", false);
                try {{ request.send(); document.write(request.responseText) }}
                catch {{ document.write("refused") }}
                new WebSocket("{inner.replace("http", "ws")}");
                navigator.sendBeacon("{inner}");
            </script>""")

        page = visit(site.url())

        assert page["text"].split() == ["outside", "refused"]
        assert inner_site.asked == []

    @pytest.mark.parametrize(
        "way", ["<script>location = '{}'</script>", "<meta http-equiv=refresh content='0; url={}'>"]
    )
    def test_a_page_that_leads_inside_is_blocked(
        self, visit: Callable[..., Any], site: Site, inner_site: Site, way: str
    ) -> None:
        inner_site.replies["/"] = Reply("secret")
        site.replies["/"] = Reply(way.format(inner_site.url()))

        with pytest.raises(Fail) as refusal:
            visit(site.url())

        assert refusal.value.code == "blocked_address"
        assert inner_site.asked == []


def test_other_text_is_answered_without_a_browser(visitor: Visitor, site: Site) -> None:
    site.replies["/"] = Reply("<b>as it is</b>", headers={"Content-Type": "text/plain"})

    job = visitor.run("download_website", {"url": site.url()})

    assert job.result == {"text": "<b>as it is</b>", "size_bytes": 15, "warning": None}


def test_what_is_no_text_is_kept_as_a_file_and_the_warning_says_so(visitor: Visitor, site: Site) -> None:
    site.replies["/paper.pdf"] = Reply(b"%PDF-1.7", headers={"Content-Type": "application/pdf"})

    job = visitor.run("download_website", {"url": site.url("/paper.pdf")})

    assert job.result == {
        "text": "",
        "size_bytes": 0,
        "warning": "The address holds application/pdf, not a page: all 8 bytes were kept as paper.pdf.",
    }
    assert (visitor.downloads / job.id / "paper.pdf").read_bytes() == b"%PDF-1.7"


@pytest.mark.parametrize(("status", "error"), [(404, Fail), (503, Retry), (429, Retry)])
@pytest.mark.usefixtures("public_loopback")
def test_a_refusal_of_the_server_is_no_result(
    tmp_path: Path, site: Site, status: int, error: type[Exception]
) -> None:
    site.replies["/"] = Reply("no", status=status, headers={"Content-Type": "text/plain"})

    with pytest.raises(error, match=f"The server answered with status {status}"):
        run(site.url(), job=a_context(tmp_path, SystemClock()))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://169.254.169.254/", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/"],
)
def test_an_inner_address_is_blocked_before_any_connection(tmp_path: Path, url: str) -> None:
    with pytest.raises(Fail) as refusal:
        run(url, job=a_context(tmp_path, SystemClock()))

    assert refusal.value.code == "blocked_address"


def test_a_browser_that_is_not_installed_is_named(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.replies["/"] = Reply("<p>x")
    monkeypatch.setenv(_addresses.ALLOW_PRIVATE, "1")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Fail, match="is not installed: run tools/system-packages"):
        run(site.url(), job=a_context(tmp_path, SystemClock()))
