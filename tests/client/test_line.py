"""One request to a bus: what is sent, and what is made of the answers and of silence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from client.errors import BadInput, HungUp, Refused, Unreachable
from client.line import Line, checked_url
from client.signing import signed
from client.streams import JobFile, saved
from examples.running import free_port
from tests.client.served import App, Served, a_token


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """Answer one request with these bytes, and hang up; yield where."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_an_answer_is_a_json_object(served: Served) -> None:
    assert Line(served.url).ask("GET", "/health")["accepting"] is True


def test_a_refusal_bears_what_the_bus_says(served: Served) -> None:
    with pytest.raises(Refused, match="no action named 'fakejop'") as caught:
        Line(served.url).ask("POST", "/inbound", {"action": "fakejop"})

    assert (caught.value.code, caught.value.status, caught.value.exit_status) == ("unknown_action", 422, 2)
    assert caught.value.hint == "Did you mean 'fakejob'?"
    assert caught.value.retry_after == 0.0


def test_a_refusal_for_now_says_when_to_come_again(served: Served) -> None:
    served.stage.kernel.bus.gate.close(retry_after=7.0)

    with pytest.raises(Refused) as caught:
        Line(served.url).ask("POST", "/inbound", {"action": "fakejob"})

    assert (caught.value.code, caught.value.retry_after, caught.value.exit_status) == (
        "shutting_down",
        7.0,
        4,
    )


def test_nobody_there_and_nobody_of_that_name_are_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"Nobody answers at .*refused") as refused:
        Line(f"http://127.0.0.1:{free_port()}").ask("GET", "/health")
    with pytest.raises(Unreachable, match="Nobody answers at"):
        Line("http://no-such-host.invalid:8000").ask("GET", "/health")

    assert not isinstance(refused.value, HungUp)
    assert refused.value.exit_status == 4


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"job_id": ',
    ],
)
def test_who_takes_the_request_and_gives_no_answer_has_hung_up(text: bytes) -> None:
    with answering(text) as url, pytest.raises(HungUp):
        Line(url, patience=10.0).ask("GET", "/health")


def test_half_a_file_is_not_left_behind(tmp_path: Path) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf of it"

    with answering(half) as url, pytest.raises(HungUp, match=r"page\.txt broke off in its middle"):
        saved(Line(url), "01935a7e-0000-7000-8000-000000000000", JobFile("page.txt", 99), tmp_path / "out")

    assert not list((tmp_path / "out").iterdir())


def test_silence_ends_after_a_while() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(HungUp, match="timed out"):
            Line(url, patience=0.05).ask("GET", "/health")


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot here.",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
    ],
)
def test_who_is_no_bus_is_not_taken_for_one(text: bytes) -> None:
    with answering(text) as url, pytest.raises(Unreachable, match="Who answers there is no bus"):
        Line(url).ask("GET", "/health")


def test_who_points_elsewhere_gets_no_second_request_and_the_user_the_address() -> None:
    elsewhere = b"HTTP/1.1 301 Moved\r\nLocation: https://bus.example/\r\nContent-Length: 0\r\n\r\n"

    with answering(elsewhere) as url, pytest.raises(Unreachable, match=r"no bus \(status 301\)") as caught:
        Line(url, "a-token").ask("GET", "/health")

    assert caught.value.hint.startswith("It points to https://bus.example/: ")


def test_a_proxy_may_have_handed_the_request_to_a_bus_that_has_stored_it() -> None:
    html = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"

    with answering(html) as url, pytest.raises(HungUp, match=r"no bus \(status 502\)"):
        Line(url).ask("POST", "/inbound", {"action": "fakejob"})


@pytest.mark.parametrize(
    ("status", "given", "pause"),
    [
        ("429 Slower", "7", 7.0),
        ("429 Slower", "0", 1.0),
        ("429 Slower", "Wed, 21 Oct 2026 07:28:00 GMT", 5.0),
        ("503 Later", "\u00b2", 5.0),
        ("403 Never", "", 0.0),
    ],
)
def test_a_refusal_is_worth_a_second_try_after_what_it_says(status: str, given: str, pause: float) -> None:
    answer = f"HTTP/1.1 {status}\r\nRetry-After: {given}\r\nContent-Length: 2\r\n\r\n{{}}"

    with answering(answer.encode("latin-1")) as url, pytest.raises(Refused) as caught:
        Line(url).ask("GET", "/health")

    assert caught.value.retry_after == pause


def test_no_proxy_of_the_environment_comes_between(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert Line(served.url).ask("GET", "/health")["accepting"] is True


def test_a_request_is_signed_as_the_documentation_has_it() -> None:
    header = signed(
        "aafai_0a1b2c3d_" + "x" * 43,
        "POST",
        "/inbound",
        b'{"action":"fakejob"}',
        now=1_700_000_000.9,
        nonce="0123456789abcdef",
    )

    assert header.startswith("AAFAI-HMAC-SHA256 key=0a1b2c3d, time=1700000000, nonce=0123456789abcdef, ")
    assert header.endswith("signature=0019855f5000882bcfb53edad023b94d24f59218723cf0ca222cf3d06c5ec41f")


def test_signed_requests_come_in_and_the_token_does_not_travel(tmp_path: Path) -> None:
    seen: list[str] = []
    keyring, text = a_token(tmp_path, signing=True)

    def noting(app: App) -> App:
        def note(environ: dict[str, Any], start_response: Any) -> Any:
            seen.append(environ["HTTP_AUTHORIZATION"])
            return app(environ, start_response)

        return note

    with Served(tmp_path / "bus", around=noting, keyring=keyring) as served:
        served.stage.clock.advance(2)
        line = Line(served.url, text, signs=True, clock=served.stage.clock)
        job_id = line.ask("POST", "/inbound", {"action": "fakejob"}, key="k 1")["job_id"]
        job = line.ask("GET", f"/api/jobs/{job_id}?fields=state%2Clabels")

    assert job == {"state": "queued", "labels": {"owner": "sheet"}}
    assert len(seen) == 2
    assert not [header for header in seen if text in header]


def test_a_token_goes_as_bearer_and_is_never_shown(tmp_path: Path) -> None:
    with Served(tmp_path / "bus", token="the-only-right-token") as served:
        line = Line(served.url, "the-only-right-token")

        health = line.ask("GET", "/health")

    assert health["boot_id"] == "boot-1"
    assert "the-only-right-token" not in repr(line)


@pytest.mark.parametrize(("token", "key"), [("t\nX: 1", ""), ("t\u00e9", ""), ("", "k\r\n")])
def test_what_no_header_can_hold_is_refused_before_anything_is_sent(
    served: Served, token: str, key: str
) -> None:
    with pytest.raises(BadInput, match="what no header can"):
        Line(served.url, token).ask("POST", "/inbound", {"action": "fakejob"}, key=key)

    assert served.asked == []


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8000", "ftp://a", "http://a/b", "http://u:p@a", "http://a:x"),
        *("http://a:0", "http://a:65536", "http://a..b", f"http://{'a' * 64}.example", "http://[::1]:99999"),
    ],
)
def test_what_is_no_url_of_a_bus_is_said_to_be_none(url: str) -> None:
    with pytest.raises(BadInput, match="is no url of a bus"):
        checked_url(url)
