"""The file of the tokens: JSON that people can read, for the bus's user alone, replaced in one step.

Schema 1. To raise it: read both, write the new one, and have a bus that knows the old one only refuse it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.jobs import Json
from core.strict_json import BadJson, parse
from core.tokens import Token

SCHEMA = 1

_MODE = 0o600
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # Who put a pipe there must not stop the bus.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Tokens = Mapping[str, Token]


def read_tokens(path: Path) -> Tokens | None:
    """Return the tokens of the file by their ids; None when there is no such file.

    Raises ConfigError when it cannot be read or understood, or is not its owner's alone.
    """
    try:
        data, status = _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"AAFAI_TOKENS_FILE: {path} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
        raise ConfigError(f"AAFAI_TOKENS_FILE: {path} is not its owner's alone: chmod 600 {path}")
    try:
        return {token.id: token for token in _tokens(parse(data))}
    except (BadJson, ValueError) as error:
        raise ConfigError(f"AAFAI_TOKENS_FILE: {path} is damaged: {error}") from None


def change_tokens(path: Path, change: Callable[[Tokens], Tokens]) -> None:
    """Replace the file by what `change` makes of its tokens, durably; of two who do, each sees the other's.

    The file and its folder are made if need be. Raises ConfigError as `read_tokens`, OSError, and whatever
    `change` raises: then nothing has changed.
    """
    path.parent.mkdir(0o750, parents=True, exist_ok=True)
    with _alone(path.parent) as folder:
        tokens = change(read_tokens(path) or {})
        document = {"schema": SCHEMA, "tokens": [document_of(token) for token in tokens.values()]}
        _replace(path, json.dumps(document, indent=1) + "\n")
        os.fsync(folder)


def document_of(token: Token) -> dict[str, Json]:
    """Return a token as the file holds it."""
    proof = {"signing_key": token.signing_key} if token.signing_key else {"sha256": token.digest}
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "actions": None if token.actions is None else sorted(token.actions),
        "own_jobs_only": token.own_jobs_only,
        "rate_limit": token.rate_limit,
        "created_at": _written(token.created_at),
        "expires_at": None if token.expires_at is None else _written(token.expires_at),
        **proof,
    }


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, _READ)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(), os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _tokens(document: Json) -> Iterator[Token]:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"it must be an object whose schema is {SCHEMA}.")
    if not isinstance(document.get("tokens"), list):
        raise ValueError("tokens: must be a list.")  # noqa: TRY004  Wrong content, not a wrong call.
    for number, one in enumerate(document["tokens"]):
        try:
            yield _token(one)
        except (ValueError, TypeError) as error:
            raise ValueError(f"tokens[{number}]: {error}") from None


def _token(document: Json) -> Token:
    """Return the token that an object describes. All names must be known: a misspelt limit would be none."""
    if not isinstance(document, dict):
        raise ValueError("must be an object.")  # noqa: TRY004  Wrong content, not a wrong call.
    for name in document:
        if name not in _FIELDS:
            raise ValueError(f"{name}: is no field of a token.")
    for name in _NEEDED:
        if name not in document:
            raise ValueError(f"{name}: is missing.")
    return Token(**{_FIELDS[name][0]: _taken(name, value) for name, value in document.items()})


def _taken(name: str, value: Json) -> Any:
    try:
        return _FIELDS[name][1](value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from None


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a string.")
    return value


def _names(value: Json) -> frozenset[str]:
    if not isinstance(value, list):
        raise TypeError("must be a list of strings.")
    return frozenset(map(_text, value))


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false.")
    return value


def _whole(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("must be a whole number.")
    return value


def _moment(value: Json) -> float:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("must be a time with an offset, as in 2030-01-01T00:00:00+00:00.")
    return moment.timestamp()


def _or_none(read: Callable[[Json], Any]) -> Callable[[Json], Any]:
    return lambda value: None if value is None else read(value)


#: Field of the file → field of Token, and how it is read.
_FIELDS: Mapping[str, tuple[str, Callable[[Json], Any]]] = {
    "id": ("id", _text),
    "name": ("name", _text),
    "scopes": ("scopes", _names),
    "actions": ("actions", _or_none(_names)),
    "own_jobs_only": ("own_jobs_only", _flag),
    "rate_limit": ("rate_limit", _or_none(_whole)),
    "created_at": ("created_at", _moment),
    "expires_at": ("expires_at", _or_none(_moment)),
    "sha256": ("digest", _text),
    "signing_key": ("signing_key", _text),
}


_NEEDED = ("id", "name", "scopes")


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the lock of a folder, whose open descriptor is yielded."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with open(os.open(part, _NEW, _MODE), "w", encoding="utf-8") as file:  # noqa: PTH123
        try:
            os.fchmod(file.fileno(), _MODE)  # whatever the umask is
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink()
            raise
