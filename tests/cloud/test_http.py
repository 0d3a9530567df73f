from __future__ import annotations

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.http import Request, ask
from tests.cloud.fake_google import TOKEN, FakeGoogle, Fault


def a_request(google: FakeGoogle, **more: object) -> Request:
    url = f"{google.url}/computeMetadata/v1/instance/name"
    return Request(**{"method": "GET", "url": url, "headers": {"Metadata-Flavor": "Google"}} | more)


def test_an_answer_has_its_status_its_headers_and_its_text(google: FakeGoogle) -> None:
    answer = ask(a_request(google), seconds=10)

    assert (answer.status, answer.body, answer.headers["metadata-flavor"]) == (200, b"bus", "Google")


def test_what_is_sent_arrives(google: FakeGoogle) -> None:
    url = f"{google.url}/v1/projects/p/locations/l/jobs?a=b%20c"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    document = {"name": "projects/p/locations/l/jobs/wake", "schedule": "0 0 1 1 *"}

    ask(Request("POST", url, headers, json.dumps(document).encode()), seconds=10)

    (asked,) = google.asked
    assert (asked.method, asked.query, asked.body) == ("POST", {"a": "b c"}, document)


def test_a_refusal_is_an_answer(google: FakeGoogle) -> None:
    assert ask(a_request(google, headers={}), seconds=10).status == 403


def test_a_redirect_is_an_answer_and_not_followed(google: FakeGoogle) -> None:
    google.fail("name", Fault.REDIRECT)

    answer = ask(a_request(google), seconds=10)

    assert answer.status == 302
    assert len(google.asked) == 1


def test_no_proxy_is_asked(google: FakeGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert ask(a_request(google), seconds=10).status == 200


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.HANG, r"it did not answer within 0\.3 s"),
        (Fault.DRIP, r"it did not answer within 0\.3 s"),
        (Fault.CUT, "closed connection without response"),
        (Fault.HALF, "it hung up in the middle of its answer"),
        (Fault.FLOOD, "its answer is longer than any should be"),
    ],
)
def test_whatever_goes_wrong_is_an_error_in_time(google: FakeGoogle, fault: Fault, said: str) -> None:
    google.fail("name", fault)
    seconds = 0.3 if fault in {Fault.HANG, Fault.DRIP} else 20

    with pytest.raises(OSError, match=said):
        ask(a_request(google), seconds=seconds)


def test_a_server_of_another_protocol_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def answer(*_: object) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        server = threading.Thread(target=answer)
        server.start()
        with pytest.raises(ConnectionError, match="it does not answer in HTTP"):
            ask(Request("GET", url), seconds=10)
        server.join()


@pytest.mark.parametrize("token", ["secret\nsecret", "secret…"])
def test_a_token_that_no_header_can_hold_is_not_shown(google: FakeGoogle, token: str) -> None:
    request = a_request(google, headers={"Authorization": f"Bearer {token}"})

    with pytest.raises(ConnectionError, match="holds what cannot be sent") as caught:
        ask(request, seconds=10)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/jöb", "/a b", "/a\x7fb"])
def test_a_path_that_cannot_be_asked_is_an_error_and_not_waited_for(google: FakeGoogle, path: str) -> None:
    with pytest.raises(ConnectionError):
        ask(Request("GET", f"{google.url}{path}"), seconds=60)

    assert google.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1:99999999", "127.0.0.1:port", "a..b", "["])
def test_a_host_that_cannot_be_is_an_error_and_not_waited_for(host: str) -> None:
    with pytest.raises(ConnectionError):
        ask(Request("GET", f"http://{host}/"), seconds=60)


def test_a_closed_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    with pytest.raises(ConnectionRefusedError):
        ask(Request("GET", url), seconds=10)


def test_a_name_that_takes_too_long_to_look_up_is_given_up_and_never_asked(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, connected = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slowly(*arguments: object, **more: object) -> object:
        found.wait(20)
        return look_up(*arguments, **more)

    def connecting(*arguments: object, **more: object) -> socket.socket:
        made = connect(*arguments, **more)
        connected.set()
        return made

    connect = socket.create_connection
    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setattr(socket, "create_connection", connecting)

    with pytest.raises(TimeoutError):
        ask(a_request(google), seconds=0.2)
    found.set()

    assert connected.wait(20)
    asking = [thread for thread in threading.enumerate() if thread.name == "cloud request"]
    for thread in asking:
        thread.join(20)
    assert google.metadata.asked == []


def test_neither_a_request_nor_an_answer_shows_what_it_holds(google: FakeGoogle) -> None:
    request = a_request(google, headers={"Authorization": f"Bearer {TOKEN}", "Metadata-Flavor": "Google"})
    request = Request("GET", request.url.replace("name", "service-accounts/default/token"), request.headers)

    answer = ask(request, seconds=10)

    assert TOKEN.encode() in answer.body
    assert TOKEN not in f"{request!r} {answer!r}"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    path = tmp_path / "certificate.pem"
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


@pytest.mark.parametrize("known", [True, False])
def test_a_secret_goes_only_to_whom_a_certificate_vouches_for(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeGoogle() as google:
        google.speak_tls(context)
        request = a_request(google)

        if known:
            assert ask(request, seconds=20).body == b"bus"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                ask(request, seconds=20)

        assert len(google.metadata.asked) == known
