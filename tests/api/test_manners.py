"""What every request goes through, whichever dialect answers it."""

from __future__ import annotations

import gzip
import json
import logging

import pytest
from flask.testing import FlaskClient

from api.doorkeeper import Doorkeeper
from core.logger import logger
from tests.api.stage import Stage
from tests.api.test_aafai import submit

TOKEN = "a-token-of-sixteen-or-more"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no_such_path"),
        ("GET", "/docs/../../etc/passwd", 404, "no_such_path"),
        ("GET", "/api//power", 404, "no_such_path"),
        ("DELETE", "/inbound", 405, "method_not_allowed"),
        ("BREW", "/inbound", 405, "method_not_allowed"),
        ("GET", "/purge", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_served_is_answered_in_json(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert (answer.json["status"], answer.json["code"]) == ("error", code)


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/outbound")

    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_a_slash_at_the_end_is_not_redirected(client: FlaskClient) -> None:
    assert client.get("/health/").status_code == 200
    assert client.post("/inbound/", json={"action": "fakejob"}).status_code == 200


def test_options_name_the_methods_without_a_body(client: FlaskClient) -> None:
    answer = client.options("/outbound")

    assert (answer.status_code, answer.data) == (204, b"")
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(answer.headers["Allow"].split(", "))


def test_head_is_a_get_without_its_body(client: FlaskClient) -> None:
    url = f"/outbound?job_id={submit(client)}"

    head, got = client.head(url), client.get(url)

    assert (head.status_code, head.data) == (200, b"")
    assert (head.headers["ETag"], head.content_length) == (got.headers["ETag"], len(got.data))


def test_every_answer_says_how_it_may_be_used(client: FlaskClient) -> None:
    for answer in (client.get("/nowhere"), client.get("/queues"), client.post("/inbound")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("given", ["abc-123", "x" * 128])
def test_a_request_id_is_echoed(client: FlaskClient, given: str) -> None:
    assert client.get("/nowhere", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "é", "a\tb"])
def test_a_request_id_that_is_none_is_replaced(client: FlaskClient, given: str) -> None:
    echoed = client.get("/nowhere", headers={"X-Request-ID": given}).headers["X-Request-ID"]

    assert echoed != given
    assert len(echoed) == 32


@pytest.mark.parametrize("spelling", ['"{0}"', 'W/"{0}"', "{0}", '"0", "{0}"'])
def test_what_the_client_has_already_is_not_sent_again(client: FlaskClient, spelling: str) -> None:
    url = f"/outbound?job_id={submit(client)}"
    tag = client.get(url).headers["ETag"].strip('"')

    answer = client.get(url, headers={"If-None-Match": spelling.format(tag)})

    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", f'"{tag}"')


def test_the_tag_changes_with_state_and_progress(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    tags = [client.get(f"/outbound?job_id={job_id}").headers["ETag"]]

    stage.progressed(job_id, 0.5, "half")
    tags.append(client.get(f"/outbound?job_id={job_id}").headers["ETag"])
    answer = client.get(f"/outbound?job_id={job_id}", headers={"If-None-Match": tags[0]})

    assert len(set(tags)) == 2
    assert answer.status_code == 200


def test_a_large_body_is_compressed_for_who_accepts_it(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"text": "bus " * 1000})
    url = f"/outbound?job_id={job_id}"

    plain, packed = client.get(url), client.get(url, headers={"Accept-Encoding": "br, gzip;q=0.5"})

    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert packed.content_length == len(packed.data) < 200
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    assert client.get(url, headers={"If-None-Match": packed.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br"])
def test_nobody_gets_gzip_who_did_not_ask_for_it(client: FlaskClient, stage: Stage, accepted: str) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"text": "bus " * 1000})

    answer = client.get(f"/outbound?job_id={job_id}", headers={"Accept-Encoding": accepted})

    assert "Content-Encoding" not in answer.headers


def test_a_small_body_is_sent_as_it_is(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


def test_without_a_token_nothing_is_answered_but_a_little_health(stage: Stage) -> None:
    client = stage.client(token=TOKEN)
    rules = {rule.rule.replace("<name>", "docs.js") for rule in client.application.url_map.iter_rules()}

    for rule in rules - {"/health", "/docs", "/docs/docs.js", "/probes/liveness/"}:
        answer = client.get(rule)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized"), rule
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/nowhere").status_code == 401
    assert set(client.get("/health").json) == {"status", "version", "accepting", "timestamp"}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"{TOKEN}", "Bearer é"]
)
def test_a_wrong_token_opens_nothing(stage: Stage, header: str) -> None:
    client = stage.client(token=TOKEN)

    answer = client.post("/inbound", json={"action": "fakejob"}, headers={"Authorization": header})

    assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_opens_everything(stage: Stage, scheme: str) -> None:
    client = stage.client(token=TOKEN)
    headers = {"Authorization": f"{scheme} {TOKEN}"}

    assert client.post("/inbound", json={"action": "fakejob"}, headers=headers).status_code == 200
    assert "boot_id" in client.get("/health", headers=headers).json


def test_the_doorkeeper_keeps_no_copy_of_the_token(stage: Stage) -> None:
    doorkeeper = Doorkeeper(stage.clock, token=TOKEN)

    assert TOKEN not in repr(vars(doorkeeper))


def test_a_page_of_another_site_cannot_write(client: FlaskClient, stage: Stage) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}

    refused = client.post("/inbound", json={"action": "fakejob"}, headers=headers)

    assert (refused.status_code, refused.json["code"]) == (403, "cross_site")
    assert stage.engine.count()["queued"] == 0
    assert client.get("/health", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_a_page_of_our_own_can_write(client: FlaskClient, site: str) -> None:
    answer = client.post("/inbound", json={"action": "fakejob"}, headers={"Sec-Fetch-Site": site})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("bus.example", 200),
        ("BUS.example:8000", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("127.0.0.1:8000", 200),
        ("evil.example", 421),
        ("bus.example.evil.example", 421),
        ("bus.example@evil.example", 421),
        ("", 421),
    ],
)
def test_only_a_listed_host_is_answered_for(stage: Stage, host: str, status: int) -> None:
    client = stage.client(allowed_hosts=("bus.example", "127.0.0.1", "[::1]"))

    assert client.get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("hosts", [(), ("localhost", "*")])
