from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from actions._addresses import checked_url
from core import Fail, Retry, addresses
from core.addresses import Target, checked_spelling, is_public
from core.errors import BlockedAddress
from tests.conftest import Evidence


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, in place of the machine's resolver; addresses resolve as ever."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        if host not in known:
            return real(host, port, flags=socket.AI_NUMERICHOST, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/computeMetadata/v1/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://0251.0376.0251.0376/",
        "http://127.1/",
        "http://0/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://printer.local/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fd20:ce::254]/",
        "http://[fe80::1%25eth0]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[2001:0:4136:e378:8000:63bf:5601:5601]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://192.88.99.1/",
        "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[fec0::1]/",
        "http://inside.example/",
        "http://both.example/",
        "http://93.184.215.14:22/",
        "http://93.184.215.14:99999/",
        "http://user@93.184.215.14/",
        "http://user:word@93.184.215.14/",
        "http://93.184.215.14\\@127.0.0.1/",
        "http://93.184.215.14 /",
        "http://93.184.215.14\n/",
        "http:///etc/passwd",
        "http://[::1",
        "file:///etc/passwd",
        "chrome://version",
        "view-source:http://example.org",
        "ftp://93.184.215.14/",
        "//93.184.215.14/",
        "",
    ],
)
def test_what_leads_inside_is_blocked(names: dict[str, list[str]], url: str, evidence: Evidence) -> None:
    names["inside.example"] = ["192.168.0.7"]
    names["both.example"] = ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(Fail) as refusal:
        checked_url(url)

    evidence("P19", "spellings of addresses inside", trials=1, leaked=0)
    assert refusal.value.code == "blocked_address"


def test_a_guard_that_takes_every_address_for_public_is_caught(
    monkeypatch: pytest.MonkeyPatch, evidence: Evidence
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: True)

    passed = checked_url("http://169.254.169.254/")

    evidence("P19", "a guard that takes every address for public", trials=1, mutants=1, caught=1)
    assert passed.address == "169.254.169.254"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://example.org/a?b", Target("example.org", 80, "93.184.215.14")),
        ("https://EXAMPLE.org./", Target("example.org", 443, "93.184.215.14")),
        ("http://example.org:443/", Target("example.org", 443, "93.184.215.14")),
        ("http://93.184.215.14/", Target("93.184.215.14", 80, "93.184.215.14")),
        ("https://[2606:2800:21f::1]/", Target("2606:2800:21f::1", 443, "2606:2800:21f::1")),
    ],
)
def test_what_leads_outside_passes_with_the_address_that_was_checked(
    names: dict[str, list[str]], url: str, target: Target
) -> None:
    names["example.org"] = ["93.184.215.14", "93.184.215.15"]

    assert checked_url(url) == target


def test_a_name_that_nobody_knows_may_be_known_later(names: dict[str, list[str]]) -> None:
    with pytest.raises(Retry, match=r"The name nowhere\.example could not be resolved\."):
        checked_url("http://nowhere.example/")


def test_the_operator_can_allow_every_address_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AAFAI_ALLOW_PRIVATE_ADDRESSES", "1")

    assert checked_url("http://127.0.0.1:8080/") == Target("127.0.0.1", 8080, "127.0.0.1")
    with pytest.raises(Fail):
        checked_url("file:///etc/passwd")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::1", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::5db8:d70e", True),
    ],
)
def test_a_public_address_is_public_in_every_dress(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://127.1/", "http://2852039166/", "http://0xa9fea9fe/", "http://[::1]/"),
        *("http://[::ffff:a9fe:a9fe]/", "http://printer.local/", "http://localhost/", "ftp://example.org/"),
        *("http://user@example.org/", "http://example.org:22/", "http://example.org /", "http:///x", ""),
    ],
)
def test_what_cannot_lead_outside_is_seen_by_its_spelling_alone(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", None)

    with pytest.raises(BlockedAddress):
        checked_spelling(url)


@pytest.mark.parametrize(
    "url", ["https://example.org/hook?a=b", "http://93.184.215.14/", "http://[2606:2800:21f::1]/"]
)
def test_what_may_lead_outside_passes_by_its_spelling(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(addresses.socket, "getaddrinfo", None)

    checked_spelling(url)


def test_with_private_addresses_allowed_a_spelling_passes_that_a_server_could_answer() -> None:
    checked_spelling("http://127.0.0.1:8080/hook", private=True)

    with pytest.raises(BlockedAddress):
        checked_spelling("file:///etc/passwd", private=True)
