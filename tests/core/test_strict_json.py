"""What is read as JSON, and where what is refused stands."""

from __future__ import annotations

import pytest

from core.strict_json import BadJson, parse


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' [1, -2.5e3, "a", true, null] \n', [1, -2500.0, "a", True, None]),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\u0000"', "\u0000"),
        (b"[" * 100 + b"]" * 100, None),
        (b'"' + b"[" * 500 + b'"', "[" * 500),
        (b'[{"a":1},{"a":2},{"b":{"a":3},"a":4}]', [{"a": 1}, {"a": 2}, {"b": {"a": 3}, "a": 4}]),
        (b"9" * 4300, int("9" * 4300)),
    ],
)
def test_plain_json_is_read(data: bytes, value: object) -> None:
    parsed = parse(data)

    if value is not None:
        assert parsed == value


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"", "bad_json", 1, 1),
        (b"  \n ", "bad_json", 2, 2),
        (b'{"action":\n "web",}', "bad_json", 2, 8),
        (b"[1] x", "bad_json", 1, 5),
        (b'{"a":\n  NaN}', "bad_json", 2, 3),
        (b"[1, -Infinity]", "bad_json", 1, 5),
        (b'["NaN", Infinity]', "bad_json", 1, 9),
        (b'[1.0, "1e999", 1e999]', "number_out_of_range", 1, 16),
        (b"[1, -1e999]", "number_out_of_range", 1, 5),
        (b"[0, " + b"9" * 4301 + b"]", "number_out_of_range", 1, 5),
        (b'{"a": 1,\n "b": {"c": 1, "c": 2}}', "duplicate_key", 2, 16),
        (b'{"a": 1, "\\u0061": 2}', "duplicate_key", 1, 10),
        (b"[" * 101 + b"]" * 101, "too_deep", 1, 101),
        (b'{"a":' * 3000, "too_deep", 1, 501),
        (b'["ok", "\\ud800"]', "lone_surrogate", 1, 8),
        (b'{"\\udc00": 1}', "lone_surrogate", 1, 2),
        ('{"a": "ä",\n "b": "'.encode() + b'\xe9"}', "not_utf8", 2, 8),
        ('{"a": 1}'.encode("utf-16"), "not_utf8", 1, 1),
    ],
)
def test_what_is_refused_is_named_with_its_place(data: bytes, code: str, line: int, column: int) -> None:
    with pytest.raises(BadJson) as refusal:
        parse(data)

    assert (refusal.value.code, refusal.value.line, refusal.value.column) == (code, line, column)


def test_the_byte_that_is_no_utf8_is_named() -> None:
    with pytest.raises(BadJson, match="byte 9") as refusal:
        parse(b'{"a":"caf\xe9"}')

    assert refusal.value.offset == 9


def test_a_key_that_stands_twice_is_named() -> None:
    with pytest.raises(BadJson, match="'action'"):
        parse(b'{"action": "a", "action": "b"}')


def test_the_limit_of_nesting_can_be_set() -> None:
    assert parse(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(BadJson):
        parse(b"[[[1]]]", max_depth=2)
