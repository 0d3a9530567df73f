"""Checks what the settings of a client say, field by field: what is wrong is named with its remedy. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from client.errors import BadInput
from client.line import checked_url

HINT = "docs/clients.md shows such a file; `bus config` shows what is read."
#: What the table of a machine may say.
FIELDS = (
    "url",
    "project",
    "zone",
    "zones",
    "instance",
    "port",
    "internal",
    "token",
    "token_file",
    "signs",
    "mirror",
)

_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_PROJECT = re.compile(r"([a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{4,61}[a-z0-9]")
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}-[a-z]")
_MIRROR = re.compile(r"folder:/[^\0]+|gs://[a-z0-9][a-z0-9._-]+(/\S*)?")
_INSTANCE = re.compile(r"[a-z][a-z0-9-]{0,62}")


def checked_table(where: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a machine's table says, with `zones` for its one `zone`. Raises BadInput."""
    allow_only(where, table, FIELDS)
    for name, value in table.items():
        if wrong := _KINDS[name](value):
            raise BadInput(f"{where}: {name} {wrong}", hint=HINT)
    found = {**table, "zones": tuple(table.get("zones") or ([table["zone"]] if "zone" in table else []))}
    found.pop("zone", None)
    missing = [name for name in ("project", "zones", "instance") if not found.get(name)]
    if bool(table.get("url")) == (len(missing) < 3):
        raise BadInput(f"{where}: give either a url, or project, zone and instance.", hint=HINT)
    if not table.get("url") and missing:
        raise BadInput(f"{where}: {missing[0]} is missing.", hint=HINT)
    return found


def checked_mirror(where: str, text: str) -> dict[str, Any]:
    """Return the mirror that a variable names, or nothing. Raises BadInput."""
    if text and (wrong := _KINDS["mirror"](text)):
        raise BadInput(f"{where}: it {wrong}", hint=HINT)
    return {"mirror": text.rstrip("/")} if text else {}


def checked_port(where: str, text: str) -> int | None:
    """Return the port that a variable names, or None. Raises BadInput."""
    port = int(text) if text.isdecimal() and len(text) < 6 else text
    if text and (wrong := _port(port)):
        raise BadInput(f"{where}: it {wrong}", hint=HINT)
    return int(text) if text else None


def checked_flag(where: str, text: str) -> bool:
    """Return what a variable says, as the bus reads such words. Raises BadInput."""
    if text.lower() not in {*_YES, *_NO}:
        raise BadInput(f"{where}: it must be true or false, and not {text!r}.", hint=HINT)
    return text.lower() in _YES


def allow_only(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise BadInput for a name that means nothing there, with the nearest one that does."""
    for name in table:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Known: {', '.join(known)}."
            raise BadInput(f"{where}: {name!r} means nothing here.", hint=hint)


def _fits(pattern: re.Pattern[str], example: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        fits = isinstance(value, str) and pattern.fullmatch(value)
        return "" if fits else f"must be written as in {example!r}, and not {value!r}."

    return check


def _zones(value: Any) -> str:
    if not isinstance(value, list | tuple) or not value:
        return "must be a list, such as ['europe-west1-b', 'europe-west1-c']."
    return next((wrong for one in value if (wrong := _fits(_ZONE, "europe-west1-b")(one))), "")


def _url(value: Any) -> str:
    try:
        checked_url(str(value))
    except BadInput as error:
        return f"is wrong: {error.message} {error.hint}"
    return ""


def _port(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65_536
    return "" if fits else f"must be a whole number from 1 to 65535, and not {value!r}."


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else f"must be true or false, and not {value!r}."


def _text(value: Any) -> str:
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and bool(value)
    return "" if fits else "must be a text of printable ASCII characters."


_KINDS: Mapping[str, Callable[[Any], str]] = {
    "url": _url,
    "project": _fits(_PROJECT, "my-project"),
    "zone": _fits(_ZONE, "europe-west1-b"),
    "zones": _zones,
    "instance": _fits(_INSTANCE, "bus"),
    "port": _port,
    "internal": _flag,
    "token": _text,
    "token_file": _text,
    "signs": _flag,
    "mirror": _fits(_MIRROR, "folder:/srv/mirror' or 'gs://bucket/prefix"),
}
