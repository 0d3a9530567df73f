"""How the words of a command line become the params of a job. Pure but for `text_of`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from client.errors import BadInput

_WORD = re.compile(r"(?P<name>[^=:@\s]+)(?P<sign>:=|=)(?P<text>.*)", re.DOTALL)
_HINT = "Write name=text, name:=JSON for other values, or all of them with --params '{\"name\": …}'."
#: What is thought of a param where nobody knows the schema.
_ANY = {"type": "object"}
#: A text that JSON would read as something else; which is meant, only the action's schema can tell.
_DOUBTFUL = re.compile(r"\s*(-?[0-9]|true$|false$|null$|\[|\{)")


def params_of(words: Iterable[str], whole: str, schema: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the params that the words `name=text` and `name:=JSON`, and a whole object of JSON, stand for.

    `whole` is the object as text, or empty. `schema` is asked for the action's JSON Schema when a text may be
    meant for a number, a list or the like; where it is `{}`, nobody knows it, and the text is what JSON takes
    it for. Raises BadInput.
    """
    params = _object(whole) if whole else {}
    known: Mapping[str, Any] | None = None
    for word in words:
        found = _WORD.fullmatch(word)
        if found is None:
            raise BadInput(f"{word!r} is no param.", hint=_HINT)
        name, text = found["name"], found["text"]
        if name in params:
            raise BadInput(f"The param {name!r} is given twice.", hint="Leave one of them out.")
        if found["sign"] == ":=":
            params[name] = _json(f"The param {name!r}", text)
        elif _DOUBTFUL.match(text):
            known = schema() if known is None else known
            params[name] = _meant(text, known.get("properties", {}).get(name, {}) if known else _ANY)
        else:
            params[name] = text
    return params


def text_of(whole: str) -> str:
    """Return the text that `--params` means: itself, `@` and the path of a file, or `-` for standard input.

    Raises BadInput.
    """
    if whole != "-" and not whole.startswith("@"):
        return whole
    where = "standard input" if whole == "-" else whole[1:]
    hint = "Name another file, or - for standard input."
    try:
        text = _standard_input() if whole == "-" else Path(where).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInput(f"--params: {where}: {error}.", hint=hint) from None
    if not text.strip():
        raise BadInput(f"--params: {where} is empty.", hint=hint)
    return text


def call_of(action: Mapping[str, Any]) -> str:
    """Return how an action is called on the command line, what may be left out in brackets."""
    schema = action["schema"]
    required = schema.get("required", ())
    words = [f"bus submit {action['name']}"]
    for name, one in schema.get("properties", {}).items():
        word = f"{name}=<{_kind(one)}>"
        words.append(word if name in required else f"[{word}]")
    return " ".join(words)


def _object(whole: str) -> dict[str, Any]:
    found = _json("--params", whole)
    if not isinstance(found, dict):
        raise BadInput("--params: it is JSON, and no object.", hint=_HINT)
    return found


def _standard_input() -> str:
    return sys.stdin.read() if sys.stdin else ""  # It is None when somebody has closed it.


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: {error}.", hint=_HINT) from None


def _meant(text: str, schema: Mapping[str, Any]) -> Any:
    """Return what a text stands for where such a value is taken: itself wherever a text is."""
    if "string" in _kinds(schema):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """Return the types of JSON that a schema takes; of one that says nothing, text."""
    found: set[str] = set()
    for one in (schema, *schema.get("anyOf", ())):
        kind = one.get("type")
        found.update([kind] if isinstance(kind, str) else kind or ())
    if "$ref" in schema:
        found.add("object")
    return found or {"string"}


def _kind(schema: Mapping[str, Any]) -> str:
    return " or ".join(sorted(_kinds(schema) - {"null"})) or "null"
