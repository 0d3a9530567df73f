from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.http_request import run
from core import Fail, Retry, addresses
from core.clock import SystemClock
from core.jobs import State
from tests.actions.site import Reply, Site
from tests.actions.visitor import Visitor, a_context

TEXT = {"Content-Type": "text/plain; charset=latin-1"}


@pytest.fixture
def ask(tmp_path: Path, public_loopback: None) -> Callable[..., dict[str, Any]]:
    """The action, called in this process."""
    return lambda url, **params: run(url, **params, job=a_context(tmp_path, SystemClock()))


def test_it_answers_status_headers_and_text(visitor: Visitor, site: Site) -> None:
    site.replies["/a?b=c"] = Reply("grüß dich".encode("latin-1"), headers=TEXT | {"X-Mine": "1"})

    job = visitor.run("http_request", {"url": site.url("/a?b=c")})

    assert job.state is State.SUCCEEDED
    assert job.result.pop("headers")["X-Mine"] == "1"
    assert job.result == {
        "status": 200,
        "reason": "OK",
        "url": site.url("/a?b=c"),
        "text": "grüß dich",
        "file": None,
        "size_bytes": 9,
        "warning": None,
    }


def test_a_body_that_is_no_text_is_kept_as_a_file_of_the_job(visitor: Visitor, site: Site) -> None:
    site.replies["/x/report%201.pdf"] = Reply(b"%PDF\xff", headers={"Content-Type": "application/pdf"})

    job = visitor.run("http_request", {"url": site.url("/x/report%201.pdf")})

    assert (job.result["text"], job.result["file"]) == (None, "report_1.pdf")
    assert (visitor.downloads / job.id / "report_1.pdf").read_bytes() == b"%PDF\xff"


def test_it_sends_method_headers_and_body(ask: Callable[..., Any], site: Site) -> None:
    site.replies["/"] = Reply("made", status=201, headers=TEXT)

    answer = ask(site.url(), method="POST", headers={"X-Mine": "1", "Host": "elsewhere"}, body="ä")

    method, _, headers, body = site.asked[0]
    assert (answer["status"], answer["reason"]) == (201, "Created")
    assert (method, headers["X-Mine"], headers["Host"], body) == (
        "POST",
        "1",
        f"127.0.0.1:{site.port}",
        "ä".encode(),
    )


@pytest.mark.parametrize("status", [404, 500])
def test_any_status_is_an_answer(ask: Callable[..., Any], site: Site, status: int) -> None:
    site.replies["/"] = Reply("no", status=status, headers=TEXT)

    assert ask(site.url())["status"] == status


def test_a_long_body_is_cut_with_a_warning(ask: Callable[..., Any], site: Site) -> None:
    site.replies["/"] = Reply("x" * 200_000, headers=TEXT)

    answer = ask(site.url(), max_bytes=70_000)

    assert (len(answer["text"]), answer["size_bytes"]) == (70_000, 70_000)
    assert answer["warning"] == "The body was cut after 70000 bytes."


def test_redirects_are_followed_or_shown(ask: Callable[..., Any], site: Site) -> None:
    site.replies["/"] = Reply(status=302, headers={"Location": "/there"})
    site.replies["/there"] = Reply("here", headers=TEXT)

    assert ask(site.url())["url"] == site.url("/there")
    assert ask(site.url(), follow_redirects=False)["status"] == 302


def test_a_redirect_inside_is_blocked_before_any_connection(
    ask: Callable[..., Any], site: Site, inner_site: Site
) -> None:
    inner_site.replies["/"] = Reply("secret")
    site.replies["/"] = Reply(status=302, headers={"Location": inner_site.url()})

    with pytest.raises(Fail) as refusal:
        ask(site.url())

    assert refusal.value.code == "blocked_address"
    assert site.paths() == ["/"]
    assert inner_site.asked == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "/"])
def test_a_redirect_that_leads_nowhere_ends_the_job(
    ask: Callable[..., Any], site: Site, location: str
) -> None:
    site.replies["/"] = Reply(status=302, headers={"Location": location})

    with pytest.raises(Fail) as refusal:
        ask(site.url())

    assert refusal.value.code == "http_error"


def test_a_name_is_resolved_once_for_check_and_connection(
    ask: Callable[..., Any], site: Site, inner_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebinding name server answers with a public address first and with an inner one next."""
    site.replies["/"] = Reply("public", headers=TEXT)
    answers = iter(["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"])
    real = addresses.socket.getaddrinfo
    monkeypatch.setattr(
        addresses.socket,
        "getaddrinfo",
        lambda host, port, *rest, **options: real(
            next(answers) if host == "rebinding.example" else host, port, *rest, **options
        ),
    )

    answer = ask(f"http://rebinding.example:{site.port}/")

    assert answer["text"] == "public"
    assert site.asked[0][2]["Host"] == f"rebinding.example:{site.port}"
    assert inner_site.asked == []


def test_without_leave_a_loopback_address_is_blocked_before_any_connection(
    tmp_path: Path, site: Site
) -> None:
    with pytest.raises(Fail) as refusal:
        run(site.url(), job=a_context(tmp_path, SystemClock()))

    assert refusal.value.code == "blocked_address"
    assert site.asked == []


def test_a_server_that_does_not_answer_in_time_may_be_asked_again(visitor: Visitor, site: Site) -> None:
    release = threading.Event()
    site.replies["/"] = Reply("late", first=lambda: release.wait(30))

    job = visitor.run("http_request", {"url": site.url(), "timeout_seconds": 1})
    release.set()

    assert job.error is not None
    assert job.error.code == "action_error"
    assert "in time" in job.error.message or "longer than 1 seconds" in job.error.message


def test_a_server_that_is_not_there_may_be_asked_again(ask: Callable[..., Any], site: Site) -> None:
    closed = site.url()
    with pytest.raises(Retry, match=r"The request failed: no connection could be made, or it broke off\."):
        ask(closed.replace(str(site.port), "1"))