def test_any_host_is_answered_for_when_nothing_says_otherwise(stage: Stage, hosts: tuple[str, ...]) -> None:
    client = stage.client(allowed_hosts=hosts)

    assert client.get("/health", headers={"Host": "any.example"}).status_code == 200


def test_our_own_mistake_is_told_without_its_details(
    client: FlaskClient, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stage.engine, "count", lambda query: 1 / 0)
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "handlers", [])

    with caplog.at_level(logging.ERROR, logger.name):
        answer = client.get("/queues", headers={"X-Request-ID": "r-1"})

    assert (answer.status_code, answer.json) == (
        500,
        {
            "status": "error",
            "code": "internal_error",
            "message": "The bus made a mistake.",
            "hint": "Look for the request id in its log.",
            "request_id": "r-1",
        },
    )
    assert [(record.request_id, record.path) for record in caplog.records] == [("r-1", "/queues")]
    assert "ZeroDivisionError" in caplog.text


def test_requests_are_counted_under_their_route_and_never_under_their_path(client: FlaskClient) -> None:
    client.get("/outbound?job_id=secret")
    client.get("/secret/path")
    client.open("/inbound", method="BREW")

    text = client.get("/metrics").text

    assert 'http_requests_total{endpoint="/outbound",method="GET",status="400"} 1.0' in text
    assert 'http_requests_total{endpoint="unmatched",method="GET",status="404"} 1.0' in text
    assert 'http_requests_total{endpoint="unmatched",method="other",status="405"} 1.0' in text
    assert "secret" not in text
    assert "BREW" not in text


def test_row_72_markup_in_a_result_stays_a_string_of_json(client: FlaskClient, stage: Stage) -> None:
    job_id = submit(client)
    stage.succeeded(job_id, {"text": "<script>alert(1)</script>"})

    answer = client.get(f"/outbound?job_id={job_id}", headers={"Accept": "text/html"})

    assert answer.mimetype == "application/json"
    assert json.loads(answer.data)["result"]["text"] == "<script>alert(1)</script>"
