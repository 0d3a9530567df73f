"""Secrets among params: told by their names or their types, and hidden wherever a job is shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote_plus

from core.jobs import Json

#: What stands in the place of a secret.
MASK = "***"

Schema = Mapping[str, Json]
#: Returns what is to stand in the place of a secret.
Hide = Callable[[Json], Json]

#: That of params of which nothing is known: each of them may be a secret.
UNKNOWN: Schema = {"additionalProperties": {"writeOnly": True}}

_LONGEST_NAME = 64  # characters; longer ones are texts, not names
#: Part of a name without its case and separators, so that `X-Api-Key` and `apiKey` are one.
_PART = re.compile(
    "password|passwort|passwd|passphrase|passcode|secret|credential|authorization|cookie|bearer|token"
    "|apikey|accesskey|privatekey|signingkey|encryptionkey"
)
#: The last word of a name, being too short to be looked for within words.
_LAST = re.compile(r"(?:^|[^A-Za-z]|(?<=[a-z])(?=[A-Z]))(?i:pass|pwd|pw|pin|otp|auth|jwt)$")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
#: What a text can hold: an address with a password, an address with a secret in its query, JSON.
_IN_TEXT = (
    re.compile(r"(?P<before>://[^/?#\s@:]*:)(?P<secret>[^/?#\s]+)(?=@)"),
    re.compile(r"(?P<before>[?&;](?P<name>[^=&;#?\s]{1,64})=)(?P<secret>[^&;#\s]+)"),
    re.compile(r'(?P<before>"(?P<name>[^"\\]{1,64})"\s*:\s*")(?P<secret>(?:[^"\\]|\\.)+)(?=")'),
)


def masked(params: Mapping[str, Json], schema: Schema | None = None) -> dict[str, Json]:
    """Return the params in the same shape with a mask in the place of each secret.

    A secret is what bears the name of one, at any depth, and what the schema calls a password or write-only,
    as it does a SecretStr. None, True, False and empty texts hide nothing, and numbers of tokens neither.
    """
    return _Walk(schema, lambda secret: MASK).members(params, _of(schema))


def secrets_in(params: Mapping[str, Json], schema: Schema | None = None) -> tuple[str, ...]:
    """Return as texts all that `masked` hides, each once."""
    found: dict[str, None] = {}

    def note(secret: Json) -> Json:
        found[str(secret)] = None
        return secret

    _Walk(schema, note).members(params, _of(schema))
    return tuple(found)


def tells_secrets(schema: Json) -> bool:
    """Return whether any part of a schema is of a secret."""
    if isinstance(schema, Mapping):
        return _is_secret(schema) or any(map(tells_secrets, schema.values()))
    return isinstance(schema, list) and any(map(tells_secrets, schema))


def is_secret_name(name: str, value: Json = "") -> bool:
    """Return whether a value of that name is a secret."""
    word = _secret_word(name) if len(name) <= _LONGEST_NAME else ""
    return bool(word) and (word != "token" or not isinstance(value, int | float))


@lru_cache(maxsize=4096)
def _secret_word(name: str) -> str:
    """Return what in a name makes it that of a secret; empty when nothing does."""
    found = _PART.search(_SEPARATORS.sub("", name.lower())) or _LAST.search(name)
    return found[0] if found else ""


class _Walk:
    """One way through params, with their schema beside them, that hides what is secret."""

    def __init__(self, schema: Schema | None, hide: Hide) -> None:
        self._definitions: Mapping[str, Schema] = (schema or {}).get("$defs", {})
        self._hide = hide

    def members(self, value: Mapping[str, Json], schemas: Sequence[Schema]) -> dict[str, Json]:
        """Return an object with its secrets hidden."""
        told = _names_a_secret(value)
        return {
            name: self._hidden(member)
            if is_secret_name(name, member) or (told and name == "value")
            else self._value(member, self._of_member(schemas, name) if schemas else schemas)
            for name, member in value.items()
        }

    def _value(self, value: Json, schemas: Sequence[Schema]) -> Json:
        if any(map(_is_secret, schemas)):
            return self._hidden(value)
        if isinstance(value, Mapping):
            return self.members(value, schemas)
        if isinstance(value, list):
            return [self._item(item, number, schemas) for number, item in enumerate(value)]
        return self._text(value) if isinstance(value, str) else value

    def _item(self, item: Json, number: int, schemas: Sequence[Schema]) -> Json:
        if isinstance(item, list) and len(item) == 2 and _is_name(item[0]):  # name and value, as headers come
            return [item[0], self._hidden(item[1])]
        return self._value(item, self._of_item(schemas, number) if schemas else schemas)

    def _hidden(self, value: Json) -> Json:
        """Return the value with all that it holds hidden."""
        if isinstance(value, Mapping):
            return {name: self._hidden(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._hidden(item) for item in value]
        return value if value is None or isinstance(value, bool) or value == "" else self._hide(value)

    def _text(self, text: str) -> str:
        for pattern in _IN_TEXT:
            text = pattern.sub(self._within, text)
        return text

    def _within(self, found: re.Match[str]) -> str:
        name = found.groupdict().get("name")
        if name is not None and not is_secret_name(unquote_plus(name)):
            return found[0]
        return found["before"] + str(self._hide(found["secret"]))

    def _of_member(self, schemas: Sequence[Schema], name: str) -> list[Schema]:
        found: list[Schema] = []
        for schema in schemas:
            known = schema.get("properties", {}).get(name)
            others = (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values())
            for one in others if known is None else (known,):
                found += self._alternatives(one)
        return found

    def _of_item(self, schemas: Sequence[Schema], number: int) -> list[Schema]:
        found: list[Schema] = []
        for schema in schemas:
            prefix = schema.get("prefixItems", ())
            found += self._alternatives(prefix[number] if number < len(prefix) else schema.get("items"))
        return found

    def _alternatives(self, schema: Json) -> Iterator[Schema]:
        """Yield a schema and all that it says may, or must, hold in its place."""
        if not isinstance(schema, Mapping):
            return
        yield schema
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._alternatives(self._definitions.get(reference.rpartition("/")[2]))
        for word in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(word, ()):
                yield from self._alternatives(one)


def _of(schema: Schema | None) -> list[Schema]:
    return [] if schema is None else [schema]


def _is_secret(schema: Schema) -> bool:
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and is_secret_name(value)


def _names_a_secret(value: Mapping[str, Json]) -> bool:
    """Return whether an object is a name beside its value, the name being that of a secret."""
    return "value" in value and any(_is_name(value.get(word)) for word in ("name", "key", "header"))
