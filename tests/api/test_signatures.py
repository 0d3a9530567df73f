"""Signed requests: the token does not travel, and whoever listens can repeat and change nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api import signatures
from api.errors import Refused
from api.signatures import Nonces, signed_text
from core.jobs import Query
from tests.api.doors import Door, as_body
from tests.api.stage import Stage
from tests.conftest import needed
from tests.fakes import FakeClock

BODY = as_body({"action": "fakejob"})
JSON = "application/json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "http.md"


@pytest.fixture
def door(stage: Stage, tmp_path: Path) -> Door:
    return Door(stage, tmp_path / "tokens.json")


@pytest.fixture
def token(door: Door) -> str:
    return door.token(signing=True)


def post(door: Door, headers: dict[str, str], body: bytes = BODY, url: str = "/inbound") -> Any:
    return door.client.post(url, data=body, content_type=JSON, headers=headers)


def stored(door: Door) -> int:
    return len(door.stage.engine.find(Query()).jobs)


def test_what_is_signed_is_what_the_documentation_says() -> None:
    text = signed_text("POST", "/inbound?a=1", "1700000000", "n" * 16, key="k", body=b"{}")

    digest = hashlib.sha256(b"{}").hexdigest()
    assert text == (
        b"AAFAI-HMAC-SHA256\nPOST\n/inbound?a=1\n1700000000\nnnnnnnnnnnnnnnnn\nk\n" + digest.encode()
    )


def test_a_signed_submission_is_stored_in_the_name_of_its_token(door: Door, token: str) -> None:
    answer = post(door, door.signed(token, "POST", "/inbound", BODY))

    assert answer.status_code == 200
    assert door.stage.engine.get(answer.json["job_id"]).labels == {"owner": "anne"}


@pytest.mark.parametrize("url", ["/queues", "/outbound?job_id=x&wait=1", "/api//power?a=%20b"])
def test_a_signed_get_needs_no_body(door: Door, token: str, url: str) -> None:
    answer = door.client.get(url, headers=door.signed(token, "GET", url))

    assert answer.status_code != 401


def test_a_request_counts_once(door: Door, token: str) -> None:
    headers = door.signed(token, "POST", "/inbound", BODY)

    first, again = post(door, headers), post(door, headers)

    assert first.status_code == 200
    assert (again.status_code, again.json["code"]) == (401, "signature_replayed")
    assert again.headers["WWW-Authenticate"] == "AAFAI-HMAC-SHA256"
    assert stored(door) == 1


def test_of_twenty_repetitions_at_once_one_comes_in(door: Door, token: str) -> None:
    headers = door.signed(token, "POST", "/inbound", BODY)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: post(door, headers).status_code, range(20)))

    assert sorted(answers) == [200] + [401] * 19
    assert stored(door) == 1


def test_nothing_that_is_signed_can_be_changed(door: Door, token: str) -> None:
    headers = door.signed(token, "POST", "/inbound", BODY, key="k")
    longer = as_body({"action": "fakejob", "priority": 9})

    answers = [
        post(door, headers),  # without its key
        post(door, headers | {"Idempotency-Key": "other"}),
        post(door, headers | {"Idempotency-Key": "k"}, body=longer),
        post(door, headers | {"Idempotency-Key": "k"}, url="/inbound?x=1"),
        post(door, headers | {"Idempotency-Key": "k"}, url="/inbound/"),
        post(door, headers | {"Idempotency-Key": "k"}, url="/outbound"),
        door.client.put("/inbound", data=BODY, headers=headers | {"Idempotency-Key": "k"}),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(401, "bad_signature")}
    assert stored(door) == 0
    assert post(door, headers | {"Idempotency-Key": "k"}).status_code == 200


@pytest.mark.parametrize("part", ["time", "nonce", "key_id"])
def test_no_part_of_the_header_can_be_exchanged(door: Door, token: str, part: str) -> None:
    said = {"time": str(int(door.stage.clock.now()) + 1), "nonce": "m" * 16, "key_id": "00000000"}
    other = door.signed(token, "POST", "/inbound", BODY, **{part: said[part]})["Authorization"]
    headers = door.signed(token, "POST", "/inbound", BODY)["Authorization"]
    signature = headers.rpartition("=")[2]

    answer = post(door, {"Authorization": other.rpartition("=")[0] + f"={signature}"})

    assert (answer.status_code, answer.json["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        "x",
        "key=00000001",
        "key=00000001, time=1, nonce=" + "n" * 16,
        "key=00000001, time=now, nonce=" + "n" * 16 + ", signature=" + "0" * 64,
        "key=00000001, time=1700000000, nonce=short, signature=" + "0" * 64,
        "key=00000001, time=1700000000, nonce=" + "n" * 65 + ", signature=" + "0" * 64,
        "key=00000001, time=1700000000, nonce=" + "n" * 16 + ", signature=" + "0" * 63,
        "key=00000001, time=1700000000, nonce=" + "n" * 16 + ", signature=" + "é" * 64,
        "key=00000001, time=" + "9" * 13 + ", nonce=" + "n" * 16 + ", signature=" + "0" * 64,
        "key=00000001, time=1700000000, nonce=" + "n" * 16 + ", signature=" + "0" * 64,
    ],
)
def test_a_header_that_is_none_is_refused_with_the_right_one(door: Door, credentials: str) -> None:
    answer = post(door, {"Authorization": f"AAFAI-HMAC-SHA256 {credentials}"})

    assert (answer.status_code, answer.json["code"]) == (401, "bad_signature")
    assert "key=<id>, time=<Unix seconds>" in answer.json["hint"]


@pytest.mark.parametrize(("ahead", "status"), [(-301, 401), (-299, 200), (0, 200), (300, 200), (302, 401)])
def test_a_signature_holds_for_five_minutes_before_and_after(
    door: Door, token: str, ahead: int, status: int
) -> None:
    door.stage.clock.advance(1_000)  # else the start of the bus would decide
    time = str(int(door.stage.clock.now()) + ahead)

    answer = post(door, door.signed(token, "POST", "/inbound", BODY, time=time))

    assert answer.status_code == status
    if status == 401:
        assert answer.json["code"] == "signature_stale"
        assert "Retry-After" not in answer.headers
        assert "2023-11-14T" in answer.json["hint"]


def test_what_was_signed_before_the_start_is_refused_since_it_may_have_come_then(
    door: Door, token: str
) -> None:
    headers = door.signed(token, "POST", "/inbound", BODY)
    post(door, headers)

    door.stage.clock.advance(2)
    door.client = door.opened()
    again = post(door, headers)

    assert (again.status_code, again.json["code"]) == (401, "signature_stale")
    assert again.headers["Retry-After"] == "2"  # seconds by which the client's clock seems to be behind
    assert stored(door) == 1
    assert post(door, door.signed(token, "POST", "/inbound", BODY)).status_code == 200


def test_a_clock_that_is_set_back_after_the_start_shuts_nobody_out(door: Door, token: str) -> None:
    door.stage.clock.jump(-3600)

    assert post(door, door.signed(token, "POST", "/inbound", BODY)).status_code == 200


@pytest.mark.parametrize("later", [599, 600, 601, 900, 1199, 1200, 5000])
def test_a_nonce_is_remembered_for_as_long_as_its_signature_can_hold(later: int) -> None:
    clock = FakeClock()
    nonces = Nonces(clock)
    clock.advance(599)
    nonces.spend("n")

    clock.advance(later)
    if later <= 600:
        with pytest.raises(Refused) as refused:
            nonces.spend("n")
        assert refused.value.code == "signature_replayed"
    nonces.spend("other")


def test_nonces_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_MOST_NONCES", 3)
    clock = FakeClock()
    nonces = Nonces(clock)
    for nonce in "abc":
        nonces.spend(nonce)

    with pytest.raises(Refused) as refused:
        nonces.spend("d")
    with pytest.raises(Refused) as replayed:
        nonces.spend("a")
    clock.advance(600)
    clock.advance(600)
    nonces.spend("e")
    clock.advance(600)
    nonces.spend("f")

    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("rate_limited", "300")
    assert replayed.value.code == "signature_replayed"
    assert len(nonces._younger | nonces._older) <= 3


def test_who_cannot_sign_fills_no_memory(door: Door, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_MOST_NONCES", 1)
    wrong = "aafai_" + token.split("_")[1] + "_" + "x" * 43

    for _ in range(5):
        post(door, door.signed(wrong, "POST", "/inbound", BODY))

    assert post(door, door.signed(token, "POST", "/inbound", BODY)).status_code == 200


def test_two_tokens_may_use_the_same_nonce(door: Door, token: str) -> None:
    other = door.token(signing=True)

    answers = [
        post(door, door.signed(one, "POST", "/inbound", BODY, nonce="n" * 16)) for one in (token, other)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_token_that_signs_is_not_taken_as_a_bearer_token_nor_the_other_way_round(
    door: Door, token: str
) -> None:
    bearer = door.token()

    assert door.ask("GET", "/queues", token).status_code == 401
    assert door.client.get("/queues", headers=door.signed(bearer, "GET", "/queues")).status_code == 401


def test_scopes_actions_and_expiry_hold_for_signatures_too(door: Door) -> None:
    reader = door.token(signing=True, scopes=["read"])
    narrow = door.token(signing=True, actions=["download_website"])
    brief = door.token(signing=True, expires_at=door.stage.clock.now() + 1)

    codes = [
        post(door, door.signed(one, "POST", "/inbound", BODY)).json["code"] for one in (reader, narrow, brief)
    ]

    assert codes == ["scope_missing", "action_not_allowed", "token_expired"]


def test_the_limits_of_bodies_hold_before_anything_is_believed(stage: Stage, tmp_path: Path) -> None:
    door = Door(stage, tmp_path / "tokens.json", {"max_body": 10})
    token = door.token(signing=True)

    answer = post(door, door.signed(token, "POST", "/inbound", BODY))

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_a_signed_body_is_read_as_strictly_as_any(door: Door, token: str) -> None:
    headers = door.signed(token, "POST", "/inbound", b"{")

    answer = post(door, headers, body=b"{")
    other_type = door.client.post(
        "/inbound", data=BODY, content_type="text/plain", headers=door.signed(token, "POST", "/inbound", BODY)
    )

    assert (answer.status_code, answer.json["code"]) == (400, "bad_json")
    assert (other_type.status_code, other_type.json["code"]) == (415, "not_json_type")


def test_a_chunked_body_can_be_signed_too(door: Door, token: str) -> None:
    answer = door.client.post(
        "/inbound",
        data=BODY,
        content_type=JSON,
        headers=door.signed(token, "POST", "/inbound", BODY) | {"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status_code == 200


def test_health_shows_all_to_who_signs_and_forgives_who_signs_badly(door: Door, token: str) -> None:
    headers = door.signed(token, "GET", "/health")

    first, again = (door.client.get("/health", headers=headers) for _ in range(2))

    assert "boot_id" in first.json
    assert again.status_code == 200
    assert "boot_id" not in again.json


def test_the_compare_takes_the_same_time_wherever_they_differ(
    door: Door, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(signatures.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))

    post(door, door.signed(token, "POST", "/inbound", BODY))

    assert len(compared) == 1


def documented(language: str, beginning: str) -> str:
    """Return the block of the documentation that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if block.startswith(beginning))


