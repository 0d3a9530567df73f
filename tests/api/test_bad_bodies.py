"""Rows 1 to 34 of the list of bad inputs, as far as a request that arrives whole can express them."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from core.jobs import Query
from tests.api.stage import Stage

VALID = b'{"action":"fakejob"}'

#: Row → body, status and what the answer says.
BODIES: dict[str, tuple[bytes, int, dict[str, Any]]] = {
    "1 empty": (b"", 400, {"code": "empty_body"}),
    "1 only blanks": (b" \r\n", 400, {"code": "empty_body"}),
    "2 not JSON": (b'{"action": \n fakejob}', 400, {"code": "bad_json", "line": 2, "column": 2}),
    "2 an end too soon": (b'{"action":', 400, {"code": "bad_json"}),
    "3 NaN": (b'{"action":"fakejob","params":{"delay_seconds":NaN}}', 400, {"code": "bad_json"}),
    "3 Infinity": (b'{"action":"fakejob","priority":-Infinity}', 400, {"code": "bad_json"}),
    "4 1e999": (b'{"action":"fakejob","timeout":1e999}', 400, {"code": "number_out_of_range"}),
    "5 the same key twice": (b'{"action":"a","action":"b"}', 400, {"code": "duplicate_key"}),
    "6 3,000 deep": (b'{"params":' + b"[" * 3000 + b"]" * 3000 + b"}", 400, {"code": "too_deep"}),
    "7 5,000 digits": (b'{"x":' + b"1" * 5000 + b"}", 400, {"code": "number_out_of_range"}),
    "8 a lone surrogate": (rb'{"action":"\ud800"}', 400, {"code": "lone_surrogate"}),
    "10 UTF-16": ('{"action":"fakejob"}'.encode("utf-16"), 400, {"code": "not_utf8", "offset": 0}),
    "11 invalid UTF-8": (b'{"action":"\xff"}', 400, {"code": "not_utf8", "offset": 11}),
    "12 a zero in the action": (rb'{"action":"fake\u0000job"}', 400, {"code": "bad_name", "field": "action"}),
    "12 a zero in a key": (rb'{"action":"fakejob","params":{"a\u0000":1}}', 400, {"code": "bad_key"}),
    "13 an array": (b"[]", 400, {"code": "must_be_object"}),
    "13 a string": (b'"fakejob"', 400, {"code": "must_be_object"}),
    "13 a number": (b"3", 400, {"code": "must_be_object"}),
    "13 null": (b"null", 400, {"code": "must_be_object"}),
    "no action": (b"{}", 400, {"code": "missing_field", "field": "action"}),
    "an unknown field": (b'{"action":"a","parms":{}}', 400, {"code": "unknown_field", "field": "parms"}),
    "a wrong type": (b'{"action":"a","params":[]}', 400, {"code": "wrong_type", "field": "params"}),
    "25 an unknown action": (b'{"action":"fakejop"}', 422, {"code": "unknown_action", "nearest": "fakejob"}),
    "27 a broken action": (b'{"action":"broken"}', 503, {"code": "broken_action"}),
    "28 params missing": (
        b'{"action":"download_website"}',
        422,
        {"code": "invalid_params", "problems": [{"field": "params.url", "message": "is required"}]},
    ),
    "34 an empty key": (b'{"action":"a","idempotency_key":""}', 400, {"code": "bad_idempotency_key"}),
    "34 a key of 300 characters": (
        b'{"action":"a","idempotency_key":"' + b"k" * 300 + b'"}',
        400,
        {"code": "bad_idempotency_key"},
    ),
    "34 a control character": (
        rb'{"action":"a","idempotency_key":"\n"}',
        400,
        {"code": "bad_idempotency_key"},
    ),
    "66 no offset": (b'{"action":"a","run_after":"2030-01-01T00:00"}', 400, {"code": "bad_time"}),
    "66 32 February": (b'{"action":"a","run_after":"2030-02-32T00:00Z"}', 400, {"code": "bad_time"}),
    "a callback into the own network": (
        b'{"action":"fakejob","callback_url":"http://127.0.0.1/"}',
        422,
        {"code": "blocked_address"},
    ),
    "a callback to nowhere": (b'{"action":"fakejob","callback_url":"ftp://x"}', 400, {"code": "bad_url"}),
}

#: Row 26; the last but two is spelt with a Cyrillic letter.
NAMES = [
    *("../../etc/passwd", "os:system", "__init__", "a/b", "f" * 10_240, "Fakejob"),
    *("f\u0430kejob", "", " fakejob"),
]
AN_ID = "018bcfe5-6800-7000-8000-000000000000"
#: Row 29, as they stand in the URL; the fifth is a UUID of another kind.
IDS = [
    *("../x", "..%2f..%2fetc", "x" * 4096, "%0a", AN_ID.replace("-7", "-4"), "a%5cb"),
    *(f"{AN_ID}%0a", f"%20{AN_ID}", f"{AN_ID}/../x"),
]


@pytest.mark.parametrize("row", BODIES)
def test_a_bad_body_is_refused_and_nothing_is_queued(client: FlaskClient, stage: Stage, row: str) -> None:
    body, status, said = BODIES[row]

    answer = client.post("/inbound", data=body, content_type="application/json")

    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert said.items() <= answer.json.items()
    assert (answer.json["status"], bool(answer.json["message"]), "hint" in answer.json) == (
        "error",
        True,
        True,
    )
    assert not stage.engine.find(Query()).jobs


def test_the_key_that_stands_twice_is_named(client: FlaskClient) -> None:
    answer = client.post("/inbound", data=BODIES["5 the same key twice"][0], content_type="application/json")

    assert "'action'" in answer.json["message"]


def test_an_empty_body_is_shown_a_valid_one(client: FlaskClient) -> None:
    answer = client.post("/inbound")

    assert '{"action": "fakejob", "params": {"delay_seconds": 2}}' in answer.json["hint"]


def test_row_9_a_byte_order_mark_is_accepted(client: FlaskClient) -> None:
    assert (
        client.post("/inbound", data=b"\xef\xbb\xbf" + VALID, content_type="application/json").status_code
        == 200
    )


def test_row_12_a_zero_in_a_value_is_accepted(client: FlaskClient) -> None:
    body = {"action": "download_website", "params": {"url": "a\0b"}}

    assert client.post("/inbound", json=body).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", None])
def test_row_14_another_content_type_is_refused_with_the_remedy(
    client: FlaskClient, stage: Stage, content_type: str | None
) -> None:
    answer = client.post("/inbound", data=VALID, content_type=content_type)

    assert (answer.status_code, answer.json["code"]) == (415, "not_json_type")
    assert "contentType: 'application/json'" in answer.json["hint"]
    assert not stage.engine.find(Query()).jobs


def test_a_charset_beside_the_content_type_is_accepted(client: FlaskClient) -> None:
    assert (
        client.post("/inbound", data=VALID, content_type="application/json; charset=utf-8").status_code == 200
    )


def test_row_15_a_body_over_the_limit_is_refused_and_the_limit_named(stage: Stage) -> None:
    client = stage.client(max_body=len(VALID))

    fitting = client.post("/inbound", data=VALID, content_type="application/json")
    larger = client.post("/inbound", data=VALID + b" ", content_type="application/json")

    assert fitting.status_code == 200
    assert (larger.status_code, larger.json["code"]) == (413, "body_too_large")
    assert "20 bytes" in larger.json["message"]


def test_row_20_a_compressed_body_is_refused(client: FlaskClient) -> None:
    headers = {"Content-Encoding": "gzip"}

    answer = client.post("/inbound", data=VALID, content_type="application/json", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (415, "content_encoding_not_supported")


@pytest.mark.parametrize("name", NAMES)
def test_row_26_a_name_that_is_none_is_refused(client: FlaskClient, stage: Stage, name: str) -> None:
    answer = client.post("/inbound", json={"action": name})

    assert (answer.status_code, answer.json["code"]) == (400, "bad_name")
    assert not stage.engine.find(Query()).jobs


@pytest.mark.parametrize("job_id", IDS)
def test_row_29_what_is_no_job_id_is_refused_before_any_use(client: FlaskClient, job_id: str) -> None:
    answer = client.get(f"/outbound?job_id={job_id}")

    assert (answer.status_code, answer.json["code"]) == (400, "bad_job_id")


def test_an_id_given_twice_is_refused(client: FlaskClient) -> None:
    answer = client.get("/outbound?job_id=a&job_id=b")

    assert (answer.status_code, answer.json["code"]) == (400, "repeated_parameter")
