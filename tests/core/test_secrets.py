"""What of params is secret, by its name and by its type, and that nothing else is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry import Registry
from core.secrets import MASK, UNKNOWN, is_secret_name, masked, secrets_in, tells_secrets

SECRET_NAMES = [
    *(
        "password",
        "Password",
        "PASSWORD",
        "db_password",
        "passwordHash",
        "user-password",
        "Passwort",
        "passwd",
    ),
    *("token", "access_token", "accessToken", "X-Auth-Token", "refresh.token", "csrf token", "tokens"),
    *("secret", "client_secret", "aws_secret_access_key", "SecretKey", "secrets"),
    *(
        "api_key",
        "apikey",
        "API-Key",
        "x-api-key",
        "apiKey",
        "API KEY",
        "api.key",
        "accessKey",
        "private_key",
    ),
    *("Authorization", "proxy-authorization", "cookie", "Set-Cookie", "cookies", "credentials", "bearer"),
    *("pwd", "db_pwd", "userPwd", "pass", "smtp_pass", "pin", "otp", "auth", "basicAuth", "jwt", "PIN"),
]
OTHER_NAMES = [
    *(
        "url",
        "author",
        "authors",
        "compass",
        "bypass",
        "pinned",
        "option",
        "key",
        "keyboard",
        "monkey",
        "name",
    ),
    *("pass_through", "spinner", "encompass", "auth_url_shown", "delay_seconds", "", "x" * 65 + "password"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_of_a_secret_is_known_however_it_is_written(name: str) -> None:
    assert is_secret_name(name)
    assert masked({name: "canary"}) == {name: MASK}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_that_only_looks_alike_hides_nothing(name: str) -> None:
    assert masked({name: "seen"}) == {name: "seen"}


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_what_is_empty_hides_nothing(value: Any) -> None:
    assert masked({"password": value}) == {"password": value}
    assert secrets_in({"password": value}) == ()


def test_a_number_is_a_secret_but_not_a_number_of_tokens() -> None:
    params = {"pin": 1234, "password": 1.5, "max_tokens": 4096, "tokens": 7, "token": "t"}

    assert masked(params) == {"pin": MASK, "password": MASK, "max_tokens": 4096, "tokens": 7, "token": MASK}
    assert secrets_in(params) == ("1234", "1.5", "t")


def test_secrets_are_hidden_at_any_depth_and_the_shape_stays() -> None:
    params = {
        "site": {"login": {"user": "anne", "password": "p"}, "tries": [{"api_key": "k"}, 3]},
        "credentials": {"user": "u", "more": ["a", 1, None, {"x": ""}]},
        "cookies": ["a", {"b": "c"}],
    }

    assert masked(params) == {
        "site": {"login": {"user": "anne", "password": MASK}, "tries": [{"api_key": MASK}, 3]},
        "credentials": {"user": MASK, "more": [MASK, MASK, None, {"x": ""}]},
        "cookies": [MASK, {"b": MASK}],
    }


def test_params_themselves_are_left_as_they_are() -> None:
    params = {"password": "p", "list": [{"token": "t"}]}

    masked(params)

    assert params == {"password": "p", "list": [{"token": "t"}]}


@pytest.mark.parametrize("word", ["name", "key", "header"])
def test_a_name_beside_its_value_is_a_name(word: str) -> None:
    params = {"headers": [{word: "Authorization", "value": "v"}, {word: "Accept", "value": "*"}]}

    assert masked(params) == {
        "headers": [{word: "Authorization", "value": MASK}, {word: "Accept", "value": "*"}]
    }


def test_a_name_and_its_value_in_a_list_are_a_pair() -> None:
    params = {"headers": [["Authorization", "v"], ["Accept", "*"], ["Cookie", ["a", "b"]]]}

    assert masked(params) == {"headers": [["Authorization", MASK], ["Accept", "*"], ["Cookie", [MASK, MASK]]]}


@pytest.mark.parametrize(
    ("text", "shown", "secrets"),
    [
        ("https://u:pw@host/p", "https://u:***@host/p", ("pw",)),
        ("redis://:pw@host", "redis://:***@host", ("pw",)),
        ("ftp://u:p@s:s@host/x@y", "ftp://u:***@host/x@y", ("p@s:s",)),
        ("https://u@host:80/a@b:c", "https://u@host:80/a@b:c", ()),
        ("http://h/?a=1&api_key=k%20y&b=2#x", "http://h/?a=1&api_key=***&b=2#x", ("k%20y",)),
        ("http://h/?access%5Ftoken=t", "http://h/?access%5Ftoken=***", ("t",)),
        (
            '{"user": "u", "password" : "p\\"q", "n": 1}',
            '{"user": "u", "password" : "***", "n": 1}',
            ('p\\"q',),
        ),
        ("the password is x", "the password is x", ()),
        ("", "", ()),
    ],
)
def test_a_text_is_searched_for_secrets_in_addresses_and_json(
    text: str, shown: str, secrets: tuple[str, ...]
) -> None:
    assert masked({"url": text, "list": [text]}) == {"url": shown, "list": [shown]}
    assert secrets_in({"url": text}) == secrets


ACTION = '''
from typing import Annotated, Any
from pydantic import BaseModel, Field, SecretBytes, SecretStr

class Login(BaseModel):
    user: str
    word: SecretStr

class Site(BaseModel):
    address: str
    login: Login | None = None

def run(
    plain: str,
    word: SecretStr,
    code: SecretBytes = SecretBytes(b""),
    several: list[SecretStr] = [],
    by_name: dict[str, SecretStr] = {},
    pair: tuple[str, SecretStr] | None = None,
    site: Site | None = None,
    extra: Annotated[str, Field(json_schema_extra={"writeOnly": True})] = "",
    anything: Any = None,
) -> int:
    """Hide."""
    return len(word.get_secret_value())
'''
GIVEN = {
    "plain": "seen",
    "word": "canary-1",
    "code": "canary-2",
    "several": ["canary-3", "canary-4"],
    "by_name": {"x": "canary-5"},
    "pair": ["seen", "canary-6"],
    "site": {"address": "seen", "login": {"user": "seen", "word": "canary-7"}},
    "extra": "canary-8",
    "anything": {"a": ["seen"]},
}


def test_a_type_that_is_a_secret_is_hidden_wherever_the_signature_has_it(tmp_path: Path) -> None:
    (tmp_path / "act.py").write_text(ACTION)
    registry = Registry(tmp_path)
    registry.load()
    assert not registry.broken
    spec = registry.resolve("act")

    shown = masked(GIVEN, spec.secrets)

    assert shown == {
        "plain": "seen",
        "word": MASK,
        "code": MASK,
        "several": [MASK, MASK],
        "by_name": {"x": MASK},
        "pair": ["seen", MASK],
        "site": {"address": "seen", "login": {"user": "seen", "word": MASK}},
        "extra": MASK,
        "anything": {"a": ["seen"]},
    }
    assert set(secrets_in(GIVEN, spec.secrets)) == {f"canary-{number}" for number in range(1, 9)}


def test_a_secret_is_stored_as_it_was_given_and_reaches_the_action_so(tmp_path: Path) -> None:
    (tmp_path / "act.py").write_text(ACTION)
    registry = Registry(tmp_path)
    registry.load()
    spec = registry.resolve("act")

    stored = spec.validate(GIVEN)
    arguments = spec.params.arguments("act", stored)

    assert stored == GIVEN
    assert arguments["word"].get_secret_value() == "canary-1"
    assert arguments["site"].login.word.get_secret_value() == "canary-7"
    assert spec.function(**{**arguments, "word": arguments["word"]}) == len("canary-1")


def test_an_action_without_such_types_has_nothing_to_read_for_them(tmp_path: Path) -> None:
    (tmp_path / "act.py").write_text("def run(password: str = '') -> int:\n    return 1\n")
    (tmp_path / "old.py").write_text("def execute(job_id, params, folder, write):\n    pass\n")
    registry = Registry(tmp_path)
    registry.load()

    assert registry.resolve("act").secrets is None
    assert registry.resolve("old").secrets is None


def test_of_an_action_that_is_gone_everything_is_hidden() -> None:
    assert masked({"a": "x", "b": {"c": [1, None]}}, UNKNOWN) == {"a": MASK, "b": {"c": [MASK, None]}}


@pytest.mark.parametrize("schema", [{}, {"properties": {"a": {"type": "string"}}}, {"enum": ["password"]}])
def test_a_schema_without_secrets_tells_none(schema: dict[str, Any]) -> None:
    assert not tells_secrets(schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=12), JSON, max_size=4), st.sampled_from(SECRET_NAMES), JSON)
def test_whatever_lies_below_the_name_of_a_secret_is_hidden_and_the_rest_keeps_its_shape(
    params: dict[str, Any], name: str, secret: Any
) -> None:
    canary = {"deep": [secret, "canary-0123456789", {"x": secret}]}

    shown = masked({**params, name: canary})

    assert "canary-0123456789" not in repr(shown)
    assert shape(shown) == shape({**params, name: canary})
    assert masked(shown) == shown


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None
