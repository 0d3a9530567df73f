from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from actions._egress_proxy import Egress, egress_proxy
from core.errors import UnknownName
from tests.actions.site import Reply, Site

pytestmark = pytest.mark.usefixtures("public_loopback")


@pytest.fixture
def egress() -> Iterator[Egress]:
    with egress_proxy() as egress:
        yield egress


def through(egress: Egress, url: str, **options: object) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": f"http://127.0.0.1:{egress.port}"}
        return session.get(url, timeout=10, **options)  # type: ignore[arg-type]


def raw(egress: Egress, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", egress.port), 10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65_536):
            received += chunk
        return received


def test_a_request_reaches_the_server_with_its_path_and_host(egress: Egress, site: Site) -> None:
    site.replies["/page?a=1"] = Reply("<p>hello")

    answer = through(egress, site.url("/page?a=1"), headers={"Proxy-Authorization": "secret", "X-Mine": "1"})

    _, path, headers, _ = site.asked[0]
    assert (answer.status_code, answer.text) == (200, "<p>hello")
    assert (path, headers["Host"], headers["X-Mine"]) == ("/page?a=1", f"127.0.0.1:{site.port}", "1")
    assert "Proxy-Authorization" not in headers
    assert headers["Connection"] == "close"
    assert egress.refusals == []


def test_a_large_answer_arrives_whole(egress: Egress, site: Site) -> None:
    site.replies["/"] = Reply("x" * 5_000_000)

    assert len(through(egress, site.url()).content) == 5_000_000


def test_a_client_that_has_said_everything_still_gets_its_answer(egress: Egress, site: Site) -> None:
    site.replies["/"] = Reply("to the end")

    assert raw(egress, f"GET {site.url()} HTTP/1.1\r\n\r\n".encode()).endswith(b"to the end")


def test_a_tunnel_carries_bytes_both_ways(egress: Egress, site: Site) -> None:
    site.replies["/"] = Reply("in the tunnel")
    with socket.create_connection(("127.0.0.1", egress.port), 10) as client:
        client.sendall(f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        while chunk := client.recv(65_536):
            received += chunk

    assert received.endswith(b"in the tunnel")


@pytest.mark.parametrize("method", ["GET http://{}/ HTTP/1.1\r\n\r\n", "CONNECT {} HTTP/1.1\r\n\r\n"])
def test_what_leads_inside_is_refused_without_an_answer(
    egress: Egress, inner_site: Site, method: str
) -> None:
    inner_site.replies["/"] = Reply("secret")

    answer = raw(egress, method.format(f"127.0.0.2:{inner_site.port}").encode())

    assert answer == b""
    assert inner_site.asked == []
    assert egress.refusals == [
        "The address is blocked: 127.0.0.2 leads to 127.0.0.2, which is not a public address."
    ]


def test_a_name_that_nobody_knows_is_no_refusal(egress: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, port: int) -> list[str]:
        raise UnknownName(name)

    monkeypatch.setattr("core.addresses._resolved", unknown)

    assert raw(egress, b"CONNECT nowhere.example:443 HTTP/1.1\r\n\r\n") == b""
    assert egress.refusals == []


@pytest.mark.parametrize(
    "request_",
    [b"", b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"CONNECT nothing HTTP/1.1\r\n\r\n", b"x" * 200_000],
)
def test_nonsense_is_hung_up_on_and_the_proxy_serves_on(egress: Egress, site: Site, request_: bytes) -> None:
    site.replies["/"] = Reply("still here")
    with suppress(OSError):  # Hung up before all of it was sent.
        assert raw(egress, request_) == b""

    assert through(egress, site.url()).text == "still here"
