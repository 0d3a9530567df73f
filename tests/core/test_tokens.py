"""Tokens: what one is, how the file holds them, and what a running bus makes of that file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigError
from core.keyring import Keyring
from core.token_file import change_tokens, document_of, read_tokens
from core.tokens import Token, key_id_of, minted
from tests.factories import NOW
from tests.fakes import FakeClock

DIGEST = "0" * 64


def a_token(**fields: Any) -> Token:
    values = {"id": "00000001", "name": "anne", "scopes": frozenset({"read"}), "digest": DIGEST}
    return Token(**(values | fields))


def make(path: Path, **wishes: Any) -> tuple[Token, str]:
    """Make a token in that file."""
    token, text = minted(**({"name": "anne", "scopes": ["read"], "now": NOW} | wishes))
    change_tokens(path, lambda tokens: {**tokens, token.id: token})
    return token, text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queues" / "tokens.json"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def ring(path: Path, told: list[str]) -> Callable[[FakeClock], Keyring]:
    return lambda clock: Keyring(path, clock, tell=told.append)


def test_a_token_knows_its_text_and_nothing_else() -> None:
    token, text = minted(name="anne", scopes=["read"], now=NOW)

    assert token.is_text(text)
    assert not token.is_text(text[:-1])
    assert not token.is_text(f"{text} ")
    assert not token.is_text("")
    assert key_id_of(text) == token.id
    assert text[-20:] not in repr(token)


def test_texts_are_long_random_and_never_alike() -> None:
    texts = {minted(name="a", scopes=["read"], now=NOW)[1] for _ in range(200)}

    assert len(texts) == 200
    assert all(len(text) == len("aafai_") + 8 + 1 + 43 for text in texts)


def test_an_id_that_is_taken_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["00000001", "00000001", "00000002"])
    monkeypatch.setattr("core.tokens.secrets.token_hex", lambda _: next(ids))

    token, text = minted(name="a", scopes=["read"], now=NOW, taken=["00000001"])

    assert (token.id, key_id_of(text)) == ("00000002", "00000002")


@pytest.mark.parametrize("text", ["", "x", "aafai_0000000g_" + "x" * 43, "aafai_00000001_" + "x" * 42, "a\n"])
def test_what_is_no_token_has_no_id(text: str) -> None:
    assert key_id_of(text) == ""


def test_a_token_that_signs_keeps_its_text_and_is_never_known_by_it() -> None:
    token, text = minted(name="anne", scopes=["read"], now=NOW, signing=True)

    assert (token.signing_key, token.digest) == (text, "")
    assert not token.is_text(text)
    assert text not in repr(token)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("id", {"id": "1"}),
        ("id", {"id": "0000000G"}),
        *(("name", {"name": name}) for name in ("", "-", "a b", "a/b", "x" * 65, "a\n", "ä")),
        ("scopes", {"scopes": frozenset()}),
        ("scopes", {"scopes": frozenset({"write"})}),
        ("actions", {"actions": frozenset()}),
        ("actions", {"actions": frozenset({"../x"})}),
        ("own_jobs_only", {"own_jobs_only": True, "scopes": frozenset({"admin"})}),
        ("rate_limit", {"rate_limit": 0}),
        ("rate_limit", {"rate_limit": 10**7}),
        ("sha256", {"digest": ""}),
        ("sha256", {"digest": "é" * 64}),
        ("sha256", {"digest": DIGEST, "signing_key": "aafai_00000001_" + "x" * 43}),
        ("sha256", {"digest": "", "signing_key": "aafai_00000002_" + "x" * 43}),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        a_token(**wrong)


def test_a_token_expires_at_its_moment() -> None:
    token = a_token(expires_at=NOW)

    assert [token.has_expired(NOW - 1), token.has_expired(NOW)] == [False, True]
    assert not a_token().has_expired(1e12)


def test_the_file_gives_back_what_was_put_in(path: Path) -> None:
    first, _ = make(
        path, actions=["fakejob"], own_jobs_only=True, rate_limit=5, expires_at=NOW + 60, scopes=["submit"]
    )
    second, _ = make(path, signing=True)

    assert read_tokens(path) == {first.id: first, second.id: second}


def test_the_file_is_its_owners_alone_and_holds_no_text_but_those_that_sign(path: Path) -> None:
    previous = os.umask(0)
    try:
        _, secret = make(path)
    finally:
        os.umask(previous)
    _, signing = make(path, signing=True)

    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in text
    assert secret.rpartition("_")[2] not in text
    assert signing in text
    assert '"name": "anne"' in text
    assert [one.name for one in path.parent.iterdir()] == ["tokens.json"]


def test_without_a_file_there_is_not_even_an_empty_list(path: Path) -> None:
    assert read_tokens(path) is None


def test_of_many_who_change_the_file_at_once_none_is_forgotten(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [one for one, _ in threads.map(lambda _: make(path), range(40))]

    assert set(read_tokens(path) or {}) == {one.id for one in made}


def test_a_change_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    make(path)
    before = path.read_bytes()

    with pytest.raises(ZeroDivisionError):
        change_tokens(path, lambda tokens: {} if 1 // 0 else tokens)

    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["tokens.json"]


GOOD = document_of(a_token())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "it is empty"),
        ("{", "not JSON"),
        ("[]", "schema is 1"),
        ('{"schema": 2, "tokens": []}', "schema is 1"),
        ('{"schema": 1}', "tokens: must be a list"),
        ('{"schema": 1, "schema": 1, "tokens": []}', "twice"),
        ('{"schema": 1, "tokens": [1]}', r"tokens\[0\]: must be an object"),
        *(
            (json.dumps({"schema": 1, "tokens": [{**GOOD, name: value}]}), rf"tokens\[0\]: {name}: ")
            for name, value in {
                **dict.fromkeys(GOOD, 7.5),
                "expire_at": None,
                "created_at": "2030-01-01T00:00:00",
                "expires_at": "soon",
                "scopes": "read",
                "actions": [1],
                "rate_limit": True,
            }.items()
        ),
        *(
            (
                json.dumps({"schema": 1, "tokens": [{k: v for k, v in GOOD.items() if k != name}]}),
                rf"tokens\[0\]: {name}: ",
            )
            for name in ("id", "name", "scopes", "sha256")
        ),
    ],
)
def test_a_damaged_file_is_refused_with_the_field_that_is_wrong(path: Path, text: str, named: str) -> None:
    make(path)
    path.write_text(text)

    with pytest.raises(ConfigError, match=f"^AAFAI_TOKENS_FILE: .*tokens.json is damaged: .*{named}"):
        read_tokens(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    make(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        read_tokens(path)


def test_what_is_no_file_is_refused_and_holds_nobody_up(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tokens(path)

    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="is not its owner's alone"):
        read_tokens(path)


def test_a_ring_without_a_file_is_not_in_force(ring: Callable[[FakeClock], Keyring]) -> None:
    keyring = ring(FakeClock())

    assert not keyring.is_in_force
    assert keyring.find("00000001") is None


def test_what_is_made_and_revoked_holds_within_a_second(
    ring: Callable[[FakeClock], Keyring], path: Path
) -> None:
    clock = FakeClock()
    keyring = ring(clock)

    token, _ = make(path)
    at_once = keyring.find(token.id)
    clock.advance(1)
    a_second_later = keyring.find(token.id)
    change_tokens(path, lambda tokens: {})
    clock.advance(1)

    assert (at_once, a_second_later, keyring.find(token.id)) == (None, token, None)
    assert keyring.is_in_force


def test_the_file_is_looked_at_once_a_second_at_most(
    ring: Callable[[FakeClock], Keyring], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path)
    clock = FakeClock()
    keyring = ring(clock)
    looks: list[object] = []
    monkeypatch.setattr("core.keyring._stamp_of", looks.append)

    for _ in range(1000):
        keyring.find("00000001")
    clock.advance(1)
    for _ in range(1000):
        keyring.find("00000001")

    assert len(looks) == 1


def test_whoever_removes_the_file_revokes_all_and_opens_nothing(
    ring: Callable[[FakeClock], Keyring], path: Path
) -> None:
    token, _ = make(path)
    clock = FakeClock()
    keyring = ring(clock)

    path.unlink()
    clock.advance(1)

    assert keyring.find(token.id) is None
    assert keyring.is_in_force


def test_a_file_that_cannot_be_taken_changes_nothing_and_is_told_of_once(
    ring: Callable[[FakeClock], Keyring], path: Path, told: list[str]
) -> None:
    token, _ = make(path)
    clock = FakeClock()
    keyring = ring(clock)

    path.write_text("{")
    for _ in range(3):
        clock.advance(1)
        assert keyring.find(token.id) == token
    path.unlink()
    other, _ = make(path)
    clock.advance(1)

    assert keyring.find(other.id) == other
    assert keyring.find(token.id) is None
    assert len(told) == 1
    assert told[0].endswith("The tokens that it held before remain in force.")


def test_a_damaged_file_keeps_the_bus_from_starting(ring: Callable[[FakeClock], Keyring], path: Path) -> None:
    make(path)
    path.write_text("{")

    with pytest.raises(ConfigError):
        ring(FakeClock())
