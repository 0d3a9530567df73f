"""Words of a command line become params: texts as they are, other values as the schema wants them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from client.errors import BadInput
from client.params import call_of, params_of, text_of

SCHEMA = {
    "properties": {
        "url": {"type": "string"},
        "pages": {"type": "integer"},
        "deep": {"type": "boolean"},
        "share": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "code": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "tags": {"type": "array"},
        "page": {"$ref": "#/$defs/Page"},
    },
    "required": ["url"],
}


def read(*words: str, whole: str = "") -> dict[str, Any]:
    return params_of(words, text_of(whole), lambda: SCHEMA)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("url=https://example.org/?a=b", "https://example.org/?a=b"),
        ("url=42", "42"),
        ("url=", ""),
        ("pages=42", 42),
        ("pages=-1", -1),
        ("deep=true", True),
        ("deep=yes", "yes"),
        ("share=0.5", 0.5),
        ("share=null", None),
        ("code=7", "7"),
        ('tags=["a", "b"]', ["a", "b"]),
        ('page={"a": 1}', {"a": 1}),
        ("pages=4 and more", "4 and more"),
        ("other=7", "7"),
        ("other:=7", 7),
        ("url:=null", None),
    ],
)
def test_a_word_is_read_as_the_schema_wants_it(word: str, value: Any) -> None:
    assert list(read(word).values()) == [value]


def test_without_a_schema_a_text_is_what_json_takes_it_for() -> None:
    words = ["n=42", "t=true", "u=4 and more", "v=text"]

    assert params_of(words, "", dict) == {"n": 42, "t": True, "u": "4 and more", "v": "text"}


def test_the_schema_is_asked_for_only_when_it_matters() -> None:
    def never() -> Any:
        raise AssertionError("nobody needs it")

    assert params_of(["url=https://example.org", "n:=1"], "", never) == {"url": "https://example.org", "n": 1}


def test_a_whole_object_comes_as_text_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.json").write_text('{"pages": 2}')
    monkeypatch.setattr("sys.stdin", io.StringIO('{"pages": 3}'))

    assert read("url=a", whole='{"pages": 1}') == {"url": "a", "pages": 1}
    assert read(whole=f"@{tmp_path}/params.json") == {"pages": 2}
    assert read(whole="-") == {"pages": 3}


@pytest.mark.parametrize(
    ("words", "whole", "said"),
    [
        (["pages"], "", "'pages' is no param"),
        (["=3"], "", "'=3' is no param"),
        (["pages:=x"], "", "The param 'pages': Expecting value"),
        (["a=1", "a=2"], "", "The param 'a' is given twice"),
        (["a=1"], '{"a": 1}', "The param 'a' is given twice"),
        ([], "[1]", "--params: it is JSON, and no object"),
        ([], "{", "--params: "),
        ([], '{"a":' * 100_000, "--params: "),
        ([], "@/nowhere", "--params: /nowhere: "),
        ([], "@/dev/null", "--params: /dev/null is empty"),
    ],
)
def test_what_is_no_param_is_said_with_the_remedy(words: list[str], whole: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(*words, whole=whole)

    assert caught.value.message.startswith(said)
    assert caught.value.hint
    assert caught.value.exit_status == 2


def test_an_action_is_shown_as_one_would_call_it() -> None:
    schema = {
        **SCHEMA,
        "properties": {name: SCHEMA["properties"][name] for name in ("url", "pages", "share")},
    }

    assert call_of({"name": "crawl", "schema": schema}) == (
        "bus submit crawl url=<string> [pages=<integer>] [share=<number>]"
    )