def test_the_client_of_the_documentation_comes_in(door: Door, token: str) -> None:
    names: dict[str, Any] = {}
    exec(documented("python", "import hashlib"), names)

    header = names["signed"](token, "POST", "/inbound", BODY, now=door.stage.clock.now())

    assert post(door, {"Authorization": header}).status_code == 200


APPS_SCRIPT = """
const crypto = require("crypto");
const signedBytes = (buffer) => [...buffer].map((byte) => (byte > 127 ? byte - 256 : byte));
const Utilities = {
  DigestAlgorithm: { SHA_256: "sha256" },
  Charset: { UTF_8: "utf8" },
  getUuid: () => crypto.randomUUID(),
  computeDigest: (kind, text, charset) => signedBytes(crypto.createHash(kind).update(text, charset).digest()),
  computeHmacSha256Signature: (text, key, charset) =>
    signedBytes(crypto.createHmac("sha256", Buffer.from(key, charset)).update(text, charset).digest()),
};
const PropertiesService = { getScriptProperties: () => ({ getProperty: () => TOKEN }) };
const UrlFetchApp = { fetch: (url, options) => console.log(JSON.stringify({ url, ...options })) };
Date.now = () => NOW;
"""


def test_the_apps_script_of_the_documentation_comes_in(door: Door, token: str, tmp_path: Path) -> None:
    now = int(door.stage.clock.now() * 1000)
    stubs = APPS_SCRIPT.replace("TOKEN", json.dumps(token)).replace("NOW", str(now))
    program = tmp_path / "client.js"
    program.write_text(
        stubs + documented("js", "function signed") + 'submit({ action: "fakejob", params: {} });\n'
    )

    ran = subprocess.run([needed("node", "nodejs"), program], capture_output=True, text=True, check=True)
    sent = json.loads(ran.stdout)
    answer = post(door, sent["headers"], body=sent["payload"].encode())

    assert (sent["method"], sent["contentType"]) == ("post", JSON)
    assert answer.status_code == 200
